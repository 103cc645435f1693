#ifndef GROUPCAST_TOOLS_BENCH_LOAD_LATENCY_HISTOGRAM_H_
#define GROUPCAST_TOOLS_BENCH_LOAD_LATENCY_HISTOGRAM_H_

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"

namespace groupcast::bench {

// Durations of any length in fixed buckets. Each power of two has 64 buckets, so the output is at
// most 1/64 above the input. One record takes a few nanoseconds and no memory.
class LatencyHistogram {
 public:
  // A negative duration counts as zero.
  void Record(int64_t ns) {
    ++buckets_[Bucket(static_cast<uint64_t>(ns < 0 ? 0 : ns))];
    ++count_;
  }

  // Adds all records of the other histogram.
  void Add(const LatencyHistogram& other) {
    for (size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
    count_ += other.count_;
  }

  int64_t count() const { return count_; }

  // The duration that `percent` (0 to 100) of the records do not exceed: the upper end of its
  // bucket. Zero if there are no records.
  absl::Duration Percentile(double percent) const;

 private:
  static constexpr int kStepBits = 6;  // 64 buckets for each power of two
  static constexpr uint64_t kSteps = 1 << kStepBits;

  // The first 64 buckets hold one value each. Each later power of two shifts by one bit more.
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
