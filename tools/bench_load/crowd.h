#ifndef GROUPCAST_TOOLS_BENCH_LOAD_CROWD_H_
#define GROUPCAST_TOOLS_BENCH_LOAD_CROWD_H_

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tools/bench_load/delivery_check.h"
#include "tools/bench_load/dialect.h"
#include "tools/bench_load/latency_histogram.h"

namespace groupcast::bench {

// More connections than one process may have descriptors. They are members that only read, in
// processes forked from this one. They check messages as the load does, and report their counts
// through shared memory.
//
// Start it before this process has threads or connections, because the new processes would inherit
// them. Not thread-safe.
class Crowd {
 public:
  struct Options {
    uint16_t port = 0;
    const Dialect* dialect = nullptr;  // outlives it
    uint32_t connections = 1;
    uint32_t connections_per_process = 18'000;        // with some room below 20,000, a usual limit
    uint32_t first_number = 0;                        // as in the swarm
    std::function<Group(uint32_t connection)> group;  // the one group of each connection, from 0
    // The stream of the messages to the group of all. Nothing else may arrive.
    uint32_t stream = 0;
    absl::Duration patience = absl::Seconds(180);  // until all have joined
  };

  // Opens all connections, and waits until they have joined.
  static absl::StatusOr<std::unique_ptr<Crowd>> Start(const Options& options);
  // Ends the processes and their connections.
  ~Crowd();
  Crowd(const Crowd&) = delete;
  Crowd& operator=(const Crowd&) = delete;

  // The sequence of the next message to all. Call it before sending the message.
  uint32_t Send();

  // From now on `deliveries` counts the copies, until the end.
  void Measure();

  // The number of copies that were new to their members.
  int64_t Has() const;

  // An error: one of the processes failed, or the server closed one of its connections.
  absl::Status status() const;

  struct Result {
    DeliveryCheck::Counts counts;
    int64_t deliveries = 0;
    LatencyHistogram latency;  // of the deliveries, from the send to each copy
  };
  // Ends the processes and counts as if nothing more would arrive.
  absl::StatusOr<Result> Finish();

  const std::vector<pid_t>& processes() const { return processes_; }

 private:
  struct Shared;
  class Reader;

  explicit Crowd(const Options& options);
  absl::Status Fork();
  absl::Status WaitUntilJoined();

  const Options options_;
  const uint32_t process_count_;
  Shared* shared_ = nullptr;  // one, followed by one part for each process
  std::vector<pid_t> processes_;
};

}  // namespace groupcast::bench

#endif  // GROUPCAST_TOOLS_BENCH_LOAD_CROWD_H_
