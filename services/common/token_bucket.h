#ifndef GROUPCAST_SERVICES_COMMON_TOKEN_BUCKET_H_
#define GROUPCAST_SERVICES_COMMON_TOKEN_BUCKET_H_

#include <algorithm>
#include <cstdint>

#include "absl/time/time.h"

namespace groupcast::service {

// A bucket with room for `burst` tokens, into which `per_second` tokens come each second.
struct TokenRate {
  double per_second = 0;
  double burst = 0;
};

// A token bucket. It is full at first. It needs no timer, and 8 bytes. The caller keeps the rate,
// which may change. `now` is of a monotonic clock.
class TokenBucket {
 public:
  // The tokens that are there; below zero after a debt.
  double Available(const TokenRate& rate, absl::Time now) const {
    const int64_t missing_ns = std::max<int64_t>(0, full_at_ns_ - absl::ToUnixNanos(now));
    // In this order, the last token of a burst is not lost to rounding.
    return rate.burst - static_cast<double>(missing_ns) * rate.per_second / 1e9;
  }

  // Whether it has all tokens that it can hold.
  bool IsFull(absl::Time now) const { return full_at_ns_ <= absl::ToUnixNanos(now); }

  // Takes tokens, also those that are not there: they are a debt. `rate.per_second` must be above
  // zero.
  void Take(double tokens, const TokenRate& rate, absl::Time now) {
    const auto cost_ns = static_cast<int64_t>(tokens * 1e9 / rate.per_second);
    full_at_ns_ = std::max(full_at_ns_, absl::ToUnixNanos(now)) + cost_ns;
  }

 private:
  int64_t full_at_ns_ = 0;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_COMMON_TOKEN_BUCKET_H_
