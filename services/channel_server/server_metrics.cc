#include "services/channel_server/server_metrics.h"

#include <vector>

#include "services/common/version.h"
#include "services/metrics/families.h"

namespace groupcast::service {
namespace {

constexpr double kSecondsPerUs = 1e-6;

void AddState(const ServerNumbers& numbers, Families* families) {
  const auto gauge = [families](const char* name, const char* help, uint64_t value) {
    families->AddGauge(name, help, {}, static_cast<double>(value));
  };
  gauge("groupcast_channel_workers", "Workers that are connected.", numbers.workers);
  gauge("groupcast_channel_lagging_workers",
        "Connected workers whose control queue was full at the last digest.",
        numbers.lagging_workers);
  gauge("groupcast_channel_groups", "Groups that the server knows.", numbers.groups);
  gauge("groupcast_channel_keys", "Keys of sends that the server remembers.", numbers.keys);
  gauge("groupcast_channel_retained_messages", "Messages in memory, for repairs and history.",
        numbers.retained_messages);
  gauge("groupcast_channel_retained_bytes", "Bytes of these messages, with their bookkeeping.",
        numbers.retained_bytes);
  gauge("groupcast_channel_retained_limit_bytes", "The bound of these bytes (--retained_bytes).",
        numbers.retained_limit_bytes);
  gauge("groupcast_channel_presence_groups", "Groups with a table of members.",
        numbers.presence_groups);
  gauge("groupcast_channel_presence_watches", "Watches of workers on groups.",
        numbers.presence_watches);
  gauge("groupcast_channel_presence_members", "Members in these tables.", numbers.presence_members);
  gauge("groupcast_channel_presence_bytes", "Bytes of these tables.", numbers.presence_bytes);
  gauge("groupcast_channel_log_bytes", "Size of the log's segments. 0: there is no log.",
        numbers.log_bytes);
}

void AddCounters(const ServerNumbers& numbers, Families* families) {
  const auto counter = [families](const char* name, const char* help, uint64_t value) {
    families->AddCounter(name, help, {}, static_cast<double>(value));
  };
  const auto by_reason = [families](const char* name, const char* help, const char* reason,
                                    uint64_t value) {
    families->AddCounter(name, help, {{"reason", reason}}, static_cast<double>(value));
  };
  counter("groupcast_channel_publications_total", "Publications that became messages.",
          numbers.publications);
  counter("groupcast_channel_publication_bytes_total",
          "Bytes of all frames on the publish link, with their headers.",
          numbers.publication_bytes);
  constexpr char kRefused[] = "groupcast_channel_publications_refused_total";
  constexpr char kRefusedHelp[] = "Publications that were refused to their worker.";
  by_reason(kRefused, kRefusedHelp, "too_large", numbers.refused_too_large);
  by_reason(kRefused, kRefusedHelp, "malformed", numbers.refused_malformed);
  by_reason(kRefused, kRefusedHelp, "unavailable", numbers.refused_unavailable);
  counter("groupcast_channel_publications_given_up_total",
          "Publications that their worker gave up after they were lost on the way.",
          numbers.given_up);
  constexpr char kIgnored[] = "groupcast_channel_publications_ignored_total";
  constexpr char kIgnoredHelp[] = "Publications that became no message, without a refusal.";
  by_reason(kIgnored, kIgnoredHelp, "repeated", numbers.ignored_repeated);
  by_reason(kIgnored, kIgnoredHelp, "same_key", numbers.ignored_same_key);
  by_reason(kIgnored, kIgnoredHelp, "out_of_turn", numbers.ignored_out_of_turn);
  by_reason(kIgnored, kIgnoredHelp, "stranger", numbers.ignored_stranger);
  counter("groupcast_channel_malformed_frames_total", "Frames that are not of the protocol.",
          numbers.malformed_frames);
  counter("groupcast_channel_announcements_total", "Announcements of heads.",
          numbers.announcements);
  counter("groupcast_channel_digests_total", "Digests that workers took.", numbers.digests);
  counter("groupcast_channel_history_reads_total", "Answers to questions for older messages.",
          numbers.history_reads);
  counter("groupcast_channel_subscriber_waits_total",
          "How often publications waited for a worker with a full queue.",
          numbers.subscriber_waits);
  counter("groupcast_channel_subscriber_timeouts_total",
          "How often such a wait ended because of --subscriber_patience.",
          numbers.subscriber_timeouts);
  counter("groupcast_channel_droppable_frames_total",
          "Frames of the time after that, which workers with a full queue repair later.",
          numbers.droppable_frames);
  counter("groupcast_channel_log_failed_writes_total",
          "Turns that could not be written to the log.", numbers.failed_writes);
  counter("groupcast_log_lines_dropped_total", "Log lines that could not be written.",
          numbers.log_lines_dropped);
}

void AddDurations(const char* name, const char* help, const ServerNumbers::Durations& durations,
                  Families* families) {
  std::vector<double> bounds;
  for (const int64_t bound : kWorkBoundsUs) {
    bounds.push_back(static_cast<double>(bound) * kSecondsPerUs);
  }
  families->AddHistogram(name, help, {}, bounds, durations.counts,
                         static_cast<double>(durations.sum_us) * kSecondsPerUs);
}

void AddUsage(const ProcessUsage& usage, Families* families) {
  families->AddCounter("groupcast_cpu_seconds_total", "CPU time, of user and system.", {},
                       usage.cpu_seconds);
  families->AddGauge("groupcast_resident_memory_bytes", "Memory in use.", {},
                     static_cast<double>(usage.resident_bytes));
  families->AddGauge("groupcast_open_files", "Open file descriptors.", {},
                     static_cast<double>(usage.open_files));
}

}  // namespace

std::string ServerMetricsText(const ServerNumbers& numbers, absl::Duration loop_age,
                              const std::optional<ProcessUsage>& usage) {
  Families families;
  families.AddGauge("groupcast_build_info", "1, with the program and its version.",
                    {{"service", "channel_server"}, {"version", kVersion}}, 1);
  // The other numbers do not change while the loop stands still.
  families.AddGauge("groupcast_channel_loop_age_seconds",
                    "Time since the last turn of the event loop, also while it stands still.", {},
                    absl::ToDoubleSeconds(loop_age));
  AddState(numbers, &families);
  AddCounters(numbers, &families);
  AddDurations("groupcast_channel_log_write_seconds", "Time of a write to the log.",
               numbers.log_writes, &families);
  AddDurations("groupcast_turn_seconds", "Time of a turn of the event loop, without its wait.",
               numbers.turns, &families);
  if (usage.has_value()) AddUsage(*usage, &families);
  return families.Text();
}

}  // namespace groupcast::service
