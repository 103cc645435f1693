#ifndef SDK_CPP_GROUPCAST_BACKOFF_H_
#define SDK_CPP_GROUPCAST_BACKOFF_H_

#include <functional>

#include "absl/time/time.h"

namespace groupcast {

// Exponential backoff with full jitter: the n-th delay in a row (from 0) is drawn evenly from
// [0, min(cap, base * 2^n)). A thousand clients who lose the same server so come back evenly
// spread, rather than all in the same moments.
//
// Not thread-safe.
class Backoff {
 public:
  // `random` draws from [0, 1). Requires 0 < base <= cap.
  Backoff(absl::Duration base, absl::Duration cap, std::function<double()> random);

  // The delay before the next attempt.
  absl::Duration Next();

  // Begins again at `base`. Call it when an attempt has worked.
  void Reset();

 private:
  const absl::Duration base_;
  const absl::Duration cap_;
  const std::function<double()> random_;
  absl::Duration ceiling_;
};

}  // namespace groupcast

#endif  // SDK_CPP_GROUPCAST_BACKOFF_H_
