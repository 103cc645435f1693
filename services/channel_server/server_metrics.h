#ifndef GROUPCAST_SERVICES_CHANNEL_SERVER_SERVER_METRICS_H_
#define GROUPCAST_SERVICES_CHANNEL_SERVER_SERVER_METRICS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "services/metrics/duration_histogram.h"
#include "services/metrics/process_usage.h"

namespace groupcast::service {

// The numbers of a channel server, for Published. All counters begin at zero with the process.
struct ServerNumbers {
  // A histogram with kWorkBoundsUs.
  struct Durations {
    std::array<uint64_t, std::size(kWorkBoundsUs) + 1> counts;
    uint64_t sum_us;
  };

  // As they are now.
  uint64_t workers;          // connected, at the last digest
  uint64_t lagging_workers;  // of them, those that could not take it
  uint64_t groups;           // known
  uint64_t keys;             // remembered
  uint64_t retained_messages;
  uint64_t retained_bytes;
  uint64_t retained_limit_bytes;
  uint64_t presence_groups;
  uint64_t presence_watches;
  uint64_t presence_members;
  uint64_t presence_bytes;
  uint64_t log_bytes;

  // Counters.
  uint64_t publications;
  uint64_t publication_bytes;  // of the frames on the publish link
  uint64_t refused_too_large;
  uint64_t refused_malformed;
  uint64_t refused_unavailable;
  uint64_t given_up;
  uint64_t ignored_repeated;
  uint64_t ignored_same_key;
  uint64_t ignored_out_of_turn;
  uint64_t ignored_stranger;
  uint64_t malformed_frames;
  uint64_t announcements;
  uint64_t digests;
  uint64_t history_reads;
  uint64_t subscriber_waits;
  uint64_t subscriber_timeouts;
  uint64_t droppable_frames;
  uint64_t failed_writes;
  uint64_t log_lines_dropped;

  Durations turns;
  Durations log_writes;
};

// What Prometheus reads: the numbers, the time since the loop's last turn, and the usage of the
// process if it is known.
std::string ServerMetricsText(const ServerNumbers& numbers, absl::Duration loop_age,
                              const std::optional<ProcessUsage>& usage);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_SERVER_SERVER_METRICS_H_
