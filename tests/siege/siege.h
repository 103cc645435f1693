#ifndef GROUPCAST_TESTS_SIEGE_SIEGE_H_
#define GROUPCAST_TESTS_SIEGE_SIEGE_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tests/siege/attacks.h"
#include "tests/siege/honest_crowd.h"

namespace groupcast::tests {

struct SiegeOptions {
  absl::Duration quiet = absl::Seconds(10);     // honest clients alone
  absl::Duration duration = absl::Seconds(30);  // with the attacks
  int workers = 2;
  int honest_clients = 100;  // a multiple of HonestCrowd::kMembers
  // The service speaks TLS, and so do all clients, honest ones and attackers.
  bool tls = false;
  AttackSizes attacks;
  // The honest clients' p99 under attack may be this multiple of the quiet one. 0: no limit.
  double p99_ratio_max = 5;
  // The memory of the services may grow by this under attack. 0: no limit.
  int64_t memory_more_max_bytes = 0;
  // Within this time after the attackers have left, memory is back.
  absl::Duration memory_patience = absl::Seconds(60);
  // Additional flags of the services.
  std::vector<std::string> server_flags;   // channel_server
  std::vector<std::string> service_flags;  // websocket_service
  // Called with a line about the progress; may be empty.
  std::function<void(const std::string& line)> progress;
};

// Memory of the services' processes (proportional set size), and of TCP in the whole system.
struct SiegeMemory {
  int64_t processes_bytes = 0;
  int64_t tcp_bytes = 0;
};

struct SiegeReport {
  HonestCrowd::Counts honest;
  bool settled = false;  // each honest send was answered and delivered in the end
  int64_t returns = 0;
  int64_t return_losses = 0;
  absl::Duration quiet_p50, quiet_p99, siege_p50, siege_p99;
  std::string attacks;                // AttackCounts::Text
  int64_t refusals = 0;               // error events that attackers got
  bool each_attack_happened = false;  // otherwise the run shows nothing
  SiegeMemory before, peak, after;
  absl::Duration memory_back_after;  // InfiniteDuration: not in time
  int64_t workers_replaced = 0;
  double p99_ratio_max = 0;
  int64_t memory_more_max_bytes = 0;

  double p99_ratio() const { return absl::FDivDuration(siege_p99, quiet_p99); }
  // The promises that did not hold, in words.
  std::vector<std::string> Findings() const;
  bool Passed() const { return Findings().empty(); }
  // The whole report, in several lines.
  std::string Text() const;
  // The main results, in one line.
  std::string Line() const;
};

// Runs a channel server and a WebSocket service, honest clients, and, after a quiet time, all
// attacks at once. The attackers are another process, with a low priority, so that they take no
// CPU time from the services. Then it waits until the memory is back. Throws Failure if something
// that is not under test does not work.
SiegeReport RunSiege(const SiegeOptions& options);

}  // namespace groupcast::tests

#endif  // GROUPCAST_TESTS_SIEGE_SIEGE_H_
