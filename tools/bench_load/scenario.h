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
// first groups_per_connection groups, the next ones those of the next groups, and so on. Messages
// go to the groups in turn, and within a group its senders take turns.
struct Scenario {
  // When the next message is sent.
  enum class Pace {
    kAllHaveIt,  // as soon as all members have an earlier one: in_flight are under way
    kOwnCame,    // by each sender, as soon as its own last one has come to itself
    kRate,       // per_second, whatever comes of them
  };

  // What else goes on. It is done by connections of its own, which are numbered after the load's
  // and are in groups of their own, beside_connections and beside_groups of them; only kStall does
  // something to the load's.
  enum class Beside {
    kNothing,
    kJoins,      // beside_per_second times a connection leaves its group for the next
    kChurn,      // beside_per_second times a connection closes, and comes again
    kStall,      // the last members of the load's first group, so many, stop to read
    kIdleCrowd,  // they are there, in processes of their own
    kBusyCrowd,  // the same, and all are in one group: a message to it when all have the last one
  };

  std::string name;
  std::string about;  // one line for people
  Pace pace = Pace::kAllHaveIt;
  uint32_t connections = 2;
  uint32_t groups_per_connection = 1;
  uint32_t groups = 1;             // a multiple of groups_per_connection; see members_per_group
  uint32_t senders_per_group = 1;  // the first members of each
  uint32_t in_flight = 1;          // of kAllHaveIt
  double per_second = 0;           // of kRate
  size_t message_bytes = 128;      // at least kStampBytes
  bool weighs = false;             // it is about memory; such a run has no floor
  // The contestant that costs what it costs at least; empty: none has this scenario in it.
  std::string floor = "raw";
  Beside beside = Beside::kNothing;
  uint32_t beside_connections = 0;
  uint32_t beside_groups = 1;
  double beside_per_second = 0;
  // What it is about needs so much time, if more than others have.
  absl::Duration measured_min = absl::ZeroDuration();
  bool only_when_named = false;  // it takes too long for every day

  // Whether it is one of those of kStall. Its copies are checked, but not counted as deliveries.
  bool Stalls(uint32_t connection) const {
    return beside == Beside::kStall && connection < members_per_group() &&
           connection >= members_per_group() - beside_connections;
  }
  bool has_crowd() const { return beside == Beside::kIdleCrowd || beside == Beside::kBusyCrowd; }
  uint32_t all_connections() const {
    return connections + (beside == Beside::kStall ? 0 : beside_connections);
  }
  // A process has 20,000 descriptors at most, on many machines: so many workers are needed, with
  // some room, as connections are not spread evenly.
  uint32_t workers_min() const { return 1 + (all_connections() - 1) / 17'000; }
  // `place` counts the connections beside the load from 0.
  Group BesideGroupOf(uint32_t place) const { return Group{groups + place % beside_groups}; }
  // Whole: `groups` divides the memberships.
  uint32_t members_per_group() const {
    return static_cast<uint32_t>(uint64_t{connections} * groups_per_connection / groups);
  }
  // The members of a group are the connections from this one on.
  uint32_t FirstMemberOf(uint32_t group) const {
    return group / groups_per_connection * members_per_group();
  }
  // The groups of a connection are groups_per_connection ones from this one on.
  uint32_t FirstGroupOf(uint32_t connection) const {
    return connection / members_per_group() * groups_per_connection;
  }
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

// What became of what goes on beside the load, in the measured part.
struct BesideResult {
  int64_t done = 0;          // moves to another group, connections that came, or copies to a crowd
  LatencyHistogram latency;  // from when it was due, connected or sent
  int64_t undone = 0;        // what was due while the connection was still busy with the last one
  int64_t told = 0;          // connections that the server closed, as was to be expected, with a
  int64_t cut = 0;           // close frame, or without
};

struct RunResult {
  // Of the whole run, the warm-up included.
  DeliveryCheck::Counts counts;
  int64_t sent = 0;
  int64_t unanswered = 0;  // messages that were no longer waited for, so that others could be sent
  int64_t closed = 0;      // connections that the server has closed, as was not to be expected

  absl::Duration opening;  // to connect and join all
  int64_t pss_bare = 0;    // bytes, of the server's processes: with no connection
  int64_t pss_joined = 0;  // with all of them
  // The most that the processes had, each at its worst moment: until all had joined, and until the
  // end. Bytes; what processes share counts for each.
  int64_t peak_joined = 0;
  int64_t peak = 0;

  // Of the measured part, which ends when the last message that was sent in it has come.
  int64_t deliveries = 0;
  absl::Duration wall;
  absl::Duration server_cpu;
  absl::Duration client_cpu;
  LatencyHistogram latency;  // from the send to each copy
  BesideResult beside;
};

// One run, in this process. An error: the server refuses something, or does not answer.
absl::StatusOr<RunResult> RunScenario(const Scenario& scenario, const Target& target,
                                      const RunOptions& options);

}  // namespace groupcast::bench

#endif  // GROUPCAST_TOOLS_BENCH_LOAD_SCENARIO_H_
