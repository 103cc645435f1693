#include "tools/bench_load/latency_histogram.h"

#include <algorithm>
#include <cmath>

namespace groupcast::bench {

uint64_t LatencyHistogram::BucketEnd(size_t bucket) {
  if (bucket < 2 * kSteps) return bucket;
  const size_t shift = bucket / kSteps - 1;
  return ((bucket - (shift << kStepBits) + 1) << shift) - 1;
}

absl::Duration LatencyHistogram::Percentile(double percent) const {
  const auto rank = std::max<int64_t>(
      1, static_cast<int64_t>(std::ceil(percent / 100 * static_cast<double>(count_))));
  int64_t seen = 0;
  for (size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    seen += buckets_[bucket];
    if (seen >= rank) return absl::Nanoseconds(static_cast<int64_t>(BucketEnd(bucket)));
  }
  return absl::ZeroDuration();
}

}  // namespace groupcast::bench
