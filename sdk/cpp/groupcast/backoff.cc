#include "groupcast/backoff.h"

#include <algorithm>
#include <utility>

namespace groupcast {

Backoff::Backoff(absl::Duration base, absl::Duration cap, std::function<double()> random)
    : base_(base), cap_(cap), random_(std::move(random)), ceiling_(base) {}

absl::Duration Backoff::Next() {
  const absl::Duration delay = ceiling_ * random_();
  ceiling_ = std::min(cap_, ceiling_ * 2);
  return delay;
}

void Backoff::Reset() { ceiling_ = base_; }

}  // namespace groupcast
