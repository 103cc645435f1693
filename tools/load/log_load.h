#ifndef GROUPCAST_TOOLS_LOAD_LOG_LOAD_H_
#define GROUPCAST_TOOLS_LOAD_LOG_LOAD_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace groupcast::load {

struct LogLoadOptions {
  std::string channel_server;  // the binary
  std::string directory;       // an empty one on the disk to measure
  int64_t messages = 500'000;  // in each run
  size_t message_bytes = 200;
  int rounds = 5;
};

// One configuration of the channel server. Numbers are medians of all rounds.
struct LogCost {
  std::string name;  // "no log", or the --fsync mode
  double messages_per_second = 0;
  absl::Duration server_cpu;    // per message
  double throughput_ratio = 1;  // to the server without a log in the same round
  double cpu_ratio = 1;
  int64_t lost = 0;  // in all rounds, counted by the subscriber
  int64_t out_of_order = 0;
};

// Measures the cost of the log: one publisher and one subscriber through a channel server without a
// log and with each fsync mode. All four servers run side by side. Each round loads one after the
// other, in turn, so that other activity of the machine affects all of them.
absl::StatusOr<std::vector<LogCost>> MeasureLogCost(const LogLoadOptions& options);

}  // namespace groupcast::load

#endif  // GROUPCAST_TOOLS_LOAD_LOG_LOAD_H_
