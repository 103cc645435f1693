#include "services/common/event_loop.h"

#include <sys/eventfd.h>

#include <memory>
#include <thread>
#include <utility>
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

// ---- Work that other threads post.

TEST_F(EventLoopTest, PostedWorkOfEachThreadRunsInItsOrderAndInTheLoopsThread) {
  constexpr int kThreads = 4;
  constexpr int kPieces = 2'000;
  // Without a lock: only the loop's thread may touch it.
  std::vector<std::pair<int, int>> ran;
  const std::thread::id loop_thread = std::this_thread::get_id();
  bool elsewhere = false;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int piece = 0; piece < kPieces; ++piece) {
        loop_->Post([&, thread, piece] {
          elsewhere = elsewhere || std::this_thread::get_id() != loop_thread;
          ran.emplace_back(thread, piece);
        });
      }
    });
  }
  while (ran.size() < size_t{kThreads} * kPieces) loop_->RunOnce(absl::InfiniteDuration());
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(elsewhere);
  std::vector<int> next(kThreads);
  for (const auto& [thread, piece] : ran) EXPECT_EQ(piece, next[static_cast<size_t>(thread)]++);
}

// The loop waits without an end, so only the post can end the turn.
TEST_F(EventLoopTest, APostWakesALoopThatWaits) {
  bool ran = false;
  loop_->RunOnce(absl::ZeroDuration());
  std::thread thread([&] { loop_->Post([&] { ran = true; }); });
  while (!ran) loop_->RunOnce(absl::InfiniteDuration());
  thread.join();
}

TEST_F(EventLoopTest, HooksOfTheSameTurnSeeWhatPostedWorkHasCollected) {
  int collected = 0;
  int seen = -1;
  loop_->AddTurnHook([&] {
    seen = collected;
    return absl::InfiniteFuture();
  });
  loop_->Post([&] { ++collected; });
  loop_->RunOnce(absl::InfiniteDuration());
  EXPECT_EQ(seen, 1);
}

TEST_F(EventLoopTest, WorkThatPostedWorkPostsWaitsForTheNextTurn) {
  std::vector<int> order;
  loop_->Post([&] {
    loop_->Post([&] { order.push_back(3); });
    order.push_back(1);
  });
  loop_->Post([&] { order.push_back(2); });
  loop_->RunOnce(absl::InfiniteDuration());
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
  loop_->RunOnce(absl::InfiniteDuration());
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

TEST_F(EventLoopTest, AnIdleLoopIsNotWokenTwiceForOnePost) {
  int turns = 0;
  loop_->AddTurnHook([&] {
    ++turns;
    return absl::InfiniteFuture();
  });
  loop_->Post([] {});
  loop_->RunOnce(absl::InfiniteDuration());
  bool timer_ran = false;
  loop_->RunAfter(absl::Milliseconds(1), [&] { timer_ran = true; });
  loop_->RunOnce(absl::InfiniteDuration());
  EXPECT_TRUE(timer_ran);  // what ended the wait was the timer
  EXPECT_EQ(turns, 2);
}

TEST_F(EventLoopTest, WorkThatIsLeftIsDestroyedWithTheLoopAndNeverRuns) {
  bool ran = false;
  const auto held = std::make_shared<int>(1);
  loop_->Post([&ran, held] { ran = true; });
  EXPECT_EQ(held.use_count(), 2);
  loop_ = nullptr;
  EXPECT_EQ(held.use_count(), 1);
  EXPECT_FALSE(ran);
}

}  // namespace
}  // namespace groupcast::service
