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

// The load of a run. All groups are alike. The first connections are the members of the first
// groups_per_connection groups, the next connections those of the next groups, and so on. Messages
// go to the groups in turn, and within a group its senders take turns.
struct Scenario {
  // The time of the next message.
  enum class Pace {
    kAllHaveIt,  // as soon as all members have an earlier one; in_flight are under way
    kOwnCame,    // by each sender, as soon as its own last one has come back
    kRate,       // per_second, whether or not earlier ones arrive
  };

  // What messages consist of.
  enum class Filling {
    kLetter,   // one letter, again and again
    kWords,    // words, which compress as text does
    kRecords,  // records, which compress as JSON does
  };

  // The load beside the measured one. It has connections of its own, which are numbered after the
  // load's and are in groups of their own: beside_connections of them in beside_groups groups. Only
  // kStall affects the load's own connections.
  enum class Beside {
    kNothing,
    kJoins,      // beside_per_second times, a connection leaves its group for the next one
    kComeAndGo,  // beside_per_second times, a connection leaves its group, and another one that
                 // left it before joins it again. One in ten is out of it
    kChurn,      // beside_per_second times, a connection closes and connects again
    kStall,      // beside_connections last members of the load's first group stop reading
    kIdleCrowd,  // idle connections, in processes of their own
    kBusyCrowd,  // the same, all in one group: it gets a message when all have the last one
  };

  std::string name;
  std::string about;  // one line for human readers
  Pace pace = Pace::kAllHaveIt;
  uint32_t connections = 2;
  uint32_t groups_per_connection = 1;
  uint32_t groups = 1;             // a multiple of groups_per_connection; see members_per_group
  uint32_t senders_per_group = 1;  // the first members of each
  uint32_t in_flight = 1;          // for kAllHaveIt
  double per_second = 0;           // for kRate
  size_t message_bytes = 128;      // at least kStampBytes
  Filling filling = Filling::kLetter;
  bool weighs = false;  // it measures memory; such a run has no floor
  // The contestant with the lowest possible cost; empty: no contestant is the floor of this
  // scenario.
  std::string floor = "raw";
  Beside beside = Beside::kNothing;
  uint32_t beside_connections = 0;
  uint32_t beside_groups = 1;
  double beside_per_second = 0;
  // Of kComeAndGo: the last beside_connections that watch the members of their group, and stay.
  uint32_t beside_watchers = 0;
  std::vector<std::string> against;  // scenarios with which the report compares this one
  // The shortest measured part, if the scenario needs more time than others.
  absl::Duration measured_min = absl::ZeroDuration();
  bool only_when_named = false;  // it takes too long for daily use

  // Whether the connection is one of kStall's. Its copies are checked, but do not count as
  // deliveries.
  bool Stalls(uint32_t connection) const {
    return beside == Beside::kStall && connection < members_per_group() &&
           connection >= members_per_group() - beside_connections;
  }
  bool has_crowd() const { return beside == Beside::kIdleCrowd || beside == Beside::kBusyCrowd; }
  uint32_t all_connections() const {
    return connections + (beside == Beside::kStall ? 0 : beside_connections);
  }
  // The number of workers that the server needs. On many machines a process has at most 20,000
  // descriptors. Some stay free, because connections are not spread evenly.
  uint32_t workers_min() const { return 1 + (all_connections() - 1) / 17'000; }
  // `place` counts the connections beside the load from 0.
  Group BesideGroupOf(uint32_t place) const { return Group{groups + place % beside_groups}; }
  // A whole number, because `groups` divides the memberships.
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

// The server to measure.
struct Target {
  uint16_t port = 0;
  const Dialect* dialect = nullptr;
  std::vector<pid_t> processes;  // the roots of all processes of the server
};

struct RunOptions {
  absl::Duration warm_up = absl::Milliseconds(500);
  absl::Duration measured = absl::Seconds(3);
  // The time for which the run waits for a missing message.
  absl::Duration patience = absl::Seconds(2);
};

// The results of the load beside, in the measured part.
struct BesideResult {
  int64_t done = 0;          // moves to another group, new connections, or copies to a crowd
  LatencyHistogram latency;  // from the time it was due, connected or sent
  int64_t undone = 0;        // actions that fell due while their connection was still busy
  int64_t told = 0;          // connections that the server closed as expected, with a
  int64_t cut = 0;           // close frame, or without
};

struct RunResult {
  // For the whole run, including the warm-up.
  DeliveryCheck::Counts counts;
  int64_t sent = 0;
  int64_t unanswered = 0;  // messages that the run stopped waiting for, to send others
  int64_t closed = 0;      // connections that the server closed unexpectedly

  absl::Duration opening;  // to connect and join all
  int64_t pss_bare = 0;    // bytes, of the server's processes: without connections
  int64_t pss_joined = 0;  // with all of them
  // The sum of the processes' maximum memory, in bytes: until all have joined, and until the end.
  // Shared memory counts for each process.
  int64_t peak_joined = 0;
  int64_t peak = 0;

  // For the measured part. It ends when the last message that was sent in it has arrived.
  int64_t deliveries = 0;
  int64_t received_bytes = 0;  // by the members' connections, with frame headers and TLS
  absl::Duration wall;
  absl::Duration server_cpu;
  absl::Duration client_cpu;
  LatencyHistogram latency;  // from the send to each copy
  BesideResult beside;
};

// Performs one run in this process. An error: the server refuses something, or does not answer.
absl::StatusOr<RunResult> RunScenario(const Scenario& scenario, const Target& target,
                                      const RunOptions& options);

}  // namespace groupcast::bench

#endif  // GROUPCAST_TOOLS_BENCH_LOAD_SCENARIO_H_
