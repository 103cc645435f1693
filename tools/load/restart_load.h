#ifndef GROUPCAST_TOOLS_LOAD_RESTART_LOAD_H_
#define GROUPCAST_TOOLS_LOAD_RESTART_LOAD_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace groupcast::load {

struct StartUpOptions {
  std::string channel_server;  // the binary
  std::string directory;       // an empty one on the disk to measure
  uint64_t log_bytes = 1u << 30;
  size_t message_bytes = 200;
  int groups = 1'000;
  int starts = 5;  // of each kind
};

struct StartUpResult {
  uint64_t log_bytes = 0;
  int64_t messages = 0;
  int64_t pss = 0;  // of the last one, when it was ready; bytes

  // The times from the new process's start to its ready file, in ascending order.
  std::vector<absl::Duration> cached;     // with the log in the system's cache, like after kill -9
  std::vector<absl::Duration> from_disk;  // with an empty cache
};

// Measures the start of a channel server that was killed and has a large log.
absl::StatusOr<StartUpResult> MeasureStartUp(const StartUpOptions& options);

struct ReturnOptions {
  std::string channel_server;  // the binaries
  std::string websocket_service;
  std::string directory;  // an empty one
  int workers = 2;
  int members = 16;
  int restarts = 20;
};

// The times from the new process's start, in ascending order.
struct ReturnResult {
  std::vector<absl::Duration> ready;         // until its ready file
  std::vector<absl::Duration> first_member;  // until the first member has a message again
  std::vector<absl::Duration> last_member;   // until all members have it
};

// Kills the channel server with kill -9 and starts it again after 0.2 to 3 s. Measures how long
// after its start WebSocket members get a message that was sent while it was away.
absl::StatusOr<ReturnResult> MeasureReturn(const ReturnOptions& options);

}  // namespace groupcast::load

#endif  // GROUPCAST_TOOLS_LOAD_RESTART_LOAD_H_
