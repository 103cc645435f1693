#ifndef GROUPCAST_TOOLS_BENCH_LOAD_LATENCY_HISTOGRAM_H_
#define GROUPCAST_TOOLS_BENCH_LOAD_LATENCY_HISTOGRAM_H_

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"

namespace groupcast::bench {

// Durations of any length in fixed buckets: each power of two is cut into 64, so that what comes
// out is at most 1/64 above what went in. To record costs a few nanoseconds and no memory.
class LatencyHistogram {
 public:
  // Below zero counts as zero.
  void Record(int64_t ns) {
    ++buckets_[Bucket(static_cast<uint64_t>(ns < 0 ? 0 : ns))];
    ++count_;
  }

  // As if all that the other has had been recorded here too.
  void Add(const LatencyHistogram& other) {
    for (size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
    count_ += other.count_;
  }

  int64_t count() const { return count_; }

  // The duration that so many percent (0 to 100) do not exceed: the upper end of its bucket. Zero
  // if nothing was recorded.
  absl::Duration Percentile(double percent) const;

 private:
  static constexpr int kStepBits = 6;  // of 64 buckets for a power of two
  static constexpr uint64_t kSteps = 1 << kStepBits;

  // The first 64 buckets hold one value each; after that, `shift` more for each next power of two.
  static size_t Bucket(uint64_t value) {
    if (value < kSteps) return value;
    const int shift = std::bit_width(value) - kStepBits - 1;
    return (static_cast<size_t>(shift) << kStepBits) + (value >> shift);
  }
  static uint64_t BucketEnd(size_t bucket);  // the greatest value in it

  std::array<int64_t, (64 - kStepBits + 1) << kStepBits> buckets_{};
  int64_t count_ = 0;
};

}  // namespace groupcast::bench

#endif  // GROUPCAST_TOOLS_BENCH_LOAD_LATENCY_HISTOGRAM_H_
