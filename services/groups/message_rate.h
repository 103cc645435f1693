#ifndef GROUPCAST_SERVICES_GROUPS_MESSAGE_RATE_H_
#define GROUPCAST_SERVICES_GROUPS_MESSAGE_RATE_H_

#include <cstdint>

#include "absl/time/time.h"

namespace groupcast::service {

// The windows in which a worker counts the messages of its groups. The worker sets the time on each
// tick, so that no message asks the clock.
class RateWindows {
 public:
  static constexpr absl::Duration kLength = absl::Seconds(5);

  // `now` is of a monotonic clock.
  void SetTime(absl::Time now) {
    const int64_t length = absl::ToInt64Nanoseconds(kLength);
    const int64_t at = absl::ToUnixNanos(now);
    present_ = static_cast<uint32_t>(at / length);
    passed_ = static_cast<double>(at % length) / static_cast<double>(length);
  }

  uint32_t present() const { return present_; }
  // The part of the present window that has passed, from 0 to 1.
  double passed() const { return passed_; }

 private:
  uint32_t present_ = 0;
  double passed_ = 0;
};

// How many messages a group has had of late: 12 bytes, and a comparison for each message.
class MessageRate {
 public:
  void Count(const RateWindows& windows) {
    if (window_ != windows.present()) {
      before_ = window_ + 1 == windows.present() ? count_ : 0;
      count_ = 0;
      window_ = windows.present();
    }
    ++count_;
  }

  // The messages of the last window length: those of the present window, and a part of those of the
  // window before it.
  double PerSecond(const RateWindows& windows) const {
    double messages = 0;
    if (window_ == windows.present()) {
      messages = count_ + before_ * (1 - windows.passed());
    } else if (window_ + 1 == windows.present()) {
      messages = count_ * (1 - windows.passed());
    }
    return messages / absl::ToDoubleSeconds(RateWindows::kLength);
  }

 private:
  uint32_t window_ = 0;
  uint32_t count_ = 0;   // in that window
  uint32_t before_ = 0;  // in the window before it
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_GROUPS_MESSAGE_RATE_H_
