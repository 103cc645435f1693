#ifndef GROUPCAST_SERVICES_GROUPS_INPUT_SHARE_H_
#define GROUPCAST_SERVICES_GROUPS_INPUT_SHARE_H_

#include <cstddef>

#include "absl/time/time.h"
#include "services/common/token_bucket.h"

namespace groupcast::service {

// The input of a connection against its share: 64 KiB a second, and 128 KiB at once after a pause.
// It limits nothing. But where connections wait, those beyond their share let the others go first.
// So one who sends little does not wait behind thousands who send as much as they can.
class InputShare {
 public:
  // `bytes` have come. `now` is of a monotonic clock.
  void Count(size_t bytes, absl::Time now) {
    constexpr TokenRate kShare = {.per_second = 64 << 10, .burst = 128 << 10};
    bucket_.Take(static_cast<double>(bytes), kShare, now);
    is_exceeded_ = bucket_.Available(kShare, now) < 0;
  }
  // Whether the connection was beyond its share when the last bytes came.
  bool is_exceeded() const { return is_exceeded_; }

 private:
  TokenBucket bucket_;
  bool is_exceeded_ = false;
};

// A queue for those within their share and one for those beyond it. In its order, eight of the
// first may overtake one of the second, so nobody starves.
template <typename Queue>
class ShareOrder {
 public:
  Queue& queue(bool beyond) { return beyond ? beyond_ : within_; }
  // Whether one that comes now must wait behind others.
  bool HasBefore(bool beyond) const { return !within_.empty() || (beyond && !beyond_.empty()); }
  bool empty() const { return within_.empty() && beyond_.empty(); }

  // The queue whose front is next. Null: both are empty.
  Queue* Next() {
    if (beyond_.empty()) return within_.empty() ? nullptr : &within_;
    return within_.empty() || overtaken_ >= kOvertakenMax ? &beyond_ : &within_;
  }
  // The front of `queue`, which is one of both, is about to be taken.
  void OnTake(const Queue* queue) {
    overtaken_ = queue == &within_ && !beyond_.empty() ? overtaken_ + 1 : 0;
  }

 private:
  static constexpr int kOvertakenMax = 8;

  Queue within_;
  Queue beyond_;
  int overtaken_ = 0;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_GROUPS_INPUT_SHARE_H_
