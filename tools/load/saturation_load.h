#ifndef GROUPCAST_TOOLS_LOAD_SATURATION_LOAD_H_
#define GROUPCAST_TOOLS_LOAD_SATURATION_LOAD_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace groupcast::load {

// Publishers that offer more and more to one channel server. Each is a process with a link and a
// window, like a worker. When the window is full, it publishes nothing until there is room. A
// worker in that state stops reading from its clients. Publications that fall due in that time
// wait.
struct SaturationOptions {
  std::string channel_server;  // the binary to start
  std::string directory;       // for its files
  int publishers = 1;
  // The rate that all of them offer together; 0: each as much as its window takes.
  double per_second = 0;
  size_t message_bytes = 200;
  absl::Duration warm_up = absl::Milliseconds(500);
  absl::Duration measured = absl::Seconds(1);
};

struct SaturationResult {
  // For the measured part, all publishers together.
  double accepted_per_second = 0;   // publications that were answered with their position
  double delivered_per_second = 0;  // to the one subscriber, in this process
  double server_cores = 0;          // CPU time of the channel server, per second
  double window_full = 0;           // share of the time, 0 to 1, of an average publisher
  absl::Duration answered_p50;      // from a publication to its answer
  absl::Duration answered_p99;

  // For the whole run, until all were answered and nothing more arrived.
  int64_t accepted = 0;
  int64_t refused = 0;  // publications that were answered with an error
  int64_t delivered = 0;
  int64_t lost = 0;     // accepted, and not delivered
  int64_t gaps = 0;     // reported to the subscriber
  int64_t broken = 0;   // messages whose `previous` names another one, without a reported gap
  int64_t repairs = 0;  // of messages that the subscribe link dropped for a slow subscriber
};

absl::StatusOr<SaturationResult> MeasureSaturation(const SaturationOptions& options);

}  // namespace groupcast::load

#endif  // GROUPCAST_TOOLS_LOAD_SATURATION_LOAD_H_
