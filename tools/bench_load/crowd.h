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

// More connections than one process may have descriptors for: members that only read, in processes
// of their own, forked from this one. They check what comes as the load does, and tell what they
// have counted through memory that all of them share.
//
// Start it before there are threads or connections, which the processes would inherit. Not
// thread-safe.
class Crowd {
 public:
  struct Options {
    uint16_t port = 0;
    const Dialect* dialect = nullptr;  // outlives it
    uint32_t connections = 1;
    uint32_t connections_per_process = 18'000;        // with some room below 20,000, a usual limit
    uint32_t first_number = 0;                        // as the swarm's
    std::function<Group(uint32_t connection)> group;  // each is in one; connections from 0
    // What is sent to the group of all is this stream, and nothing else may come.
    uint32_t stream = 0;
    absl::Duration patience = absl::Seconds(180);  // for all to have joined
  };

  // Opens all connections, and waits until they have joined.
  static absl::StatusOr<std::unique_ptr<Crowd>> Start(const Options& options);
  // Ends the processes, with their connections.
  ~Crowd();
  Crowd(const Crowd&) = delete;
  Crowd& operator=(const Crowd&) = delete;

  // The sequence of the next message to all, to be called before it is sent.
  uint32_t Send();

  // From now on copies are counted in `deliveries`, until the end.
  void Measure();

  // Copies that have come to members that had them not yet.
  int64_t Has() const;

  // An error: one of the processes has failed, or its server has closed a connection.
  absl::Status status() const;

  struct Result {
    DeliveryCheck::Counts counts;
    int64_t deliveries = 0;
    LatencyHistogram latency;  // of those, from the send to each copy
  };
  // Ends the processes, as if nothing more would come.
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
  Shared* shared_ = nullptr;  // one, and behind it as many parts as there are processes
  std::vector<pid_t> processes_;
};

}  // namespace groupcast::bench

#endif  // GROUPCAST_TOOLS_BENCH_LOAD_CROWD_H_
