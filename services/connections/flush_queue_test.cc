#include "services/connections/flush_queue.h"

#include <functional>
#include <memory>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr auto kInteractive = TrafficClass::kInteractive;
constexpr auto kBulk = TrafficClass::kBulk;

struct Connection : FlushNode {
  explicit Connection(int n) : number(n) {}
  int number;
};

class FlushQueueTest : public testing::Test {
 protected:
  FlushQueueTest() {
    for (int i = 0; i < 1'000; ++i) connections_.push_back(std::make_unique<Connection>(i));
  }

  void Add(int number, TrafficClass traffic_class) {
    queue_.Add(connections_[static_cast<size_t>(number)].get(), traffic_class);
  }
  void AddAll(TrafficClass traffic_class) {
    for (int i = 0; i < 1'000; ++i) Add(i, traffic_class);
  }

  // A turn: which connections it flushed, each of which takes `each_takes_` and has `frames_`.
  std::vector<int> Turn() {
    std::vector<int> flushed;
    next_turn_ = queue_.FlushSome(hurry_, [&](FlushNode* node) {
      const int number = static_cast<Connection*>(node)->number;
      flushed.push_back(number);
      clock_.Advance(each_takes_);
      if (on_flush_) on_flush_(number);
      return frames_;
    });
    return flushed;
  }
  // Turns until it wants none at once; how many there were.
  int Round() {
    int turns = 0;
    do {
      Turn();
      ++turns;
    } while (next_turn_ == absl::InfinitePast());
    return turns;
  }

  FakeClock clock_;
  FlushQueue queue_{&clock_};
  std::vector<std::unique_ptr<Connection>> connections_;
  absl::Duration each_takes_ = absl::Microseconds(4);
  size_t frames_ = 1;
  bool hurry_ = false;
  std::function<void(int)> on_flush_;
  absl::Time next_turn_;
};

TEST_F(FlushQueueTest, EachIsFlushedOnceInTheOrderInWhichTheyCame) {
  Add(3, kInteractive);
  Add(1, kInteractive);
  Add(3, kInteractive);
  EXPECT_THAT(Turn(), ElementsAre(3, 1));
  EXPECT_EQ(next_turn_, absl::InfiniteFuture());
  EXPECT_THAT(Turn(), IsEmpty());
}

TEST_F(FlushQueueTest, WhatIsAddedWhileItFlushesIsNotForgotten) {
  Add(1, kInteractive);
  on_flush_ = [this](int number) {
    if (number == 1) Add(2, kBulk);
    if (number == 2) Add(3, kInteractive);
  };
  EXPECT_THAT(Turn(), ElementsAre(1, 2));
  EXPECT_EQ(next_turn_, absl::InfinitePast());
  EXPECT_THAT(Turn(), ElementsAre(3));
}

TEST_F(FlushQueueTest, OneThatIsDestroyedLeaves) {
  Add(1, kInteractive);
  Add(2, kInteractive);
  Add(3, kBulk);
  connections_[3].reset();
  on_flush_ = [this](int number) { connections_[static_cast<size_t>(number)].reset(); };
  connections_[2].reset();
  EXPECT_THAT(Turn(), ElementsAre(1));
}

TEST_F(FlushQueueTest, InteractiveComesBeforeBulkAndMayBecomeSo) {
  Add(1, kBulk);
  Add(2, kBulk);
  Add(3, kInteractive);
  Add(2, kInteractive);
  Add(3, kBulk);
  EXPECT_THAT(Turn(), ElementsAre(3, 2, 1));
}

// So that between them the loop can serve others.
TEST_F(FlushQueueTest, LongRoundsAreCutInPieces) {
  AddAll(kBulk);
  const std::vector<int> first = Turn();
  EXPECT_EQ(next_turn_, absl::InfinitePast());
  EXPECT_LE(first.size() * each_takes_, absl::Milliseconds(1.1));
  EXPECT_GE(first.size() * each_takes_, absl::Milliseconds(0.9));
  Add(0, kInteractive);
  EXPECT_EQ(Turn().front(), 0);
  Round();

  AddAll(kInteractive);
  EXPECT_LE(Turn().size() * each_takes_, absl::Milliseconds(2.1));
  EXPECT_EQ(next_turn_, absl::InfinitePast());
}

TEST_F(FlushQueueTest, InAHurryARoundIsFinished) {
  AddAll(kBulk);
  Turn();
  hurry_ = true;
  EXPECT_GT(Turn().size(), 700u);
  EXPECT_EQ(next_turn_, absl::InfiniteFuture());

  frames_ = 2;
  AddAll(kBulk);
  Round();
  AddAll(kBulk);
  EXPECT_EQ(Turn().size(), 1'000u);  // and nothing waits for company
}

// However much there is to be done that is interactive.
TEST_F(FlushQueueTest, BulkGetsItsShareInEachTurn) {
  AddAll(kInteractive);
  connections_.push_back(std::make_unique<Connection>(1'000));
  Add(1'000, kBulk);
  EXPECT_EQ(Turn().back(), 1'000);
}

TEST_F(FlushQueueTest, SingleMessagesNeverWait) {
  for (int i = 0; i < 3; ++i) {
    AddAll(kBulk);
    const absl::Time before = clock_.Now();
    Round();
    EXPECT_EQ(next_turn_, absl::InfiniteFuture());
    EXPECT_EQ(clock_.Now() - before, 1'000 * each_takes_);
  }
}

// A round of 4 ms: the next one waits for a quarter of it, and what comes meanwhile comes along.
TEST_F(FlushQueueTest, AStreamOfMessagesToManyWaitsALittleToGoTogether) {
  frames_ = 2;
  AddAll(kBulk);
  Round();
  Add(1, kBulk);
  EXPECT_THAT(Turn(), IsEmpty());
  EXPECT_EQ(next_turn_, clock_.Now() + absl::Milliseconds(1));
  clock_.Advance(absl::Milliseconds(0.9));
  Add(2, kBulk);
  Add(3, kInteractive);
  EXPECT_THAT(Turn(), ElementsAre(3));
  clock_.Advance(next_turn_ - clock_.Now());
  frames_ = 1;
  EXPECT_THAT(Turn(), ElementsAre(1, 2));

  Add(4, kBulk);  // that was no stream any more
  EXPECT_THAT(Turn(), ElementsAre(4));
}

// A pause that is longer than the round of 4 ms ends the stream.
TEST_F(FlushQueueTest, AfterAPauseTheFirstMessageDoesNotWait) {
  frames_ = 2;
  AddAll(kBulk);
  Round();
  clock_.Advance(absl::Milliseconds(10));
  Add(1, kBulk);
  EXPECT_THAT(Turn(), ElementsAre(1));
}

TEST_F(FlushQueueTest, AShortPauseEndsNoStream) {
  frames_ = 2;
  AddAll(kBulk);
  Round();
  clock_.Advance(absl::Milliseconds(9.9));
  Add(1, kBulk);
  EXPECT_THAT(Turn(), IsEmpty());
  EXPECT_EQ(next_turn_, clock_.Now() + absl::Milliseconds(1));
}

TEST_F(FlushQueueTest, NothingWaitsLongerThanAMillisecond) {
  frames_ = 16;
  each_takes_ = absl::Microseconds(100);
  AddAll(kBulk);
  Round();
  Add(1, kBulk);
  Turn();
  EXPECT_EQ(next_turn_, clock_.Now() + absl::Milliseconds(1));
}

}  // namespace
}  // namespace groupcast::service
