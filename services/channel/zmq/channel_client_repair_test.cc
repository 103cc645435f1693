// How a ChannelClient notices what the subscribe link lost, and repairs it over control.

#include "absl/strings/str_cat.h"
#include "services/channel/zmq/channel_client.h"
#include "services/channel/zmq/channel_client_harness.h"

namespace groupcast::service {
namespace {

class ChannelClientRepairTest : public ChannelClientTest {
 protected:
  ChannelClientRepairTest() {
    Connect();
    Join("x", 5);
  }
};

TEST_F(ChannelClientRepairTest, AHoleIsAskedForAtOnce) {
  Message("x", 7, 6);
  Message("x", 8, 7);
  EXPECT_EQ(Told(), Words());
  const channel::v1::FetchHistory fetch = TakeFetch();
  EXPECT_EQ(fetch.group_id(), "x");
  EXPECT_EQ(fetch.after(), 5u);
  EXPECT_EQ(Epoch{fetch.epoch()}, kEpoch);
  EXPECT_EQ(fetch.newest(), 0u);
  EXPECT_EQ(links_.controls, Words());  // once
  History(fetch, 7, 0, {{5, 6}, {6, 7}});
  EXPECT_EQ(Told(), Words({"x 5→6", "x 6→7", "x 7→8"}));
  EXPECT_EQ(links_.controls, Words());
  EXPECT_EQ(client_.counters().repairs, 1u);
  EXPECT_EQ(client_.stats().repairs, 1u);
  EXPECT_EQ(client_.stats().digests_behind, 0u) << "a message showed it";
}

TEST_F(ChannelClientRepairTest, AsksForPageAfterPage) {
  Message("x", 9, 8);
  History(TakeFetch(), 9, 0, {{5, 6}});
  const channel::v1::FetchHistory second = TakeFetch();
  EXPECT_EQ(second.after(), 6u);
  History(second, 9, 0, {{6, 8}});
  EXPECT_EQ(Told(), Words({"x 5→6", "x 6→8", "x 8→9"}));
  EXPECT_EQ(links_.controls, Words());
}

TEST_F(ChannelClientRepairTest, WhatIsNotKeptAnyMoreIsTold) {
  Message("x", 9, 8);
  History(TakeFetch(), 9, 8, {{8, 9}});
  EXPECT_EQ(Told(), Words({"x gap 5..8", "x 8→9"}));
  EXPECT_EQ(client_.counters().gaps, 1u);
}

TEST_F(ChannelClientRepairTest, AnAnnouncementAheadIsAskedForAtOnce) {
  Announce("x", 6);
  History(TakeFetch(), 6, 0, {{5, 6}});
  EXPECT_EQ(Told(), Words({"x 5→6"}));
}

// What the digest names may be under way.
TEST_F(ChannelClientRepairTest, ADigestsHeadIsGivenTimeToComeLive) {
  Digest(1, {{"x", 6}, {"somebody else's", 7}});
  Pass(absl::Milliseconds(200));
  EXPECT_EQ(links_.controls, Words());
  Pass(absl::Milliseconds(50));
  EXPECT_EQ(TakeFetch().after(), 5u);
  EXPECT_EQ(client_.stats().digests_behind, 1u);

  Join("y", 10);
  Digest(2, {{"y", 11}});
  Message("y", 11, 10);
  Pass(absl::Milliseconds(250));
  EXPECT_EQ(links_.controls, Words());
  EXPECT_EQ(client_.stats().digests_behind, 1u) << "it came in time";
  EXPECT_EQ(client_.unchecked_heads(), 0u);
}

// The live link brings all groups' messages in one order, so one that has not come to the head yet
// may only be late. The head is remembered, so nothing need be compared.
TEST_F(ChannelClientRepairTest, WhileTheLiveLinkIsLateNothingIsRepaired) {
  Join("y", 5);
  Digest(1, {{"x", 20}});
  uint64_t previous = 5;
  for (uint64_t offset : {10, 11, 12, 13}) {
    Message("y", offset, previous);
    previous = offset;
    Pass(absl::Milliseconds(200));
  }
  EXPECT_EQ(links_.controls, Words());
  EXPECT_EQ(client_.late_groups(), 1u);
  Message("y", 21, previous);  // past it
  Pass(absl::Milliseconds(50));
  EXPECT_EQ(TakeFetch().group_id(), "x");
  EXPECT_EQ(links_.controls, Words());
  EXPECT_EQ(client_.late_groups(), 0u);
}

// Digests go on while the link is late. A group that is named in each of them has its turn.
TEST_F(ChannelClientRepairTest, AGroupWhoseHeadMovesOnWhileTheLiveLinkIsLateIsChecked) {
  Join("y", 5);
  uint64_t previous = 5;
  for (uint64_t number = 1; number <= 8; ++number) {
    Digest(number, {{"x", number * 10}});
    for (int i = 0; i < 2; ++i) {
      const uint64_t offset = previous + 1;
      Message("y", offset, previous);
      previous = offset;
      Pass(absl::Milliseconds(100));
    }
  }
  EXPECT_EQ(TakeFetch().group_id(), "x");  // the link has passed 10, while heads up to 80 were told
  EXPECT_EQ(client_.counters().resyncs, 1u);  // of the hello
}

TEST_F(ChannelClientRepairTest, ALiveLinkThatIsStillIsNotLate) {
  Join("y", 5);
  Digest(1, {{"x", 20}});
  Pass(absl::Milliseconds(200));
  Message("y", 10, 5);
  Pass(absl::Milliseconds(200));
  EXPECT_EQ(links_.controls, Words());
  Pass(absl::Milliseconds(400));
  EXPECT_EQ(TakeFetch().group_id(), "x");
  EXPECT_EQ(links_.controls, Words());
}

TEST_F(ChannelClientRepairTest, AComparisonRepairsNothingThatMayBeLateEither) {
  Join("y", 5);
  Message("y", 10, 5);
  Digest(2, {});
  Heads(TakeCompare(), {{"x", 20}});
  EXPECT_EQ(links_.controls, Words());
  Pass(absl::Milliseconds(300));
  EXPECT_EQ(TakeFetch().group_id(), "x");
}

// Its repair is under way, and the head is no reason to put the repair of the rest off.
TEST_F(ChannelClientRepairTest, AHeadThatTheFeedHasIsNotPutOff) {
  Message("x", 9, 8);
  History(TakeFetch(), 20, 0, {{5, 12}});  // a page
  TakeFetch();
  client_.OnControlDown();
  client_.OnControlUp();
  AnswerHello();
  Message("of nobody here", 10, 9);
  Heads(TakeCompare(), {{"x", 12}});
  EXPECT_EQ(client_.late_groups(), 0u);
  EXPECT_EQ(TakeFetch().after(), 12u);
}

TEST_F(ChannelClientRepairTest, AGroupThatCameInStepWhileItsRepairWaitedIsNotAskedFor) {
  for (int i = 0; i < 16; ++i) {
    Join(absl::StrCat("g", i), 5);
    Message(absl::StrCat("g", i), 7, 6);
  }
  Message("x", 7, 6);  // waits for a place
  Message("x", 6, 5);
  EXPECT_EQ(Told(), Words({"x 5→6", "x 6→7"}));
  EXPECT_EQ(links_.controls.size(), 16u);
  History(TakeFetch(), 7, 0, {{5, 6}});
  EXPECT_EQ(links_.controls.size(), 15u);
  EXPECT_EQ(client_.counters().repairs, 16u);
}

TEST_F(ChannelClientRepairTest, APageThatBroughtSomethingIsFollowedByTheNextAtOnceOnly) {
  Message("x", 9, 8);
  History(TakeFetch(), 9, 0, {{5, 6}});
  EXPECT_EQ(TakeFetch().after(), 6u);
  EXPECT_EQ(client_.unchecked_heads(), 0u);
}

// The link brings the rest of what was put off later, and may lose that.
TEST_F(ChannelClientRepairTest, TheHighestOfTheHeadsThatWerePutOffIsCheckedToo) {
  Join("y", 5);
  Digest(1, {{"x", 20}, {"x", 30}});
  uint64_t previous = 5;
  for (const uint64_t offset : {10, 11}) {
    Pass(absl::Milliseconds(200));
    Message("y", offset, previous);
    previous = offset;
  }
  Message("y", 21, previous);
  Pass(absl::Milliseconds(50));
  History(TakeFetch(), 20, 0, {{5, 20}});
  EXPECT_EQ(links_.controls, Words());
  Message("y", 31, 21);
  Pass(absl::Milliseconds(50));
  EXPECT_EQ(TakeFetch().after(), 20u);
}

TEST_F(ChannelClientRepairTest, ALinkThatLeavesTheEpochOfLateHeadsComparesAllHeads) {
  Join("y", 5);
  Message("y", 10, 5);
  Digest(1, {{"x", 20}});
  Pass(absl::Milliseconds(200));
  Message("y", 11, 10);
  Pass(absl::Milliseconds(50));
  EXPECT_EQ(client_.late_groups(), 1u);
  const uint64_t resyncs = client_.counters().resyncs;
  Message("of nobody here", 3, 2, kNextEpoch);
  Pass(absl::Milliseconds(50));
  EXPECT_EQ(client_.counters().resyncs, resyncs + 1);
  EXPECT_EQ(TakeCompare().heads_size(), 2);
}

TEST_F(ChannelClientRepairTest, HeadsOverTheBoundAreComparedAllAtOnceInstead) {
  HeadList heads;
  for (uint64_t i = 0; i < 100'000; ++i) heads.emplace_back("x", 6 + i);
  const uint64_t resyncs = client_.counters().resyncs;
  Digest(1, heads);
  EXPECT_EQ(client_.unchecked_heads(), 100'000u);
  EXPECT_EQ(client_.counters().resyncs, resyncs);
  Digest(2, {{"x", 200'000}});
  EXPECT_EQ(client_.unchecked_heads(), 0u);
  EXPECT_EQ(client_.counters().resyncs, resyncs + 1);
}

// The announcement comes on another link than the head, and may be older.
TEST_F(ChannelClientRepairTest, AHeadThatIsKnownBeforeTheAnnouncementIsRepairedAfterIt) {
  client_.Subscribe("from a digest");
  const PublisherId of_digest = links_.last_nonce;
  Digest(1, {{"from a digest", 9}});
  EXPECT_EQ(client_.unchecked_heads(), 0u);
  Announce("from a digest", 7, kEpoch, of_digest);
  EXPECT_EQ(TakeFetch().after(), 7u);
  client_.Subscribe("from a comparison");
  const PublisherId of_comparison = links_.last_nonce;
  Digest(3);  // a hole
  Heads(TakeCompare(), {{"from a comparison", 9}});
  EXPECT_EQ(links_.controls, Words());
  Announce("from a comparison", 8, kEpoch, of_comparison);
  EXPECT_EQ(TakeFetch().after(), 8u);
}

// The connection before may have been to another server.
TEST_F(ChannelClientRepairTest, ADigestBeforeTheAnswerToTheHelloCountsForNothing) {
  client_.OnControlUp();
  TakeHello();
  Digest(9, {{"x", 90}}, kNextEpoch);
  Pass(absl::Seconds(1));
  const channel::v1::Hello hello = TakeHello();
  EXPECT_EQ(Epoch{hello.epoch()}, kEpoch);
  EXPECT_EQ(hello.highest_offset(), 5u);
  EXPECT_EQ(links_.controls, Words());
}

TEST_F(ChannelClientRepairTest, AnAnswerThatNoPageWaitsForIsIgnored) {
  Pass(absl::Milliseconds(250));  // the live link is still
  Digest(2);
  const channel::v1::CompareHeads compare = TakeCompare();
  Heads(compare);
  Heads(compare, {{"x", 9}});
  EXPECT_EQ(links_.controls, Words());
}

TEST_F(ChannelClientRepairTest, ANewEpochInAComparisonIsToldOfEachGroup) {
  Join("y", 5);
  Digest(2);
  Heads(TakeCompare(), {}, kNextEpoch);
  for (int i = 0; i < 2; ++i) History(TakeFetch(), 9, 9, {}, kNextEpoch);
  EXPECT_EQ(Told(), Words({"x gap to 9 of another epoch", "y gap to 9 of another epoch"}));
}

// ---- The subscription itself may be what was lost.

TEST_F(ChannelClientRepairTest, TwoRepairsWithoutALiveMessageMakeTheSubscriptionAgain) {
  const auto repair = [this](uint64_t digest, uint64_t head) {
    Digest(digest, {{"x", head}});
    Pass(absl::Milliseconds(250));
    History(TakeFetch(), head, 0, {{head - 1, head}});
  };
  repair(1, 6);
  Message("x", 7, 6);
  repair(2, 8);
  EXPECT_EQ(Subscribed(), Words());
  repair(3, 9);
  EXPECT_EQ(Subscribed(), Words({"+x", "+x?"}));
  Announce("x", 9, kEpoch, links_.last_nonce);
  EXPECT_EQ(Subscribed(), Words({"-x?"}));
  EXPECT_EQ(Told(), Words({"x 5→6", "x 6→7", "x 7→8", "x 8→9"}));  // not joined twice
  client_.Unsubscribe("x");
  EXPECT_EQ(Subscribed(), Words({"-x", "-x"}));
}

TEST_F(ChannelClientRepairTest, AfterASubscriptionThatWasMadeAgainRepairsAreCountedAnew) {
  uint64_t digest = 0;
  const auto repair = [&](uint64_t head) {
    Digest(++digest, {{"x", head}});
    Pass(absl::Milliseconds(250));
    History(TakeFetch(), head, 0, {{head - 1, head}});
  };
  repair(6);
  repair(7);
  EXPECT_EQ(Subscribed(), Words({"+x", "+x?"}));
  // While it is not announced, only time makes it again. That ends the proof's subscription before.
  repair(8);
  repair(9);
  EXPECT_EQ(Subscribed(), Words({"-x?", "+x", "+x?"}));
  Announce("x", 9, kEpoch, links_.last_nonce);
  Message("x", 10, 9);
  EXPECT_EQ(Subscribed(), Words({"-x?"}));
  repair(11);
  repair(12);
  EXPECT_EQ(Subscribed(), Words({"+x", "+x?"}));
  Announce("x", 12, kEpoch, links_.last_nonce);
  Subscribed();
  repair(13);
  EXPECT_EQ(Subscribed(), Words());
}

TEST_F(ChannelClientRepairTest, WhatSaysNothingAboutTheSubscriptionDoesNotMakeItAgain) {
  // Repairs after comparisons: the heads of a digest may have been lost with it.
  for (uint64_t head = 6; head <= 8; ++head) {
    Pass(absl::Milliseconds(250));  // the live link is still
    Digest(2 * head);
    Heads(TakeCompare(), {{"x", head}});
    History(TakeFetch(), head, 0, {{head - 1, head}});
  }
  // Digests that name heads which have come.
  Digest(17, {{"x", 9}, {"x", 9}, {"x", 9}});
  Message("x", 9, 8);
  Pass(absl::Milliseconds(250));
  // Digests while the group's repair is under way.
  Digest(18, {{"x", 10}});
  Pass(absl::Milliseconds(250));
  const channel::v1::FetchHistory fetch = TakeFetch();
  Digest(19, {{"x", 11}, {"x", 12}});
  Pass(absl::Milliseconds(250));
  History(fetch, 12, 0, {{9, 10}, {10, 11}, {11, 12}});
  EXPECT_EQ(links_.controls, Words());
  EXPECT_EQ(Subscribed(), Words());
  // Repairs without the publish link: the server may have lost the worker's links together.
  client_.OnPublishLinkDown();
  for (uint64_t head = 13; head <= 15; ++head) {
    Digest(head + 7, {{"x", head}});
    Pass(absl::Milliseconds(250));
    History(TakeFetch(), head, 0, {{head - 1, head}});
  }
  EXPECT_EQ(Subscribed(), Words());
}

TEST_F(ChannelClientRepairTest, AHoleInTheDigestsComparesAllHeads) {
  Join("y", 10);
  Pass(absl::Milliseconds(250));  // the live link is still
  Digest(1);
  EXPECT_EQ(links_.controls, Words());
  Digest(3);
  const channel::v1::CompareHeads compare = TakeCompare();
  EXPECT_EQ(compare.heads_size(), 2);
  EXPECT_EQ(Epoch{compare.epoch()}, kEpoch);
  Heads(compare, {{"y", 12}});
  const channel::v1::FetchHistory fetch = TakeFetch();
  EXPECT_EQ(fetch.group_id(), "y");
  History(fetch, 12, 0, {{10, 11}, {11, 12}});
  EXPECT_EQ(Told(), Words({"y 10→11", "y 11→12"}));
  Digest(4);
  EXPECT_EQ(links_.controls, Words());
}

TEST_F(ChannelClientRepairTest, DigestsGoOnWhereTheHelloLeftThem) {
  client_.OnControlUp();
  channel::v1::HelloReply reply = KnownReply();
  reply.set_last_digest(41);
  AnswerHello(reply);
  Heads(TakeCompare());
  Digest(42);
  EXPECT_EQ(links_.controls, Words());
}

// The server forgets who was idle for very long.
class ForgottenChannelClientTest : public ChannelClientTest {
 protected:
  ForgottenChannelClientTest() : ChannelClientTest(absl::Seconds(2)) {
    Connect();
    Join("x", 5);
  }
};

TEST_F(ForgottenChannelClientTest, SaysHelloAgainWhenDigestsStayAway) {
  Pass(absl::Seconds(1));
  Digest(1);
  Pass(absl::Milliseconds(1950));
  EXPECT_EQ(links_.controls, Words());
  Pass(absl::Milliseconds(50));
  channel::v1::HelloReply reply = KnownReply();
  reply.set_known(false);
  AnswerHello(reply);
  Heads(TakeCompare(), {{"x", 6}});
  // The digests of a server that had forgotten it begin anew.
  Digest(1);
  EXPECT_EQ(links_.controls.size(), 1u);
  History(TakeFetch(), 6, 0, {{5, 6}});
  EXPECT_EQ(Told(), Words({"x 5→6"}));
  Pass(absl::Milliseconds(1950));
  EXPECT_EQ(links_.controls, Words());
}

// The worker has just joined, and the messages since then wait in the live link.
TEST_F(ChannelClientTest, WhatTheLiveLinkHasNotBroughtYetIsNotRepaired) {
  Connect();
  client_.Subscribe("x");
  Live(LiveFramePrefix("x", {.kind = LiveKind::kAnnouncement,
                             .publisher = links_.last_nonce,
                             .number = 5,
                             .epoch = kEpoch,
                             .offset = 5}));
  Digest(2);  // a hole
  Heads(TakeCompare(), {{"x", 6}});
  EXPECT_EQ(links_.controls, Words());
  Message("x", 6, 5);
  Pass(absl::Seconds(1));
  EXPECT_EQ(client_.counters().repairs, 0u);
}

TEST_F(ChannelClientRepairTest, EachHelloIsFollowedByAComparison) {
  Pass(absl::Milliseconds(250));  // the live link is still
  client_.OnControlDown();
  client_.OnControlUp();
  AnswerHello();
  Heads(TakeCompare(), {{"x", 6}});
  History(TakeFetch(), 6, 0, {{5, 6}});
  EXPECT_EQ(Told(), Words({"disconnected", "connected", "x 5→6"}));
}

TEST_F(ChannelClientRepairTest, ComparesInFramesOf500) {
  for (int i = 0; i < 1000; ++i) Join(absl::StrCat("g", i), 0);
  Digest(7);
  EXPECT_EQ(TakeCompare().heads_size(), 500);
  EXPECT_EQ(TakeCompare().heads_size(), 500);
  EXPECT_EQ(TakeCompare().heads_size(), 1);
  EXPECT_EQ(links_.controls, Words());
}

TEST_F(ChannelClientRepairTest, AComparisonWithoutAnAnswerIsMadeAgain) {
  Digest(2);
  TakeCompare();
  Pass(absl::Milliseconds(4950));
  EXPECT_EQ(links_.controls, Words());
  Pass(absl::Milliseconds(50));
  Heads(TakeCompare());
  Pass(absl::Seconds(10));
  EXPECT_EQ(links_.controls, Words());
}

TEST_F(ChannelClientRepairTest, ARepairWithoutAnAnswerIsAskedForAgain) {
  Message("x", 7, 6);
  const channel::v1::FetchHistory late = TakeFetch();
  Pass(absl::Seconds(5));
  History(late, 7, 0, {{5, 6}});
  EXPECT_EQ(Told(), Words());
  History(TakeFetch(), 7, 0, {{5, 6}});
  EXPECT_EQ(Told(), Words({"x 5→6", "x 6→7"}));
}

// Otherwise the same question would bring the same answer for ever.
TEST_F(ChannelClientRepairTest, AnAnswerThatDoesNotHelpIsNotAskedForAtOnceAgain) {
  Message("x", 7, 6);
  History(TakeFetch(), 5, 0, {});
  EXPECT_EQ(links_.controls, Words());
  Pass(absl::Milliseconds(200));
  EXPECT_EQ(links_.controls, Words());
  Pass(absl::Milliseconds(50));
  History(TakeFetch(), 7, 0, {{5, 6}});
  EXPECT_EQ(Told(), Words({"x 5→6", "x 6→7"}));
}

TEST_F(ChannelClientRepairTest, RepairsAreAskedForAFewAtATime) {
  for (int i = 0; i < 20; ++i) Join(absl::StrCat("g", i), 5);
  for (int i = 0; i < 20; ++i) Message(absl::StrCat("g", i), 7, 6);
  EXPECT_EQ(links_.controls.size(), 16u);
  History(TakeFetch(), 7, 0, {{5, 6}});
  EXPECT_EQ(links_.controls.size(), 16u);
  EXPECT_EQ(Told(), Words({"g0 5→6", "g0 6→7"}));
}

TEST_F(ChannelClientRepairTest, ARepairThatCannotBeSentIsSentLater) {
  links_.control_full = true;
  Message("x", 7, 6);
  links_.control_full = false;
  Pass(absl::Milliseconds(50));
  History(TakeFetch(), 7, 0, {{5, 6}});
  EXPECT_EQ(Told(), Words({"x 5→6", "x 6→7"}));
}

// Two connections can each lose a repair: the comparison after the hello finds it again.
TEST_F(ChannelClientRepairTest, ARepairThatIsLostWithItsConnectionIsMadeAfterTheNext) {
  Message("x", 7, 6);
  const channel::v1::FetchHistory lost = TakeFetch();
  client_.OnControlDown();
  client_.OnControlUp();
  AnswerHello();
  Heads(TakeCompare(), {{"x", 7}});
  History(lost, 7, 0, {{5, 6}});
  Told();
  History(TakeFetch(), 7, 0, {{5, 6}});
  EXPECT_EQ(Told(), Words({"x 5→6", "x 6→7"}));
}

TEST_F(ChannelClientRepairTest, TheAnswerToARepairOfAGroupThatWasLeftIsIgnored) {
  Message("x", 7, 6);
  const channel::v1::FetchHistory fetch = TakeFetch();
  client_.Unsubscribe("x");
  client_.Subscribe("x");
  History(fetch, 7, 0, {{5, 6}, {6, 7}});
  EXPECT_EQ(Told(), Words());
  EXPECT_EQ(client_.held_bytes(), 0u);
}

// A repair of a group that was joined anew since, and of which nothing is announced yet.
TEST_F(ChannelClientRepairTest, ARepairOfAGroupThatWasLeftDoesNotStandInTheWayOfTheNext) {
  Message("x", 8, 7);
  const channel::v1::FetchHistory first = TakeFetch();
  client_.Unsubscribe("x");
  client_.Subscribe("x");
  Pass(absl::Seconds(6));
  EXPECT_EQ(links_.controls, Words());
  History(first, 8, 0, {{5, 8}});
  Announce("x", 8, kEpoch, links_.last_nonce);
  Message("x", 10, 9);
  EXPECT_EQ(TakeFetch().after(), 8u);
}

TEST_F(ChannelClientRepairTest, AListenerMayUnsubscribeDuringARepair) {
  Message("x", 8, 7);
  listener_.on_message = [this] { client_.Unsubscribe("x"); };
  History(TakeFetch(), 8, 0, {{5, 6}, {6, 7}});
  EXPECT_EQ(Told(), Words({"x 5→6"}));
  EXPECT_EQ(client_.held_bytes(), 0u);
}

// ---- Another epoch.

TEST_F(ChannelClientRepairTest, ANewEpochInAHelloIsToldOfEachGroup) {
  client_.OnControlUp();
  AnswerHello(KnownReply(kNextEpoch));
  const channel::v1::FetchHistory fetch = TakeFetch();
  EXPECT_EQ(Epoch{fetch.epoch()}, kEpoch);
  History(fetch, 2, 2, {}, kNextEpoch);
  Message("x", 3, 2, kNextEpoch);
  EXPECT_EQ(Told(), Words({"disconnected", "connected", "x gap to 2 of another epoch", "x 2→3"}));
}

TEST_F(ChannelClientRepairTest, ANewEpochInADigestIsToldOfEachGroup) {
  Digest(1, {}, kNextEpoch);
  History(TakeFetch(), 2, 2, {}, kNextEpoch);
  EXPECT_EQ(Told(), Words({"x gap to 2 of another epoch"}));
  Digest(2, {}, kNextEpoch);
  EXPECT_EQ(links_.controls, Words());
}

TEST_F(ChannelClientRepairTest, ANewEpochsMessagesAreNothingUntilControlKnowsIt) {
  Message("x", 9, 5, kNextEpoch);
  Announce("x", 9, kNextEpoch);
  EXPECT_EQ(links_.controls, Words());
  Message("x", 6, 5);
  EXPECT_EQ(Told(), Words({"x 5→6"}));
}

// Its announcements may have come before, when they counted for nothing.
TEST_F(ChannelClientRepairTest, ANewEpochInTheAnswerToAQuestionIsToldOfEachGroup) {
  Publish("a");
  Announce("x", 9, kNextEpoch);
  Pass(absl::Milliseconds(200));
  AnswerHello(KnownReply(kNextEpoch));
  Digest(1, {}, kNextEpoch);
  History(TakeFetch(), 9, 9, {}, kNextEpoch);
  EXPECT_EQ(Told(), Words({"x gap to 9 of another epoch"}));
}

TEST_F(ChannelClientRepairTest, ANewEpochInOneGroupsRepairIsToldOfAll) {
  Join("y", 5);
  Message("x", 7, 6);
  Announce("y", 9, kNextEpoch);
  History(TakeFetch(), 9, 9, {}, kNextEpoch);
  Digest(1, {}, kNextEpoch);
  const channel::v1::FetchHistory fetch = TakeFetch();
  EXPECT_EQ(fetch.group_id(), "y");
  History(fetch, 9, 9, {}, kNextEpoch);
  EXPECT_EQ(Told(), Words({"x gap to 9 of another epoch", "y gap to 9 of another epoch"}));
}

TEST_F(ChannelClientRepairTest, TheHighestOffsetBeginsAnewWithTheEpoch) {
  Message("x", 9, 5);
  client_.OnControlUp();
  EXPECT_EQ(TakeHello().highest_offset(), 9u);
  client_.OnControlUp();
  AnswerHello(KnownReply(kNextEpoch));
  client_.OnControlUp();
  links_.controls.erase(links_.controls.begin(), links_.controls.end() - 1);
  const channel::v1::Hello hello = TakeHello();
  EXPECT_EQ(Epoch{hello.epoch()}, kNextEpoch);
  EXPECT_EQ(hello.highest_offset(), 0u);
}

// The server may come back with an older copy of its log. Only workers that name the offsets that
// they have seen keep it from giving these offsets again.
TEST_F(ChannelClientRepairTest, TheNextHelloNamesEachOffsetHoweverItWasLearnt) {
  const auto expect_next_hello = [this](uint64_t offset, const char* source) {
    client_.OnControlDown();
    client_.OnControlUp();
    links_.controls.erase(links_.controls.begin(), links_.controls.end() - 1);
    const std::string hello = links_.controls.front();
    EXPECT_EQ(TakeHello().highest_offset(), offset) << source;
    links_.controls.push_back(hello);
    AnswerHello(KnownReply(kEpoch, 1));
    Heads(TakeCompare());
    Told();
  };
  Message("x", 10, 5);
  expect_next_hello(10, "a live message");
  Live(LiveFramePrefix("x", {.kind = LiveKind::kMessage,
                             .publisher = PublisherId{1},
                             .number = 1'000,
                             .epoch = kEpoch,
                             .offset = 10,
                             .previous = 5}));
  expect_next_hello(10, "a live message, whose number is its publisher's");
  Message("of nobody here", 20, 5);
  expect_next_hello(20, "a live message of a group that was left");
  Announce("x", 10);
  expect_next_hello(20, "an older announcement");
  Announce("of nobody here", 30);
  expect_next_hello(30, "an announcement");
  Live(LiveFramePrefix(
      "x", {.kind = LiveKind::kAnnouncement, .number = 35, .epoch = kEpoch, .offset = 10}));
  expect_next_hello(35, "the newest offset of all groups, which an announcement names");
  Publish("a");
  Acknowledge(1, {40});
  expect_next_hello(40, "an acknowledgement");
  Publish("b");
  Publish("c");
  Publish("d");
  Acknowledge(2, {43, 0, 41});  // keys and refusals: not in order
  expect_next_hello(43, "an acknowledgement whose last result is not its highest");

  client_.OnControlDown();
  client_.OnControlUp();
  Publish("e");
  channel::v1::HelloReply reply = KnownReply(kEpoch, 5);
  reply.mutable_results()->set_epoch(static_cast<uint64_t>(kEpoch));
  reply.mutable_results()->set_first_number(5);
  reply.mutable_results()->add_offsets(50);
  AnswerHello(reply);
  expect_next_hello(50, "the results in the answer to a hello");

  Digest(1, {{"of nobody here", 60}, {"nor this", 55}});
  expect_next_hello(60, "a digest");

  client_.OnControlDown();
  client_.OnControlUp();
  links_.controls.erase(links_.controls.begin(), links_.controls.end() - 1);
  AnswerHello(KnownReply(kEpoch, 5));
  Heads(TakeCompare(), {{"of nobody here", 70}});
  expect_next_hello(70, "a comparison of heads");

  Message("x", 13, 12);
  History(TakeFetch(), 80, 5, {{10, 12}});
  expect_next_hello(80, "a repair");
  Fetch("of nobody here", 5);
  History(TakeFetch(), 90, 5, {});
  expect_next_hello(90, "a history that a client asked for");
}

// ---- History for clients.

TEST_F(ChannelClientRepairTest, FetchesHistory) {
  Fetch("y", 5, 10);
  EXPECT_EQ(Told(), Words());
  const channel::v1::FetchHistory fetch = TakeFetch();
  EXPECT_EQ(fetch.newest(), 10u);
  History(fetch, 9, 0, {{5, 6}, {6, 9}});
  EXPECT_EQ(Told(), Words({"history of 2 up to 9"}));
}

TEST_F(ChannelClientRepairTest, FetchesFailWithoutAConnectionOrAnAnswer) {
  Fetch("y", 5);
  TakeFetch();
  Pass(absl::Milliseconds(4950));
  EXPECT_EQ(Told(), Words());
  Pass(absl::Milliseconds(50));
  EXPECT_EQ(Told(), Words({"history: UNAVAILABLE"}));

  Fetch("y", 5);
  client_.OnControlDown();
  EXPECT_EQ(Told(), Words({"disconnected", "history: UNAVAILABLE"}));

  Fetch("y", 5);
  EXPECT_EQ(answers_, Words());  // not from inside the call
  EXPECT_EQ(Told(), Words({"history: UNAVAILABLE"}));
}

// The link may be replaced without a word that the one before is down.
TEST_F(ChannelClientRepairTest, AnotherControlLinkEndsTheFetchesOfTheOneBefore) {
  Fetch("y", 5);
  client_.OnControlUp();
  EXPECT_EQ(Told(), Words({"disconnected", "history: UNAVAILABLE"}));
}

TEST_F(ChannelClientRepairTest, HistorySaysWhereItBeginsAndCountsWhatIsNoMessage) {
  Fetch("x", 5);
  History(TakeFetch(), 9, 5, {{5, 6}, {6, 9}});
  EXPECT_EQ(Told(), Words({"history of 2 up to 9 from 5"}));
  Fetch("x", 5);
  channel::v1::History history;
  history.set_request(TakeFetch().request());
  history.set_epoch(static_cast<uint64_t>(kEpoch));
  history.set_head(9);
  history.add_messages("nonsense");
  history.add_messages(MessageFrame("x", 9, 6));
  Control(ControlKind::kHistory, history);
  EXPECT_EQ(Told(), Words({"history of 1 up to 9"}));
  EXPECT_EQ(client_.counters().malformed, 1u);
}

TEST_F(ChannelClientRepairTest, HistoryStepsOverWhatCannotBeRead) {
  const auto answer = [this](uint64_t first) {
    channel::v1::History history;
    history.set_request(TakeFetch().request());
    history.set_epoch(static_cast<uint64_t>(kEpoch));
    history.set_head(8);
    for (uint64_t offset = first; offset <= 8; ++offset) {
      std::string frame = MessageFrame("x", offset, offset - 1);
      if (offset == 7) frame += "\x08\x09";
      history.add_messages(frame);
    }
    Control(ControlKind::kHistory, history);
  };
  Fetch("x", 5);
  answer(6);
  EXPECT_EQ(Told(), Words({"history of 1 up to 8"}));
  Fetch("x", 6);
  answer(7);
  EXPECT_EQ(Told(), Words({"history of 1 up to 8 from 7"}));
  Fetch("x", 5, 10);
  answer(6);
  EXPECT_EQ(Told(), Words({"history of 1 up to 8 from 7"}));
}

// A channel server of before does not say how far the live link has come. (Old and new meet in a
// rolling upgrade.) Its announcements, which come for as long as members join, say nothing.
TEST_F(ChannelClientRepairTest, AnAnnouncementWithoutANumberPutsNoRepairOff) {
  Join("y", 4);
  Digest(1, {{"x", 6}});
  for (int i = 0; i < 100 && links_.controls.empty(); ++i) {
    Live(LiveFramePrefix("y", {.kind = LiveKind::kAnnouncement, .epoch = kEpoch, .offset = 4}));
    Pass(absl::Milliseconds(50));
  }
  EXPECT_EQ(TakeFetch().group_id(), "x");
}

}  // namespace
}  // namespace groupcast::service
