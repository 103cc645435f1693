#ifndef GROUPCAST_SERVICES_CHANNEL_TESTING_EVENT_QUEUE_H_
#define GROUPCAST_SERVICES_CHANNEL_TESTING_EVENT_QUEUE_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "services/common/clock.h"

namespace groupcast::service::testing {

// Virtual time: the clock jumps to the next event. Events of the same time run in the order of
// their calls of After, so that each run is the same.
class EventQueue final : public Clock {
 public:
  absl::Time Now() const override { return now_; }

  void After(absl::Duration delay, std::function<void()> work) {
    events_.push_back({now_ + delay, next_++, std::move(work)});
    std::push_heap(events_.begin(), events_.end(), Later);
  }

  // Runs the next event. False: no event is left up to `end`, and the time is now `end`.
  bool RunNext(absl::Time end) {
    if (events_.empty() || events_.front().at > end) {
      now_ = std::max(now_, end);
      return false;
    }
    std::pop_heap(events_.begin(), events_.end(), Later);
    Event event = std::move(events_.back());
    events_.pop_back();
    now_ = event.at;
    event.work();
    return true;
  }

 private:
  struct Event {
    absl::Time at;
    uint64_t sequence;
    std::function<void()> work;
  };
  static bool Later(const Event& a, const Event& b) {
    return a.at != b.at ? a.at > b.at : a.sequence > b.sequence;
  }

  absl::Time now_ = absl::FromUnixSeconds(1'800'000'000);
  uint64_t next_ = 0;
  std::vector<Event> events_;
};

// Numbers that depend only on the seed (xorshift64*; Vigna, "An experimental exploration of
// Marsaglia's xorshift generators, scrambled").
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15 + 0x2545f4914f6cdd1d) {
    if (state_ == 0) state_ = 1;
    for (int i = 0; i < 4; ++i) Next();
  }

  uint64_t Next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545f4914f6cdd1d;
  }
  // From `low` to `high`, both included.
  int64_t Between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>((Next() >> 11) % static_cast<uint64_t>(high - low + 1));
  }
  absl::Duration Between(absl::Duration low, absl::Duration high) {
    return absl::Microseconds(
        Between(absl::ToInt64Microseconds(low), absl::ToInt64Microseconds(high)));
  }
  bool OneIn(int64_t n) { return Between(1, n) == 1; }

 private:
  uint64_t state_;
};

}  // namespace groupcast::service::testing

#endif  // GROUPCAST_SERVICES_CHANNEL_TESTING_EVENT_QUEUE_H_
