#include "services/worker_metrics/worker_numbers.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/common/logging.h"
#include "services/protocol/error.h"

namespace groupcast::service {
namespace {

constexpr char kCloses[] = "groupcast_closes_total";
constexpr char kClosesHelp[] =
    "Ends of connections by close code; 1006 is an end without a close frame.";

void Add(Metric metric, std::vector<CounterColumn>* columns) {
  columns->push_back({.metric = std::move(metric)});
}

void AddHistogram(const std::string& name, const std::string& help,
                  absl::Span<const int64_t> bounds_us, std::vector<CounterColumn>* columns) {
  constexpr double kSecondsPerUs = 1e-6;
  for (const int64_t bound : bounds_us) {
    Add({.name = name,
         .help = help,
         .type = Metric::Type::kBucket,
         .bound = static_cast<double>(bound) / 1e6},
        columns);
  }
  Add({.name = name,
       .help = help,
       .type = Metric::Type::kBucket,
       .bound = std::numeric_limits<double>::infinity()},
      columns);
  Add({.name = name, .help = help, .type = Metric::Type::kSum, .scale = kSecondsPerUs}, columns);
}

// Writes numbers to counters that follow each other.
class Writer {
 public:
  Writer(size_t first, SharedSlot* slot) : next_(first), slot_(slot) {}

  void Write(uint64_t number) { slot_->counters[next_++].store(number, std::memory_order_relaxed); }
  void Write(const DurationHistogram& histogram) {
    for (const uint64_t count : histogram.counts()) Write(count);
    Write(histogram.sum_us());
  }

 private:
  size_t next_;
  SharedSlot* const slot_;
};

}  // namespace

Metric CounterMetric(std::string name, std::string help, std::string label, std::string value) {
  return {.name = std::move(name),
          .help = std::move(help),
          .type = Metric::Type::kCounter,
          .label = std::move(label),
          .value = std::move(value)};
}

Metric GaugeMetric(std::string name, std::string help) {
  return {.name = std::move(name), .help = std::move(help), .type = Metric::Type::kGauge};
}

Metric LimitMetric(std::string limit) {
  return CounterMetric("groupcast_limit_hits_total", "How often a limit was met.", "limit",
                       std::move(limit));
}

Metric ErrorsMetric(absl::string_view code) {
  return CounterMetric("groupcast_errors_total", "Errors that clients were told, by code.", "code",
                       std::string(code));
}

Metric ConnectionsMetric() {
  return GaugeMetric("groupcast_connections", "Open connections of clients.");
}

Metric GroupsMetric() { return GaugeMetric("groupcast_groups", "Groups with members."); }

Metric MembershipsMetric() {
  return GaugeMetric("groupcast_memberships", "Members of all groups together.");
}

Metric DeliveriesMetric() {
  return CounterMetric("groupcast_deliveries_total",
                       "Messages handed to members, each message once for each member.");
}

Metric GapsMetric() {
  return CounterMetric("groupcast_gaps_total", "Losses of messages that members were told.");
}

Metric SlowConsumersMetric() {
  return CounterMetric("groupcast_slow_consumer_closes_total",
                       "Connections closed because they read too slowly.");
}

Metric RecoveriesMetric(std::string result) {
  return CounterMetric("groupcast_recoveries_total",
                       "Joins with a position: without a loss, or with messages lost.", "result",
                       std::move(result));
}

// In the order of WriteWorkerNumbers.
void AddWorkerColumns(std::vector<CounterColumn>* columns) {
  Add(CounterMetric("groupcast_commands_total", "Commands of clients."), columns);
  Add(CounterMetric("groupcast_publications_total", "Messages handed to the channel."), columns);
  Add(CounterMetric("groupcast_messages_total", "Messages that came from the channel."), columns);
  Add(CounterMetric("groupcast_received_bytes_total",
                    "Bytes received from clients, without the overhead of TLS."),
      columns);
  Add(CounterMetric("groupcast_sent_bytes_total",
                    "Bytes sent to clients, without the overhead of TLS."),
      columns);
  Add(GaugeMetric("groupcast_outbox_bytes", "Memory of what waits to be sent to clients."),
      columns);
  for (size_t code = 0; code < kErrorCodes; ++code) {
    Add(ErrorsMetric(ErrorWord(static_cast<ErrorCode>(code))), columns);
  }
  for (const CloseCode code : kCountedCloseCodes) {
    Add(CounterMetric(kCloses, kClosesHelp, "code", absl::StrCat(static_cast<int>(code))), columns);
  }
  Add(CounterMetric(kCloses, kClosesHelp, "code", "other"), columns);
  Add(CounterMetric("groupcast_repairs_total",
                    "Requests to the channel server for messages that did not come live."),
      columns);
  Add(CounterMetric("groupcast_digests_behind_total",
                    "Newest messages of groups that were missing, as digests showed."),
      columns);
  Add(GaugeMetric("groupcast_window_bytes", "Bytes of publications without a result."), columns);
  Add(GaugeMetric("groupcast_window_limit_bytes", "Bound of groupcast_window_bytes."), columns);
  Add(CounterMetric("groupcast_log_lines_dropped_total",
                    "Log lines that stderr could not take at once."),
      columns);
  AddHistogram("groupcast_turn_seconds", "Time that a turn of the event loop worked.",
               kWorkBoundsUs, columns);
  AddHistogram("groupcast_delivery_latency_seconds",
               "Time from the send of a message to its delivery, once for each message and worker.",
               kLatencyBoundsUs, columns);
}

void WriteWorkerNumbers(const WorkerNumbers& numbers, size_t first, SharedSlot* slot) {
  const GroupService::Counters groups = numbers.groups->counters();
  const Channel::Stats channel = numbers.channel->stats();
  Writer writer(first, slot);
  writer.Write(groups.commands);
  writer.Write(numbers.groups->publications());
  writer.Write(groups.messages);
  writer.Write(numbers.received_bytes);
  writer.Write(numbers.sent_bytes);
  writer.Write(static_cast<uint64_t>(std::max<int64_t>(0, numbers.outbox_bytes)));
  for (size_t code = 0; code < kErrorCodes; ++code) {
    writer.Write(numbers.groups->errors_of(static_cast<ErrorCode>(code)));
  }
  for (size_t code = 0; code <= kCountedCloses; ++code) writer.Write(numbers.closes->Of(code));
  writer.Write(channel.repairs);
  writer.Write(channel.digests_behind);
  writer.Write(channel.window_bytes);
  writer.Write(channel.window_bytes_max);
  writer.Write(DroppedLogLines());
  writer.Write(numbers.timing->turns());
  writer.Write(numbers.timing->latencies());
}

}  // namespace groupcast::service
