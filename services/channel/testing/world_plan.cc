#include "services/channel/testing/world_plan.h"

#include "absl/strings/str_cat.h"
#include "services/channel/testing/simulated_access.h"

namespace groupcast::service::testing {
namespace {

// The size of a retained message with its bookkeeping. All bounds have room for one.
constexpr int64_t kRetainedMessageBytes = 600;

// A reply to a send.
constexpr size_t kAnswerBytes = 150;

void PlanServer(Random* random, WorldPlan* plan) {
  BrokerOptions& broker = plan->server.broker;
  plan->server.reads_per_turn_max = static_cast<int>(random->Between(1, 20));
  broker.retention.page_bytes_max = static_cast<size_t>(random->Between(1, 1'500));
  // Waits for slow subscribers, or drops for them.
  if (random->OneIn(2)) {
    plan->server.subscriber_patience =
        random->Between(absl::Milliseconds(10), absl::Milliseconds(1'500));
    plan->server.drop_for = random->Between(absl::Milliseconds(100), absl::Seconds(10));
  }
  plan->forgetful = random->OneIn(3);
  if (!plan->forgetful) return;
  broker.retention.history_messages_max = static_cast<size_t>(random->Between(1, 4));
  broker.retention.history_age_max = absl::Milliseconds(random->Between(100, 2'000));
  broker.retention.repair_retention = absl::Milliseconds(random->Between(50, 2'000));
  broker.idle_groups_max = static_cast<size_t>(random->Between(0, 2));
  if (random->OneIn(2)) {
    broker.retention.bytes_max =
        static_cast<size_t>(random->Between(kRetainedMessageBytes, 10 * kRetainedMessageBytes));
  }
  if (random->OneIn(2))
    broker.publishers.publishers_max = static_cast<size_t>(random->Between(2, 3));
}

void PlanLog(Random* random, WorldPlan* plan) {
  const int64_t kind = random->Between(0, 3);
  if (kind == 0) return;
  plan->power_losses = kind == 2;
  plan->disk_full = kind == 3;
  GroupLogOptions& log = plan->server.log;
  log.fsync = static_cast<FsyncMode>(random->Between(0, 2));
  log.segment_bytes_max = static_cast<size_t>(random->Between(1'000, 20'000));
  log.segment_age_max = random->Between(absl::Milliseconds(500), absl::Seconds(5));
  log.segments_at_start_max = static_cast<size_t>(random->Between(1, 6));
  if (random->OneIn(3))
    plan->server.log_begins_anew_one_in = static_cast<int>(random->Between(2, 100));
  plan->create_takes = static_cast<int>(random->Between(1, 20));
  plan->server.broker.groups_per_snapshot_part = static_cast<int>(random->Between(1, 3));
  // What may be asked for: messages, and the keys of two minutes.
  log.keep = plan->forgetful ? absl::Seconds(125) : absl::Minutes(6);
  plan->server.broker.has_log = true;
  plan->server.broker.record_room_bytes = GroupLog::kRecordHeaderBytes;
}

void PlanClients(Random* random, WorldPlan* plan) {
  plan->session = {.queue_bytes_max = 1 << 20,
                   .groups_max = 128,
                   .in_flight_max = static_cast<size_t>(random->Between(5, 50))};
  if (random->OneIn(4)) {
    plan->session.queue_bytes_max = static_cast<size_t>(random->Between(500, 4'000));
  }
  ConnectionPlan& connection = plan->connection;
  connection.delay_max = absl::Milliseconds(random->Between(1, 20));
  if (random->OneIn(3)) {
    connection.frames_under_way_max = static_cast<size_t>(random->Between(1, 3));
  }
  if (random->OneIn(3)) {
    // The answers to all that one client asks at once have room.
    connection.outbox_bytes_max = plan->session.in_flight_max * kAnswerBytes +
                                  static_cast<size_t>(random->Between(500, 4'000));
  }
  plan->keys_alike = random->OneIn(4);
}

// A worker sends no publication again when its key may be forgotten.
void PlanKeys(Random* random, WorldPlan* plan) {
  plan->keyed_senders = random->Between(1, 2);
  plan->window.wait_max = random->Between(absl::Milliseconds(500), absl::Seconds(2));
  BrokerOptions& broker = plan->server.broker;
  broker.keys.window = plan->window.wait_max + random->Between(absl::Seconds(1), absl::Seconds(4));
}

// A generator of its own: worlds without watchers are the same as before there were any.
void PlanPresence(Random random, WorldPlan* plan) {
  if (!random.OneIn(3)) return;
  plan->watchers = random.Between(1, 3);
  PresenceOptions& server = plan->server.broker.presence;
  if (random.OneIn(3)) server.groups.grace = absl::ZeroDuration();
  if (random.OneIn(2)) server.groups.changes_max = static_cast<size_t>(random.Between(1, 5));
  if (random.OneIn(2)) {
    server.frame_bytes = static_cast<size_t>(random.Between(1, 200));
    server.frames_under_way_max = static_cast<uint64_t>(random.Between(1, 3));
    server.turn_bytes = static_cast<size_t>(random.Between(1, 200));
  }
  if (random.OneIn(2)) {
    plan->presence.frame_bytes = static_cast<size_t>(random.Between(1, 200));
    plan->presence.frames_under_way_max = static_cast<uint64_t>(random.Between(1, 3));
  }
  GroupPresenceOptions& service = plan->service.presence;
  service.linger = random.Between(absl::ZeroDuration(), absl::Seconds(3));
  if (random.OneIn(2)) {
    service.event_rate = {.per_second = static_cast<double>(random.Between(20, 1'000)),
                          .burst = static_cast<double>(random.Between(1, 10))};
    service.events_per_turn = static_cast<size_t>(random.Between(1, 5));
  }
  if (random.OneIn(3)) {
    service.lingering_per_connection_max = static_cast<size_t>(random.Between(0, 2));
  }
}

// So many groups that their names need more than one frame. All bounds have room for them.
void PlanManyGroups(Random* random, WorldPlan* plan) {
  plan->more_groups = random->Between(550, 750);
  const auto room = static_cast<size_t>(plan->groups + plan->more_groups);
  plan->service.memberships.groups_max = room;
  plan->session = {.queue_bytes_max = 1 << 20, .groups_max = room, .in_flight_max = 1'000};
  plan->connection = {};
  plan->window.bytes_max = WindowOptions().bytes_max;
  plan->network.subscriber_queue_max = NetworkOptions().subscriber_queue_max;
  plan->network.control_queue_max = NetworkOptions().control_queue_max;
}

}  // namespace

WorldPlan PlanWorld(Random* random) {
  WorldPlan plan;
  if (random->OneIn(2)) {
    plan.network.subscriber_queue_max = static_cast<size_t>(random->Between(2, 20));
    plan.network.control_queue_max = static_cast<size_t>(random->Between(2, 20));
  }
  if (random->OneIn(3)) plan.network.lost_subscription_one_in = 4;
  plan.network.delay_max = absl::Milliseconds(random->Between(1, 20));
  PlanServer(random, &plan);
  PlanLog(random, &plan);
  if (random->OneIn(3)) {
    // Publications are given up soon, and publishers forgotten when they have nothing to ask.
    plan.window.wait_max = random->Between(absl::Milliseconds(500), absl::Seconds(3));
    plan.server.broker.publishers.age_max = 2 * plan.window.wait_max + absl::Seconds(4);
  }
  if (random->OneIn(4)) PlanKeys(random, &plan);
  // Longer than retention and than the wait of sends, and sometimes longer than publishers are
  // remembered.
  if (random->OneIn(16)) plan.absence = random->Between(absl::Seconds(40), absl::Seconds(200));
  // (Sends that wait for room for minutes may outlive their keys.)
  if (random->OneIn(4)) {
    plan.window.bytes_max = static_cast<size_t>(random->Between(500, 3'000));
  }
  PlanClients(random, &plan);
  RecentMessagesOptions& recent = plan.service.recent;
  recent.group_messages_max = static_cast<size_t>(random->Between(0, 20));
  if (random->OneIn(3)) {
    recent.group_bytes_max = static_cast<size_t>(random->Between(0, 2'000));
    recent.bytes_max = static_cast<size_t>(random->Between(0, 3'000));
  }
  plan.groups = random->Between(1, 4);
  if (random->OneIn(64)) {
    PlanManyGroups(random, &plan);
  } else if (random->OneIn(4)) {
    plan.service.access.policy = SimulatedAccess();
  }
  PlanPresence(Random(Random(*random).Next()), &plan);
  return plan;
}

std::string WorldPlan::Description() const {
  const bool small_queues = network.subscriber_queue_max < NetworkOptions().subscriber_queue_max;
  return absl::StrCat(
      small_queues ? "small queues, " : "", forgetful ? "forgetful, " : "",
      forgets_publishers() ? "forgets publishers, " : "",
      network.lost_subscription_one_in > 0 ? "lost subscriptions, " : "",
      server.broker.has_log ? "log, " : "", power_losses ? "power losses, " : "",
      disk_full ? "disk full, " : "",
      server.subscriber_patience > absl::ZeroDuration() ? "waits for subscribers, " : "",
      window.bytes_max < WindowOptions().bytes_max ? "small windows, " : "",
      keyed_senders > 0 ? "keys for seconds, " : "", keys_alike ? "keys alike, " : "",
      service.access.policy->tokens() != nullptr ? "tokens, " : "",
      watchers > 0 ? "presence, " : "", absence > absl::ZeroDuration() ? "a long absence, " : "",
      groups + more_groups, " groups");
}

}  // namespace groupcast::service::testing
