#include "services/common/event_loop.h"

#include <sys/eventfd.h>

#include <vector>

#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

class Counter : public EventHandler {
 public:
  void OnEvents(uint32_t) override {
    ++count;
    if (on_event) on_event();
  }
  int count = 0;
  std::function<void()> on_event;
};

class EventLoopTest : public testing::Test {
 protected:
  std::unique_ptr<EventLoop> loop_ = *EventLoop::Create();
};

TEST_F(EventLoopTest, TellsAHandlerThatItsDescriptorIsReadable) {
  Fd fd(eventfd(1, EFD_CLOEXEC));
  Counter counter;
  ASSERT_TRUE(loop_->Add(fd.get(), EPOLLIN, &counter).ok());
  loop_->RunOnce(absl::Seconds(10));
  EXPECT_EQ(counter.count, 1);
}

TEST_F(EventLoopTest, RefusesADescriptorThatIsNone) {
  Counter counter;
  EXPECT_FALSE(loop_->Add(-1, EPOLLIN, &counter).ok());
}

// A connection that is closed by another one's event must not be called afterwards.
TEST_F(EventLoopTest, AHandlerRemovedInATurnGetsNoEventOfThatTurn) {
  Fd first(eventfd(1, EFD_CLOEXEC));
  Fd second(eventfd(1, EFD_CLOEXEC));
  Counter a;
  Counter b;
  a.on_event = [&] { loop_->Remove(second.get(), &b); };
  b.on_event = [&] { loop_->Remove(first.get(), &a); };
  ASSERT_TRUE(loop_->Add(first.get(), EPOLLIN, &a).ok());
  ASSERT_TRUE(loop_->Add(second.get(), EPOLLIN, &b).ok());
  loop_->RunOnce(absl::Seconds(10));
  EXPECT_EQ(a.count + b.count, 1);
}

TEST_F(EventLoopTest, RunsTimersInOrderAndOnlyWhenDue) {
  std::vector<int> order;
  loop_->RunAfter(absl::Milliseconds(2), [&] { order.push_back(2); });
  loop_->RunAfter(absl::Milliseconds(1), [&] { order.push_back(1); });
  loop_->RunAfter(absl::Hours(1), [&] { order.push_back(3); });
  while (order.size() < 2) loop_->RunOnce(absl::InfiniteDuration());
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

TEST_F(EventLoopTest, RepeatsAPeriodicTimerUntilStopped) {
  int count = 0;
  loop_->RunEvery(absl::Milliseconds(1), [&] {
    if (++count == 3) loop_->Stop();
  });
  loop_->Run();
  EXPECT_EQ(count, 3);
}

TEST_F(EventLoopTest, DoesNotWaitWhileAHookHasWorkLeft) {
  int turns = 0;
  loop_->AddTurnHook([&] { return ++turns < 3 ? absl::InfinitePast() : absl::InfiniteFuture(); });
  loop_->RunOnce(absl::ZeroDuration());
  loop_->RunOnce(absl::InfiniteDuration());  // would hang if the loop waited
  loop_->RunOnce(absl::InfiniteDuration());
  EXPECT_EQ(turns, 3);
}

// Work may appear in a hook for one that has run already.
TEST_F(EventLoopTest, ATurnThatIsWantedComesAtOnceWhoeverWantsIt) {
  int turns = 0;
  loop_->AddTurnHook([&] {
    ++turns;
    return absl::InfiniteFuture();
  });
  loop_->AddTurnHook([&] {
    if (turns < 3) loop_->WantTurn();
    return absl::InfiniteFuture();
  });
  loop_->RunOnce(absl::ZeroDuration());
  loop_->RunOnce(absl::InfiniteDuration());  // would hang if the loop waited
  loop_->RunOnce(absl::InfiniteDuration());
  EXPECT_EQ(turns, 3);
}

TEST_F(EventLoopTest, ATurnThatIsWantedLaterComesThen) {
  absl::Time due;
  loop_->AddTurnHook([&] { return due; });
  due = loop_->now() + absl::Microseconds(300);
  loop_->RunOnce(absl::ZeroDuration());
  loop_->RunOnce(absl::InfiniteDuration());
  EXPECT_GE(loop_->now(), due);
}

}  // namespace
}  // namespace groupcast::service
