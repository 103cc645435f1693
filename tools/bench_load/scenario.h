#ifndef GROUPCAST_TOOLS_BENCH_LOAD_SCENARIO_H_
#define GROUPCAST_TOOLS_BENCH_LOAD_SCENARIO_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tools/bench_load/delivery_check.h"
#include "tools/bench_load/dialect.h"
#include "tools/bench_load/latency_histogram.h"

namespace groupcast::bench {

// What clients do to a server. All groups are alike: the first connections are the members of the
// first group, and so on. Messages go to the groups in turn, and within a group its senders take
// turns.
struct Scenario {
  // When the next message is sent.
  enum class Pace {
    kAllHaveIt,  // as soon as all members have an earlier one: in_flight are under way
    kOwnCame,    // by each sender, as soon as its own last one has come to itself
    kRate,       // per_second, whatever comes of them
  };

  std::string name;
  std::string about;  // one line for people
  Pace pace = Pace::kAllHaveIt;
  uint32_t connections = 2;
  uint32_t groups = 1;             // divides `connections`
  uint32_t senders_per_group = 1;  // the first members of each
  uint32_t in_flight = 1;          // of kAllHaveIt
  double per_second = 0;           // of kRate
  size_t message_bytes = 128;      // at least kStampBytes
  bool weighs = false;             // it is about memory; such a run has no floor
  std::string floor = "raw";       // the contestant that costs what it costs at least

  uint32_t members_per_group() const { return connections / groups; }
};

// What is measured.
struct Target {
  uint16_t port = 0;
  const Dialect* dialect = nullptr;
  std::vector<pid_t> processes;  // the roots of all that belongs to the server
};

struct RunOptions {
  absl::Duration warm_up = absl::Milliseconds(500);
  absl::Duration measured = absl::Seconds(3);
  // How long a message is waited for that does not come.
  absl::Duration patience = absl::Seconds(2);
};

struct RunResult {
  // Of the whole run, the warm-up included.
  DeliveryCheck::Counts counts;
  int64_t sent = 0;
  int64_t unanswered = 0;  // messages that were no longer waited for, so that others could be sent
  uint32_t closed = 0;     // connections that the server has closed

  absl::Duration opening;  // to connect and join all
  int64_t pss_bare = 0;    // bytes, of the server's processes: with no connection
  int64_t pss_joined = 0;  // with all of them

  // Of the measured part, which ends when the last message that was sent in it has come.
  int64_t deliveries = 0;
  absl::Duration wall;
  absl::Duration server_cpu;
  absl::Duration client_cpu;
  LatencyHistogram latency;  // from the send to each copy
};

// One run, in this process. An error: the server refuses something, or does not answer.
absl::StatusOr<RunResult> RunScenario(const Scenario& scenario, const Target& target,
                                      const RunOptions& options);

}  // namespace groupcast::bench

#endif  // GROUPCAST_TOOLS_BENCH_LOAD_SCENARIO_H_
