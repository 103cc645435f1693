#ifndef GROUPCAST_TOOLS_LOAD_WEBSOCKET_LOAD_H_
#define GROUPCAST_TOOLS_LOAD_WEBSOCKET_LOAD_H_

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace groupcast::load {

struct WebSocketLoadOptions {
  uint16_t port = 1234;
  std::vector<pid_t>
      servers;  // the roots of all server processes: their trees are what is measured
  int connections = 1'000;
  int messages = 1'000;
  int in_flight = 1;  // a message is complete when all members have it
  size_t message_bytes = 128;
};

struct IdleResult {
  int64_t pss_before = 0;
  int64_t pss_after = 0;
  absl::Duration wall;  // to connect and join all
  absl::Duration p50;   // from a member's send to its own copy, with all the others idle
};

// Connects, joins each connection to one of a thousand groups, measures the servers' memory, and
// sends a message from time to time.
absl::StatusOr<IdleResult> MeasureIdle(const WebSocketLoadOptions& options);

struct FanOutResult {
  int64_t deliveries = 0;
  int64_t missing = 0;
  int64_t out_of_order = 0;
  absl::Duration wall;
  absl::Duration server_cpu;
  absl::Duration p50;  // from the send to the last member's copy
  absl::Duration p99;
};

// Measures one sender and one group, with all connections as members.
absl::StatusOr<FanOutResult> MeasureFanOut(const WebSocketLoadOptions& options);

}  // namespace groupcast::load

#endif  // GROUPCAST_TOOLS_LOAD_WEBSOCKET_LOAD_H_
