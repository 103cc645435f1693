#include "services/websocket_service/worker_counters.h"

#include <cstring>
#include <utility>

namespace groupcast::service {
namespace {

// The slot's counters, as WorkerCounterColumns names them.
enum Counter : size_t {
  kConnections,
  kGroups,
  kMemberships,
  kDeliveries,
  kErrors,
  kLimited,
  kGaps,
  kSlow,
  kRecovered,
  kLost,
  kFirstLimit,  // in the order of Limit
  kTooManyGroups = kFirstLimit + kLimits,
  kMessageTooLarge,
  kTooDeep,
  kSendRate,
  kUserConnections,
  kUserGroups,
  kUserRate,
  kRefused,
  kCounters,
};

}  // namespace

std::vector<CounterColumn> WorkerCounterColumns() {
  std::vector<CounterColumn> columns(kCounters);
  const auto column = [&](size_t counter, const char* name, int width, Metric metric) {
    columns[counter] = {.name = name, .width = width, .metric = std::move(metric)};
  };
  column(kConnections, "connections", 12, ConnectionsMetric());
  column(kGroups, "groups", 10, GroupsMetric());
  column(kMemberships, "memberships", 12, MembershipsMetric());
  column(kDeliveries, "deliveries", 12, DeliveriesMetric());
  column(kErrors, "errors", 8, {});  // groupcast_errors_total has them by code
  column(kLimited, "limited", 9, LimitMetric("commands"));
  column(kGaps, "gaps", 6, GapsMetric());
  column(kSlow, "slow", 6, SlowConsumersMetric());
  column(kRecovered, "recovered", 10, RecoveriesMetric("recovered"));
  column(kLost, "lost", 0, RecoveriesMetric("lost"));
  const auto limit = [&](size_t counter, const char* name) {
    columns[counter] = {.name = name,
                        .width = static_cast<int>(strlen(name)) + 1,
                        .is_limit = true,
                        .metric = LimitMetric(name)};
  };
  for (const auto& [of, name] : {std::pair{Limit::kConnections, "worker"},
                                 {Limit::kAddress, "address"},
                                 {Limit::kAccepts, "accepts"},
                                 {Limit::kHandshake, "handshake"},
                                 {Limit::kHead, "head"},
                                 {Limit::kFrame, "frame"},
                                 {Limit::kInflated, "inflated"},
                                 {Limit::kUnfinished, "unfinished"},
                                 {Limit::kHeld, "held"},
                                 {Limit::kInput, "input"},
                                 {Limit::kOutboxes, "outboxes"},
                                 {Limit::kPong, "pong"}}) {
    limit(kFirstLimit + static_cast<size_t>(of), name);
  }
  limit(kTooManyGroups, "groups");
  limit(kMessageTooLarge, "message");
  limit(kTooDeep, "depth");
  limit(kSendRate, "sends");
  limit(kUserConnections, "user");
  limit(kUserGroups, "user_groups");
  limit(kUserRate, "user_commands");
  limit(kRefused, "access");
  AddWorkerColumns(&columns);
  return columns;
}

void WriteCounters(const WorkerCounts& counts, SharedSlot* slot) {
  const GroupService::Counters& groups = counts.of_groups;
  auto& shared = slot->counters;
  shared[kConnections] = counts.connections;
  shared[kGroups] = counts.groups;
  shared[kMemberships] = counts.memberships;
  shared[kDeliveries] = groups.deliveries;
  shared[kErrors] = groups.errors;
  shared[kLimited] = groups.rate_limited;
  shared[kGaps] = groups.gaps;
  shared[kSlow] = counts.slow_consumers;
  shared[kRecovered] = groups.recoveries;
  shared[kLost] = groups.recoveries_lost;
  for (size_t i = 0; i < kLimits; ++i) {
    shared[kFirstLimit + i] = counts.limits.Of(static_cast<Limit>(i));
  }
  shared[kFirstLimit + static_cast<size_t>(Limit::kAccepts)] = counts.accept_pauses;
  shared[kTooManyGroups] = groups.too_many_groups;
  shared[kMessageTooLarge] = groups.message_too_large;
  shared[kTooDeep] = groups.too_deep;
  shared[kSendRate] = groups.sends_limited;
  shared[kUserConnections] = groups.user_connections;
  shared[kUserGroups] = groups.user_groups;
  shared[kUserRate] = groups.user_rate_limited;
  shared[kRefused] = groups.refused;
  WriteWorkerNumbers(counts.of_all, kCounters, slot);
}

}  // namespace groupcast::service
