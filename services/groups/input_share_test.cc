#include "services/groups/input_share.h"

#include <deque>

#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

class InputShareTest : public testing::Test {
 protected:
  bool Exceeded(size_t bytes) {
    share_.Count(bytes, now_);
    return share_.is_exceeded();
  }

  absl::Time now_ = absl::FromUnixSeconds(1'000);
  InputShare share_;
};

TEST_F(InputShareTest, APauseGivesABurst) {
  EXPECT_FALSE(Exceeded(128 << 10));
  EXPECT_TRUE(Exceeded(1));
}

TEST_F(InputShareTest, ItIsARateInTheLongRun) {
  for (int i = 0; i < 1'000; ++i) {
    EXPECT_FALSE(Exceeded(64 << 10));
    now_ += absl::Seconds(1);
  }
  bool exceeded = false;
  for (int i = 0; i < 100; ++i) {
    exceeded = Exceeded(70 << 10);
    now_ += absl::Seconds(1);
  }
  EXPECT_TRUE(exceeded);
}

TEST_F(InputShareTest, ALongPauseGivesNoMoreThanOneBurst) {
  now_ += absl::Hours(1);
  EXPECT_FALSE(Exceeded(128 << 10));
  EXPECT_TRUE(Exceeded(1));
}

TEST_F(InputShareTest, WhatWasTooMuchIsPaidWithTime) {
  EXPECT_TRUE(Exceeded(1 << 20));
  now_ += absl::Seconds(14.1);
  EXPECT_FALSE(Exceeded(1));
}

class ShareOrderTest : public testing::Test {
 protected:
  int Take() {
    std::deque<int>* const queue = order_.Next();
    order_.OnTake(queue);
    const int front = queue->front();
    queue->pop_front();
    return front;
  }
  void Add(int entry, bool beyond) { order_.queue(beyond).push_back(entry); }

  ShareOrder<std::deque<int>> order_;
};

TEST_F(ShareOrderTest, ThoseWithinTheirShareOvertakeTheOthers) {
  EXPECT_EQ(order_.Next(), nullptr);
  Add(1, true);
  Add(2, false);
  Add(3, false);
  Add(4, true);
  EXPECT_EQ(Take(), 2);
  EXPECT_EQ(Take(), 3);
  EXPECT_EQ(Take(), 1);
  EXPECT_EQ(Take(), 4);
  EXPECT_TRUE(order_.empty());
}

TEST_F(ShareOrderTest, OneThatComesWaitsOnlyForThoseBeforeIt) {
  EXPECT_FALSE(order_.HasBefore(false) || order_.HasBefore(true));
  Add(1, true);
  EXPECT_FALSE(order_.HasBefore(false));
  EXPECT_TRUE(order_.HasBefore(true));
  Take();
  Add(2, false);
  EXPECT_TRUE(order_.HasBefore(false));
  EXPECT_TRUE(order_.HasBefore(true));
}

TEST_F(ShareOrderTest, NobodyStarves) {
  // Those that nobody waits behind do not count.
  for (int i = 0; i < 20; ++i) {
    Add(0, false);
    Take();
  }
  for (int i = 0; i < 20; ++i) Add(0, false);
  Add(1, true);
  Add(2, true);
  int taken = 0;
  for (; Take() == 0; ++taken) {
  }
  EXPECT_EQ(taken, 8);
  for (taken = 0; Take() == 0; ++taken) {
  }
  EXPECT_EQ(taken, 8);
}

}  // namespace
}  // namespace groupcast::service
