// Subscriptions by themselves: how they are made again, and rounds over them. What feeds make of
// messages is in channel_client_test.cc and channel_client_repair_test.cc.

#include "services/channel/zmq/subscriptions.h"

#include <algorithm>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/channel/zmq/channel_client_harness.h"

namespace groupcast::service {
namespace {

using Times = std::vector<int>;

class SubscriptionsTest : public testing::Test {
 protected:
  // The times, in ms from now, at which a subscription is made again.
  Times AgainWithin(absl::Duration time) {
    Times times;
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
  // Whether the group is behind then.
  bool Message(absl::string_view group_id, uint64_t offset, uint64_t previous,
               const std::string& body = "") {
    const std::string bytes =
        LiveFramePrefix(
            group_id,
            {.kind = LiveKind::kMessage, .epoch = kEpoch, .offset = offset, .previous = previous}) +
        (body.empty() ? ContentOf(offset) : body);
    return subscriptions_.OnMessage(*ParseLiveFrame(bytes), kEpoch);
  }
  static std::string ContentOf(uint64_t offset) {
    channel::v1::Content content;
    content.set_data(absl::StrCat(offset));
    return content.SerializeAsString();
  }
  void Join(absl::string_view group_id, uint64_t head) {
    subscriptions_.Subscribe(group_id);
    Announce(group_id, head, links_.last_nonce);
    listener_.told.clear();
  }
  // The messages are pairs of previous and offset.
  Subscriptions::Repaired Repair(absl::string_view group_id, uint64_t head,
                                 const std::vector<std::pair<uint64_t, uint64_t>>& messages) {
    channel::v1::History history;
    history.set_epoch(static_cast<uint64_t>(kEpoch));
    history.set_head(head);
    for (const auto& [previous, offset] : messages) {
      history.add_messages(LiveFramePrefix(group_id, {.kind = LiveKind::kMessage,
                                                      .epoch = kEpoch,
                                                      .offset = offset,
                                                      .previous = previous}) +
                           ContentOf(offset));
    }
    return subscriptions_.OnHistory(subscriptions_.Find(group_id), history);
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

TEST_F(SubscriptionsTest, ANewConnectionBeginsAnewAtEachAttempt) {
  // "a" waits after four attempts in vain, "d" after one, and "e" after none.
  for (const auto& [id, ms] : std::initializer_list<std::pair<const char*, int>>{
           {"a", 3'200}, {"b", 1'600}, {"c", 800}, {"d", 400}, {"e", 0}}) {
    subscriptions_.Subscribe(id);
    AgainWithin(absl::Milliseconds(ms));
  }
  subscriptions_.OnConnected();
  const uint64_t before = subscriptions_.resubscribes();
  EXPECT_EQ(AgainWithin(absl::Milliseconds(350)), Times({200}));
  EXPECT_EQ(subscriptions_.resubscribes(), before + 5);
}

TEST_F(SubscriptionsTest, AGroupIsSubscribedOnceAndUnsubscribedOnce) {
  subscriptions_.Subscribe("x");
  subscriptions_.Subscribe("x");
  EXPECT_EQ(links_.subscriptions, Words({"+x", "+x?"}));
  subscriptions_.Unsubscribe("x");
  subscriptions_.Unsubscribe("x");
  subscriptions_.Unsubscribe("never subscribed");
  EXPECT_EQ(links_.subscriptions, Words({"+x", "+x?", "-x?", "-x"}));
}

// libzmq counts: another end of the proof's subscription would be one too many.
TEST_F(SubscriptionsTest, ASecondAnnouncementWithTheNonceEndsNothing) {
  subscriptions_.Subscribe("x");
  Announce("x", 5, links_.last_nonce);
  links_.subscriptions.clear();
  Announce("x", 5, links_.last_nonce);
  EXPECT_EQ(links_.subscriptions, Words());
}

TEST_F(SubscriptionsTest, AnAnnouncementOfBeforeDoesNotProveTheSubscriptionThatWasMadeAgain) {
  Join("x", 5);
  const PublisherId before = links_.last_nonce;
  subscriptions_.SubscribeAgain(subscriptions_.Find("x"));
  EXPECT_EQ(subscriptions_.resubscribes(), 1u);
  Announce("x", 5, before);
  EXPECT_EQ(AgainWithin(absl::Milliseconds(200)), Times({200}));
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

// ---- Feeds.

TEST_F(SubscriptionsTest, OnlyAGroupThatIsStillSubscribedCanBeBehind) {
  EXPECT_FALSE(Message("x", 7, 6));
  Announce("x", 7, PublisherId{1});  // not behind either
  subscriptions_.Subscribe("x");
  Announce("x", 7, PublisherId{1});  // of another worker
  EXPECT_FALSE(Message("x", 7, 6));
  Announce("x", 5, links_.last_nonce);
  EXPECT_TRUE(Message("x", 8, 7));
  listener_.on_message = [this] { subscriptions_.Unsubscribe("x"); };
  EXPECT_FALSE(Message("x", 6, 5));
}

TEST_F(SubscriptionsTest, ARepairSaysWhetherMoreMustBeAskedFor) {
  Join("x", 5);
  Message("x", 12, 11);
  EXPECT_EQ(Repair("x", 11, {}), Subscriptions::Repaired::kStuck);
  EXPECT_EQ(Repair("x", 11, {{5, 6}}), Subscriptions::Repaired::kBehind);
  EXPECT_EQ(Repair("x", 11, {{6, 11}}), Subscriptions::Repaired::kInStep);
  EXPECT_EQ(listener_.told, Words({"x 5→6", "x 6→11", "x 11→12"}));
  Message("x", 14, 13);
  listener_.on_message = [this] { subscriptions_.Unsubscribe("x"); };
  EXPECT_EQ(Repair("x", 20, {{12, 13}}), Subscriptions::Repaired::kInStep);
}

TEST_F(SubscriptionsTest, NothingIsToldOfAGroupThatEndsDuringItsRepair) {
  Join("x", 5);
  Message("x", 12, 11);
  listener_.on_message = [this] { subscriptions_.Unsubscribe("x"); };
  Repair("x", 11, {{5, 6}, {8, 9}});  // 7 to 8 are gone
  EXPECT_EQ(listener_.told, Words({"x 5→6"}));
  EXPECT_EQ(subscriptions_.gaps(), 0u);
}

TEST_F(SubscriptionsTest, WhatCannotBeReadInARepairIsLeftOutAndCounted) {
  Join("x", 5);
  Message("x", 8, 7);
  channel::v1::History history;
  history.set_epoch(static_cast<uint64_t>(kEpoch));
  history.set_head(7);
  history.add_messages("nonsense");
  history.add_messages(
      LiveFramePrefix("x",
                      {.kind = LiveKind::kMessage, .epoch = kEpoch, .offset = 7, .previous = 6}) +
      ContentOf(7));
  EXPECT_EQ(subscriptions_.OnHistory(subscriptions_.Find("x"), history),
            Subscriptions::Repaired::kInStep);
  EXPECT_EQ(listener_.told, Words({"x gap 5..6", "x 6→7", "x 7→8"}));
  EXPECT_EQ(subscriptions_.malformed(), 1u);
}

// A mebibyte for one group, and 32 of them for all.
TEST_F(SubscriptionsTest, HeldMessagesAreBoundedForOneGroupAndForAll) {
  constexpr size_t kMebibyte = 1 << 20;
  const std::string sixteenth(kMebibyte / 16 - Feed::kHeldOverheadBytes, '\0');
  for (size_t groups = 1; groups <= 34; ++groups) {
    const std::string id = absl::StrCat("g", groups);
    Join(id, 5);
    for (uint64_t offset = 7; offset < 7 + 17; ++offset) {
      EXPECT_TRUE(Message(id, offset, offset - 1, sixteenth));
    }
    ASSERT_EQ(subscriptions_.held_bytes(), std::min<size_t>(groups, 32) * kMebibyte);
  }
  // Room for one more, in a group that has none itself.
  subscriptions_.Unsubscribe("g1");
  EXPECT_EQ(subscriptions_.held_bytes(), 31 * kMebibyte);
  Message("g2", 30, 29, sixteenth);
  EXPECT_EQ(subscriptions_.held_bytes(), 31 * kMebibyte);
  Message("g34", 30, 29, sixteenth);
  EXPECT_EQ(subscriptions_.held_bytes(), 31 * kMebibyte + kMebibyte / 16);
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

TEST_F(SubscriptionsTest, ARoundDoesNotVisitWhatEndedDuringOrAfterItsDelivery) {
  for (const char* id : {"a", "b", "c"}) Join(id, 5);
  listener_.on_message = [this] { subscriptions_.Unsubscribe("a"); };
  Message("a", 6, 5);
  subscriptions_.StartRound();
  EXPECT_EQ(Round(), "bc");
  listener_.on_message = [] {};
  Message("b", 6, 5);
  subscriptions_.Unsubscribe("b");
  subscriptions_.StartRound();
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
