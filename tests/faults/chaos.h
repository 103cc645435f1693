#ifndef GROUPCAST_TESTS_FAULTS_CHAOS_H_
#define GROUPCAST_TESTS_FAULTS_CHAOS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tests/faults/ledger.h"
#include "tests/faults/member_watcher.h"

namespace groupcast::tests {

struct ChaosOptions {
  absl::Duration duration = absl::Seconds(60);  // the time in which faults happen
  int clients = 200;                            // at least 1; each is in one or two groups
  int groups = 20;                              // at least 2
  int workers = 4;
  int watchers = 4;  // members of the first group that watch its members
  // Sends per second, by all clients together. Sends that are not possible at once wait and follow.
  int rate = 2'000;
  // The average time between two faults.
  absl::Duration fault_interval = absl::Milliseconds(700);
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

enum class Fault {
  kKillWorker,  // SIGKILL; the supervisor starts another
  kStopWorker,  // SIGSTOP, and SIGCONT after up to 5 s
  kKillServer,  // SIGKILL of the channel server, and a new start within 2 s
  kStopServer,  // SIGSTOP of it, and SIGCONT after up to 5 s
  kCutLink,     // a connection between a worker and the channel server is closed
  kResetLink,   // the same with a RST
  kStallLink,   // its bytes stop for up to 5 s
  kCutClient,   // a client's connection is closed or reset
  kReload,      // SIGHUP of the WebSocket service: each worker drains and has a successor
};
inline constexpr size_t kFaultKinds = 9;

struct ChaosReport {
  uint64_t seed = 0;
  absl::Duration duration;
  Ledger::Counts counts;
  std::array<int64_t, kFaultKinds> faults = {};  // by Fault
  int64_t crashes = 0;                           // processes that ended without a SIGKILL
  int64_t rejoins = 0;                           // memberships that ended and began again
  // The times from each start of the channel server to the first delivery, to any client, of a
  // message that was sent after it. In ascending order.
  std::vector<absl::Duration> returns;
  // Every send was answered and every member received every message, within the time limit.
  bool settled = false;
  MemberWatcher::Counts presence;  // of all watchers
  // What contradicted a watcher's view, and views that were not the truth in the end.
  int64_t presence_findings = 0;
  // The first problems, in words.
  std::vector<std::string> findings;

  int64_t FaultsInAll() const;
  bool Passed() const {
    return settled && crashes == 0 && counts.Clean() && presence_findings == 0;
  }
  // The whole report, in several lines.
  std::string Text() const;
  // The main results, in one line.
  std::string Line() const;
};

// Runs the channel server with a data directory, and the WebSocket service, both behind proxies.
// The clients send to each other while the faults of Fault happen. Then it waits until every
// message has arrived, and judges. In the end every view of members must be the truth, and must
// stay it over a death of the channel server. Blocks for `duration` and some seconds. Throws
// Failure if something that is not under test does not work.
ChaosReport RunChaos(const ChaosOptions& options);

}  // namespace groupcast::tests

#endif  // GROUPCAST_TESTS_FAULTS_CHAOS_H_
