#include "services/worker_metrics/worker_timing.h"

#include <memory>

#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

class CalendarOfTest final : public Clock {
 public:
  absl::Time Now() const override { return now_; }
  void Set(absl::Time now) { now_ = now; }

 private:
  absl::Time now_ = absl::FromUnixMillis(1'700'000'000'000);
};

uint64_t CountOf(const DurationHistogram& histogram) {
  uint64_t count = 0;
  for (const uint64_t bucket : histogram.counts()) count += bucket;
  return count;
}

class WorkerTimingTest : public ::testing::Test {
 protected:
  // Before the first turn, the loop's time stands still.
  int64_t now_ms() const { return absl::ToUnixMillis(calendar_.Now()); }

  CalendarOfTest calendar_;
  const std::unique_ptr<EventLoop> loop_ = *EventLoop::Create();
};

TEST_F(WorkerTimingTest, ALatencyIsTheTimeSinceTheSend) {
  WorkerTiming timing(loop_.get(), &calendar_);
  timing.OnMessage(now_ms() - 300);
  EXPECT_EQ(timing.latencies().sum_us(), 300'000u);
  EXPECT_EQ(timing.latencies().counts()[8], 1u) << "up to 500 ms";
}

TEST_F(WorkerTimingTest, FollowsACalendarThatIsSet) {
  WorkerTiming timing(loop_.get(), &calendar_);
  calendar_.Set(calendar_.Now() + absl::Hours(1));
  timing.OnTick();
  timing.OnMessage(now_ms() - 3);
  EXPECT_EQ(timing.latencies().sum_us(), 3'000u);
}

TEST_F(WorkerTimingTest, AMessageFromAClockThatIsAheadTookNoTime) {
  WorkerTiming timing(loop_.get(), &calendar_);
  timing.OnMessage(now_ms() + 50);
  EXPECT_EQ(timing.latencies().sum_us(), 0u);
  EXPECT_EQ(timing.latencies().counts()[0], 1u);
}

TEST_F(WorkerTimingTest, AMessageWithoutATimeIsNotCounted) {
  WorkerTiming timing(loop_.get(), &calendar_);
  timing.OnMessage(0);
  EXPECT_EQ(CountOf(timing.latencies()), 0u);
}

TEST_F(WorkerTimingTest, ATurnCountsWithoutItsWait) {
  WorkerTiming timing(loop_.get(), &calendar_);
  absl::Duration worked;
  loop_->RunAfter(absl::Milliseconds(30), [&] {
    const absl::Time begin = MonotonicClock().Now();
    while (worked < absl::Milliseconds(7)) worked = MonotonicClock().Now() - begin;
  });
  const absl::Time begin = loop_->now();
  // It may wake before the timer is due.
  while (worked == absl::ZeroDuration()) loop_->RunOnce(absl::Seconds(20));
  const absl::Duration all = MonotonicClock().Now() - begin;
  EXPECT_GE(CountOf(timing.turns()), 1u);
  const absl::Duration turns = absl::Microseconds(timing.turns().sum_us());
  EXPECT_GE(turns, worked - absl::Microseconds(1));
  EXPECT_LE(turns, all - absl::Milliseconds(30));
}

}  // namespace
}  // namespace groupcast::service
