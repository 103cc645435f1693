#ifndef GROUPCAST_TESTS_FAULTS_RETURN_CLOCK_H_
#define GROUPCAST_TESTS_FAULTS_RETURN_CLOCK_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace groupcast::tests {

// How long it takes from each start of the channel server until messages come again. Thread-safe.
class ReturnClock {
 public:
  void Start() { since_us_ = absl::ToUnixMicros(absl::Now()); }
  bool running() const { return since_us_ != 0; }

  void Delivered(int64_t sent_us) {
    int64_t since = since_us_.load(std::memory_order_relaxed);
    if (since == 0 || sent_us <= since || !since_us_.compare_exchange_strong(since, 0)) return;
    const std::lock_guard lock(mutex_);
    times_.push_back(absl::Now() - absl::FromUnixMicros(since));
  }

  // In ascending order.
  std::vector<absl::Duration> Times() const {
    const std::lock_guard lock(mutex_);
    std::vector<absl::Duration> times = times_;
    std::sort(times.begin(), times.end());
    return times;
  }

 private:
  std::atomic<int64_t> since_us_ = 0;  // 0: none is waited for
  mutable std::mutex mutex_;
  std::vector<absl::Duration> times_;
};

}  // namespace groupcast::tests

#endif  // GROUPCAST_TESTS_FAULTS_RETURN_CLOCK_H_
