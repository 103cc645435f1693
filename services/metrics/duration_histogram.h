#ifndef GROUPCAST_SERVICES_METRICS_DURATION_HISTOGRAM_H_
#define GROUPCAST_SERVICES_METRICS_DURATION_HISTOGRAM_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace groupcast::service {

// Counts durations in buckets, in microseconds. It is for the loop that measures them: an
// observation is a search in a few numbers. Not thread-safe.
class DurationHistogram {
 public:
  // The upper bounds of the buckets, in microseconds, in ascending order.
  explicit DurationHistogram(absl::Span<const int64_t> bounds_us)
      : bounds_us_(bounds_us.begin(), bounds_us.end()), counts_(bounds_us.size() + 1) {}

  // A negative duration (of clocks that differ) counts as zero.
  void Observe(int64_t us) {
    us = std::max<int64_t>(us, 0);
    ++counts_[static_cast<size_t>(std::lower_bound(bounds_us_.begin(), bounds_us_.end(), us) -
                                  bounds_us_.begin())];
    sum_us_ += static_cast<uint64_t>(us);
  }

  const std::vector<int64_t>& bounds_us() const { return bounds_us_; }
  // One number for each bound, and one for the durations above all. They are not cumulative.
  const std::vector<uint64_t>& counts() const { return counts_; }
  uint64_t sum_us() const { return sum_us_; }

 private:
  const std::vector<int64_t> bounds_us_;
  std::vector<uint64_t> counts_;
  uint64_t sum_us_ = 0;
};

// For the work of one turn of an event loop, and for one write to a disk: 50 us to 5 s.
inline constexpr int64_t kWorkBoundsUs[] = {50,      100,     250,     500,       1'000,
                                            2'500,   5'000,   10'000,  25'000,    50'000,
                                            100'000, 250'000, 500'000, 1'000'000, 5'000'000};
// For the way of a message: 1 ms to 10 s.
inline constexpr int64_t kLatencyBoundsUs[] = {1'000,     2'000,     5'000,     10'000,  20'000,
                                               50'000,    100'000,   200'000,   500'000, 1'000'000,
                                               2'000'000, 5'000'000, 10'000'000};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_METRICS_DURATION_HISTOGRAM_H_
