#ifndef GROUPCAST_SERVICES_COMMON_CLOCK_H_
#define GROUPCAST_SERVICES_COMMON_CLOCK_H_

#include <ctime>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace groupcast::service {

// The source of time for the logic. Unless a comment says otherwise, the time is monotonic. It
// never runs backwards, and its distance to the calendar is unknown. Use it for ages and deadlines,
// but not for values that leave the process.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() const = 0;
};

class MonotonicClock final : public Clock {
 public:
  absl::Time Now() const override {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return absl::TimeFromTimespec(now);
  }
};

// The date. An administrator may set it, so it can jump. Use it for records, not for deadlines.
class CalendarClock final : public Clock {
 public:
  absl::Time Now() const override { return absl::Now(); }
};

// A CalendarClock that lives for ever.
inline const Clock* Calendar() {
  static const CalendarClock calendar;
  return &calendar;
}

// For tests: time passes only by Advance.
class FakeClock final : public Clock {
 public:
  absl::Time Now() const override { return now_; }
  void Advance(absl::Duration by) { now_ += by; }

 private:
  absl::Time now_ = absl::UnixEpoch() + absl::Hours(1);
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_COMMON_CLOCK_H_
