#ifndef SDK_CPP_GROUPCAST_BACKOFF_H_
#define SDK_CPP_GROUPCAST_BACKOFF_H_

#include <functional>

#include "absl/time/time.h"

namespace groupcast {

// Exponential backoff with full jitter. The n-th delay in a row (from 0) is random, evenly from [0,
// min(cap, base * 2^n)). So a thousand clients that lose one server come back evenly spread, and
// not all in the same moments.
//
// Not thread-safe.
class Backoff {
 public:
  // `random` draws from [0, 1). Requires 0 < base <= cap.
  Backoff(absl::Duration base, absl::Duration cap, std::function<double()> random);

  // The delay before the next attempt.
  absl::Duration Next();

  // Begins again at `base`. Call it after a successful attempt.
  void Reset();

 private:
  const absl::Duration base_;
  const absl::Duration cap_;
  const std::function<double()> random_;
  absl::Duration ceiling_;
};

}  // namespace groupcast

#endif  // SDK_CPP_GROUPCAST_BACKOFF_H_
