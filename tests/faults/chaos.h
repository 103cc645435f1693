#ifndef GROUPCAST_TESTS_FAULTS_CHAOS_H_
#define GROUPCAST_TESTS_FAULTS_CHAOS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tests/faults/chaos_report.h"
#include "tests/faults/gateway_side.h"

namespace groupcast::tests {

struct ChaosOptions {
  absl::Duration duration = absl::Seconds(60);  // the time in which faults happen
  int clients = 200;                            // at least 1; each is in one or two groups
  int groups = 20;                              // at least 2
  int workers = 4;
  int watchers = 4;  // members of the first group that watch its members
  // Sends per second, by all WebSocket clients together. Sends that are not possible at once wait
  // and follow.
  int rate = 2'000;
  // The average time between two faults.
  absl::Duration fault_interval = absl::Milliseconds(500);
  GatewayOptions gateway = {};
  // Additional flags of the services.
  std::vector<std::string> server_flags = {};   // channel_server
  std::vector<std::string> service_flags = {};  // websocket_service
  // Decides the kind, the target and the time of each fault. The rest depends on the machine: the
  // same seed gives a similar run, not the same.
  uint64_t seed = 1;
  // Called every `progress_interval` with a line about the progress; may be empty.
  std::function<void(const std::string& line)> progress;
  absl::Duration progress_interval = absl::Seconds(5);
};

// Runs the channel server with a data directory, the WebSocket service and the HTTP gateway, all
// behind proxies. The clients of both send to each other while the faults of Fault happen. Then it
// waits until every message has arrived, and judges. In the end every view of members must be the
// truth, and must stay it over a death of the channel server. Blocks for `duration` and some
// seconds. Throws Failure if something that is not under test does not work.
ChaosReport RunChaos(const ChaosOptions& options);

}  // namespace groupcast::tests

#endif  // GROUPCAST_TESTS_FAULTS_CHAOS_H_
