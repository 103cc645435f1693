// Subscriptions by themselves: how they are made again, and rounds over them. What feeds make of
// messages is in channel_client_test.cc and channel_client_repair_test.cc.

#include "services/channel/zmq/subscriptions.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "services/channel/zmq/channel_client_harness.h"

namespace groupcast::service {
namespace {

class SubscriptionsTest : public testing::Test {
 protected:
  // The times, in ms from now, at which a subscription is made again.
  std::vector<int> AgainWithin(absl::Duration time) {
    std::vector<int> times;
    for (int ms = 50; absl::Milliseconds(ms) <= time; ms += 50) {
      clock_.Advance(absl::Milliseconds(50));
      links_.subscriptions.clear();
      subscriptions_.Tick(true);
      if (!links_.subscriptions.empty()) times.push_back(ms);
    }
    return times;
  }
  void Announce(absl::string_view group_id, uint64_t offset, PublisherId nonce) {
    const std::string bytes = LiveFramePrefix(
        group_id,
        {.kind = LiveKind::kAnnouncement, .publisher = nonce, .epoch = kEpoch, .offset = offset});
    EXPECT_FALSE(subscriptions_.OnAnnouncement(*ParseLiveFrame(bytes), kEpoch));
  }
  std::string Round() {
    std::string visited;
    while (const auto* subscription = subscriptions_.NextOfRound()) {
      visited += *subscription->group_id;
    }
    return visited;
  }

  FakeClock clock_;
  FakeLinks links_;
  FakeListener listener_;
  Subscriptions subscriptions_{{.publisher = kPublisher}, &clock_, &links_, &listener_};
};

using Times = std::vector<int>;

TEST_F(SubscriptionsTest, TheTimeBetweenAttemptsDoublesUpToAFewSeconds) {
  subscriptions_.Subscribe("x");
  EXPECT_EQ(AgainWithin(absl::Seconds(13)), Times({200, 600, 1400, 3000, 6200, 9400, 12600}));
  EXPECT_EQ(subscriptions_.resubscribes(), 7u);
}

TEST_F(SubscriptionsTest, ANewConnectionBeginsAnew) {
  subscriptions_.Subscribe("x");
  subscriptions_.Subscribe("y");
  AgainWithin(absl::Milliseconds(1500));
  subscriptions_.OnConnected();
  EXPECT_EQ(AgainWithin(absl::Milliseconds(700)), Times({200, 600}));
}

TEST_F(SubscriptionsTest, AnAnnouncementEndsTheAttemptsAndTheNextBeginAnew) {
  subscriptions_.Subscribe("x");
  AgainWithin(absl::Milliseconds(1500));
  Announce("x", 5, links_.last_nonce);
  EXPECT_EQ(AgainWithin(absl::Seconds(10)), Times());
  subscriptions_.SubscribeAgain(subscriptions_.Find("x"));
  EXPECT_EQ(AgainWithin(absl::Milliseconds(700)), Times({200, 600}));
}

TEST_F(SubscriptionsTest, WithoutAConnectionNothingIsMadeAgain) {
  subscriptions_.Subscribe("x");
  links_.subscriptions.clear();
  for (int i = 0; i < 100; ++i) {
    clock_.Advance(absl::Milliseconds(50));
    subscriptions_.Tick(false);
  }
  EXPECT_EQ(links_.subscriptions, Words());
}

TEST_F(SubscriptionsTest, WhatHasEndedIsNotMadeAgain) {
  subscriptions_.Subscribe("x");
  subscriptions_.Subscribe("y");
  subscriptions_.Unsubscribe("x");
  AgainWithin(absl::Milliseconds(200));
  EXPECT_EQ(links_.subscriptions, Words({"-y?", "+y", "+y?"}));
}

// A server that needs longer for its announcements gets few duplicates.
TEST_F(SubscriptionsTest, ManyThatWaitForLongAreMadeAgainAFewTimes) {
  for (int i = 0; i < 1'000; ++i) subscriptions_.Subscribe(absl::StrCat("g", i));
  AgainWithin(absl::Seconds(6));
  EXPECT_EQ(subscriptions_.resubscribes(), 4'000u);
}

// ---- Rounds.

TEST_F(SubscriptionsTest, ARoundVisitsEachOnce) {
  for (const char* id : {"a", "b", "c"}) subscriptions_.Subscribe(id);
  EXPECT_EQ(Round(), "");
  subscriptions_.StartRound();
  EXPECT_EQ(Round(), "abc");
  EXPECT_EQ(Round(), "");
}

TEST_F(SubscriptionsTest, ARoundNeedNotVisitWhatBeganAfterItAndCannotVisitWhatHasEnded) {
  for (const char* id : {"a", "b", "c"}) subscriptions_.Subscribe(id);
  subscriptions_.StartRound();
  EXPECT_EQ(*subscriptions_.NextOfRound()->group_id, "a");
  subscriptions_.Unsubscribe("b");
  subscriptions_.Unsubscribe("a");
  subscriptions_.Subscribe("d");
  EXPECT_EQ(Round(), "c");
}

// Rounds that are started again and again must not visit the same ones for ever.
TEST_F(SubscriptionsTest, ARoundThatIsStartedAgainBeginsWithThoseThatWaitForLongest) {
  for (const char* id : {"a", "b", "c"}) subscriptions_.Subscribe(id);
  std::string visited;
  for (int i = 0; i < 6; ++i) {
    subscriptions_.StartRound();
    visited += *subscriptions_.NextOfRound()->group_id;
  }
  EXPECT_EQ(visited, "abcabc");
  subscriptions_.StartRound();
  EXPECT_EQ(Round(), "abc");
}

}  // namespace
}  // namespace groupcast::service
