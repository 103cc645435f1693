// Order, results, keys, announcements and digests. What is kept for how long is in
// broker_retention_test.cc, what survives in broker_recovery_test.cc, and what a full disk changes
// in broker_full_disk_test.cc.

#include "services/channel_server/broker/broker.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"
#include "services/channel_server/broker/broker_harness.h"

namespace groupcast::service {
namespace {

constexpr Fingerprint kKey{1, 2};
constexpr PublisherId kNonce{77};

class BrokerTest : public testing::Test {
 protected:
  BrokerHarness server_;
};

// ---- Order.

TEST_F(BrokerTest, OffsetsAreOneCounterAndPreviousIsTheGroupsOwn) {
  EXPECT_EQ(server_.Publish(kA, 1, "x"), "0→1");
  EXPECT_EQ(server_.Publish(kA, 2, "y"), "0→2");
  EXPECT_EQ(server_.Publish(kB, 1, "x"), "1→3");
  EXPECT_EQ(server_.Publish(kA, 3, "y"), "2→4");
}

TEST_F(BrokerTest, TakesEachPublishersNumbersInTurnAndOnce) {
  EXPECT_EQ(server_.Publish(kA, 1, "x"), "0→1");
  EXPECT_EQ(server_.Publish(kA, 1, "x"), "ALREADY_EXISTS");
  EXPECT_EQ(server_.Publish(kA, 3, "x"), "ABORTED");
  EXPECT_EQ(server_.Publish(kA, ~uint64_t{0}, "x"), "ABORTED");
  EXPECT_EQ(server_.Publish(kA, 2, "x"), "1→2");
  EXPECT_EQ(server_.EndTurn(), Words({"to 1: from 1: 1 2"}));
  EXPECT_EQ(server_.Publish(kA, 2, "x"), "ALREADY_EXISTS");
  EXPECT_EQ(server_.broker.counters().repeated, 2u);
  EXPECT_EQ(server_.broker.counters().out_of_turn, 2u);
}

TEST_F(BrokerTest, DropsPublicationsOfStrangers) {
  EXPECT_EQ(server_.Publish(PublisherId{99}, 1, "x"), "FAILED_PRECONDITION");
  EXPECT_EQ(server_.EndTurn(), Words());
  EXPECT_EQ(server_.broker.counters().strangers, 1u);
}

TEST_F(BrokerTest, WritesThenHandsOutThenAnnouncesThenAcknowledges) {
  BrokerHarness server(SmallOptions(true));
  server.Subscribe("x");
  server.Publish(kA, 1, "x");
  server.Publish(kA, 2, "y");
  server.EndTurn();
  EXPECT_EQ(server.sink.everything,
            Words({"write", "hand out 0", "hand out 1", "head x 1 floor 0", "to 1: from 1: 1 2"}));
}

// ---- Results.

TEST_F(BrokerTest, AcknowledgesAtTheEndOfTheTurnInOneRunPerPublisher) {
  server_.Publish(kA, 1, "x");
  server_.Publish(kB, 1, "x");
  server_.Publish(kA, 2, "x");
  EXPECT_EQ(server_.EndTurn(), Words({"to 1: from 1: 1 3", "to 2: from 1: 2"}));
  server_.Publish(kA, 3, "x");
  EXPECT_EQ(server_.EndTurn(), Words({"to 1: from 3: 4"}));
}

TEST_F(BrokerTest, RefusesWhatIsTooLargeOrNoPublicationAndGoesOn) {
  EXPECT_EQ(
      server_.Publish(kA, 1, "x", {.body = std::string(100 + kContentOverheadBytes + 1, 'b')}),
      "INVALID_ARGUMENT");
  EXPECT_EQ(server_.Publish(kA, 2, "x", {.kind = LiveKind::kMessage}), "INVALID_ARGUMENT");
  EXPECT_EQ(server_.Publish(kA, 3, "x", {.body = std::string(100 + kContentOverheadBytes, 'b')}),
            "0→1");
  EXPECT_EQ(server_.EndTurn(), Words({"to 1: from 1: 0 0 1 1 TOO_LARGE 2 MALFORMED"}));
}

TEST_F(BrokerTest, AVoidTakesItsNumberAndNothingElse) {
  EXPECT_EQ(server_.Publish(kA, 1, "x", {.kind = LiveKind::kVoid}), "CANCELLED");
  EXPECT_EQ(server_.Publish(kA, 2, "x"), "0→1");
  EXPECT_EQ(server_.EndTurn(), Words({"to 1: from 1: 0 1 1 VOID"}));
}

TEST_F(BrokerTest, HelloBringsTheResultsFromTheFirstUnacknowledgedOn) {
  EXPECT_EQ(server_.Hello(PublisherId{3}), "to 3: new after 0");
  server_.Publish(kA, 1, "x");
  server_.Publish(kA, 2, "x", {.kind = LiveKind::kVoid});
  server_.Publish(kA, 3, "x");
  server_.sink.reachable = BrokerSink::Sent::kFull;
  server_.EndTurn();
  server_.sink.reachable = BrokerSink::Sent::kSent;
  EXPECT_EQ(server_.Hello(kA, 1), "to 1: known after 3 from 1: 1 0 2 2 VOID");
  EXPECT_EQ(server_.Hello(kA, 3), "to 1: known after 3 from 3: 2");
  EXPECT_EQ(server_.Hello(kA, 4), "to 1: known after 3");
}

TEST_F(BrokerTest, ForgetsResultsThatNobodyWillAskFor) {
  server_.Publish(kA, 1, "x");
  server_.Publish(kA, 2, "x");
  server_.EndTurn();
  server_.Publish(kA, 3, "x", {.first_unacknowledged = 2});
  server_.EndTurn();
  EXPECT_EQ(server_.Hello(kA, 1), "to 1: known after 3 from 2: 2 3");
  server_.Hello(kA, 3);
  EXPECT_EQ(server_.Hello(kA, 1), "to 1: known after 3 from 3: 3");
}

TEST_F(BrokerTest, RemembersABoundedNumberOfResults) {
  for (uint64_t number = 1; number <= 6; ++number) {
    server_.Publish(kA, number, "x");
    server_.EndTurn();
  }
  EXPECT_EQ(server_.Hello(kA, 1), "to 1: known after 6 from 3: 3 4 5 6");
}

// A publisher that has its results from a server before this one.
TEST_F(BrokerTest, GoesOnWhereThePublisherIs) {
  EXPECT_EQ(server_.Hello(PublisherId{3}, 10), "to 3: new after 9");
  EXPECT_EQ(server_.Publish(PublisherId{3}, 10, "x"), "0→1");
  server_.EndTurn();
  EXPECT_EQ(server_.Hello(PublisherId{3}, 10), "to 3: known after 10 from 10: 1");
}

TEST_F(BrokerTest, AHelloReplyHasAllThatAWorkerGoesOnWith) {
  server_.Publish(kA, 1, "x");
  server_.EndTurn();
  server_.Pass(absl::Milliseconds(250));
  EXPECT_EQ(server_.Digests().front(), "to 1: #2 x 1");
  channel::v1::Hello hello;
  hello.set_attempt(9);
  hello.set_first_unacknowledged(1);
  ASSERT_TRUE(
      server_.broker.OnControl(kA, ControlFrame(ControlKind::kHello, hello), &server_.sink).ok());
  const channel::v1::HelloReply& reply = server_.sink.hello_reply;
  EXPECT_EQ(Epoch{reply.epoch()}, kEpoch);
  EXPECT_EQ(reply.last_accepted(), 1u);
  EXPECT_EQ(reply.max_message_bytes(), 100u);
  EXPECT_EQ(reply.attempt(), 9u);
  EXPECT_TRUE(reply.known());
  EXPECT_EQ(reply.last_digest(), 2u);
  EXPECT_FALSE(reply.reading_paused());
  EXPECT_EQ(Epoch{reply.results().epoch()}, kEpoch);
}

TEST_F(BrokerTest, CountsWhatItDoes) {
  BrokerHarness server(SmallOptions(true));
  server.Subscribe("x");
  server.Publish(kA, 1, "x");
  server.Publish(kA, 2, "x");
  server.Publish(kA, 3, "x", {.kind = LiveKind::kMessage});
  server.EndTurn();
  const Broker::Counters& counters = server.broker.counters();
  EXPECT_EQ(counters.publications, 2u);
  EXPECT_EQ(counters.announcements, 1u);
  EXPECT_EQ(counters.not_publications, 1u);
  server.sink.log_works = false;
  server.Publish(kA, 4, "x");
  server.EndTurn();
  EXPECT_EQ(counters.publications, 2u);
  EXPECT_EQ(counters.unlogged, 1u);
  EXPECT_EQ(counters.failed_writes, 1u);
  server.sink.log_works = true;
  server.Publish(kA, 5, "x", {.body = std::string(server.options.max_message_bytes + 1'000, 'b')});
  server.Publish(kA, 6, "x", {.kind = LiveKind::kVoid});
  server.EndTurn();
  EXPECT_EQ(counters.publications, 2u);
  EXPECT_EQ(counters.too_large, 1u);
  EXPECT_EQ(counters.voids, 1u) << "what its worker gave up was not refused";
  EXPECT_EQ(counters.refused(), 3u);
  server.History("x");
  server.History("x");
  EXPECT_EQ(counters.history_answers, 2u);
  EXPECT_EQ(server.broker.retained_messages(), 2u);
}

// ---- Keys.

TEST_F(BrokerTest, PublicationsOfOneKeyCountOnce) {
  EXPECT_EQ(server_.Publish(kA, 1, "x", {.key = kKey}), "0→1");
  EXPECT_EQ(server_.Publish(kA, 2, "x", {.key = kKey}), "ALREADY_EXISTS");
  server_.EndTurn();
  EXPECT_EQ(server_.Publish(kB, 1, "x", {.key = kKey}), "ALREADY_EXISTS");
  EXPECT_EQ(server_.Publish(kB, 2, "x", {.key = {1, 3}}), "1→2");
  EXPECT_EQ(server_.EndTurn(), Words({"to 2: from 1: 1 2"}));
  EXPECT_EQ(server_.Hello(kA, 1), "to 1: known after 2 from 1: 1 1");
  EXPECT_EQ(server_.broker.counters().same_key, 2u);
}

TEST_F(BrokerTest, AKeyCountsForTwoMinutesFromItsFirstPublication) {
  server_.Publish(kA, 1, "x", {.key = kKey});
  server_.EndTurn();
  server_.Pass(absl::Seconds(119));
  EXPECT_EQ(server_.Publish(kA, 2, "x", {.key = kKey}), "ALREADY_EXISTS");
  server_.EndTurn();
  server_.Pass(absl::Seconds(1));
  EXPECT_EQ(server_.broker.key_count(), 0u);
  EXPECT_EQ(server_.Publish(kA, 3, "x", {.key = kKey}), "1→2");
}

TEST_F(BrokerTest, OfTooManyKeysTheOldestAreForgotten) {
  for (uint64_t number = 1; number <= 4; ++number) {
    server_.Publish(kA, number, "x", {.key = {number, number}});
  }
  server_.EndTurn();
  EXPECT_EQ(server_.broker.key_count(), 3u);
  EXPECT_EQ(server_.Publish(kA, 5, "x", {.key = {2, 2}}), "ALREADY_EXISTS");
  EXPECT_EQ(server_.Publish(kA, 6, "x", {.key = {1, 1}}), "4→5");
}

// ---- Announcements.

// The announcement is the join point, so it must have everything that was handed out before it in
// the turn.
TEST_F(BrokerTest, AnnouncesEachTopicOncePerTurnWithTheHeadOfItsEnd) {
  server_.Subscribe("x");
  server_.Subscribe("x");
  server_.Publish(kA, 1, "x");
  EXPECT_EQ(server_.EndTurn(), Words({"head x 1 floor 0", "to 1: from 1: 1"}));
  EXPECT_EQ(server_.EndTurn(), Words());
  server_.Subscribe("x");
  EXPECT_EQ(server_.EndTurn(), Words({"head x 1 floor 0"}));
}

// The shell must not wait for input while the next turn has something to announce.
TEST_F(BrokerTest, AnAnnouncementOverTheTurnsNumberIsWorkForTheNextTurn) {
  for (int i = 0; i < 251; ++i) server_.Subscribe(absl::StrCat("g", i));
  EXPECT_EQ(server_.EndTurn().size(), 250u);
  EXPECT_EQ(server_.broker.waiting_announcements(), 1u);
  EXPECT_EQ(server_.broker.rest(), Broker::Rest::kMore);
  EXPECT_EQ(server_.EndTurn().size(), 1u);
  EXPECT_EQ(server_.broker.rest(), Broker::Rest::kNothing);
}

// Whoever asks for proof must be able to tell its answer from that to others.
TEST_F(BrokerTest, AnswersEachProofThatIsAskedForWithItsNonce) {
  server_.Subscribe("x");
  server_.Subscribe("x", kNonce);
  server_.Subscribe("x", PublisherId{78});
  EXPECT_EQ(server_.EndTurn(),
            Words({"head x 0 floor 0", "head x 0 floor 0 for 77", "head x 0 floor 0 for 78"}));
  // The end of a proof is not the end of the subscription.
  server_.Unsubscribe("x", kNonce);
  server_.Pass(absl::Seconds(300));
  EXPECT_EQ(server_.broker.group_count(), 1u);
}

// ---- Digests.

// Of groups without subscribers too, because a subscription may have been lost.
TEST_F(BrokerTest, DigestsAreNumberedForEachWorkerAndComeEvenIfEmpty) {
  server_.Subscribe("x");
  server_.Publish(kA, 1, "x");
  server_.Publish(kA, 2, "x");
  server_.Publish(kA, 3, "unsubscribed");
  server_.EndTurn();
  EXPECT_EQ(server_.Digests(), Words());
  server_.Pass(absl::Milliseconds(250));
  EXPECT_EQ(server_.Digests(),
            Words({"to 1: #2 unsubscribed 3 x 2", "to 2: #2 unsubscribed 3 x 2"}));
  server_.Hello(PublisherId{3});
  server_.Pass(absl::Milliseconds(250));
  Words digests = server_.Digests();
  std::sort(digests.begin(), digests.end());
  EXPECT_EQ(digests, Words({"to 1: #3", "to 2: #3", "to 3: #1"}));
}

// Otherwise workers that read much would hold up the results of others' publications.
TEST_F(BrokerTest, HistoryComesAfterEverythingElseAndALittleInEachTurn) {
  BrokerOptions options = SmallOptions();
  options.questions.turn_bytes = 1;
  BrokerHarness server(options);
  server.EndTurn();
  server.sink.everything.clear();
  server.AskHistory(kA, "x");
  server.AskHistory(kA, "x");
  server.AskHistory(kB, "x");
  server.Publish(kA, 1, "x");
  server.EndTurn();
  EXPECT_EQ(server.broker.rest(), Broker::Rest::kMore);
  server.broker.AnswerQuestions(&server.sink);
  EXPECT_EQ(server.sink.everything, Words({"hand out 0", "to 1: from 1: 1", "to 1: history"}));
  server.broker.AnswerQuestions(&server.sink);
  EXPECT_EQ(server.sink.everything.back(), "to 2: history");
  EXPECT_EQ(server.broker.rest(), Broker::Rest::kMore);
  server.broker.AnswerQuestions(&server.sink);
  EXPECT_EQ(server.sink.everything.back(), "to 1: history");
  EXPECT_EQ(server.broker.rest(), Broker::Rest::kNothing);
}

// They reach up to what is handed out, and a full log or a slow subscriber does not hold them up.
TEST_F(BrokerTest, HistoryIsAnsweredWhileTheLogCannotBeWritten) {
  BrokerHarness server(SmallOptions(true));
  server.Publish(kA, 1, "x");
  server.EndTurn();
  server.sink.log_works = false;
  server.Publish(kA, 2, "x");
  server.EndTurn();
  server.AskHistory(kA, "x");
  EXPECT_EQ(server.broker.rest(), Broker::Rest::kMore);
  EXPECT_EQ(server.History("x"), "1 from 0 up to 1");
  EXPECT_EQ(server.broker.rest(), Broker::Rest::kNothing);
}

TEST_F(BrokerTest, ADigestThatCannotBeSentLeavesAHoleInTheNumbers) {
  server_.sink.reachable = BrokerSink::Sent::kFull;
  server_.Pass(absl::Milliseconds(250));
  server_.sink.reachable = BrokerSink::Sent::kSent;
  server_.Pass(absl::Milliseconds(250));
  EXPECT_EQ(server_.Digests(), Words({"to 1: #3", "to 2: #3"}));
}

TEST_F(BrokerTest, AWorkerLagsWhileItCannotTakeDigests) {
  const auto next_round = [this](BrokerSink::Sent reachable) {
    server_.sink.reachable = reachable;
    server_.Pass(absl::Milliseconds(250));
    return server_.broker.digests().last_round();
  };
  const uint64_t sent = server_.broker.digests().sent();
  EXPECT_EQ(next_round(BrokerSink::Sent::kSent).workers, 2u);
  EXPECT_EQ(server_.broker.digests().last_round().lagging, 0u);
  EXPECT_EQ(server_.broker.digests().sent(), sent + 2);
  EXPECT_EQ(next_round(BrokerSink::Sent::kFull).workers, 2u);
  EXPECT_EQ(server_.broker.digests().last_round().lagging, 2u);
  EXPECT_EQ(server_.broker.digests().sent(), sent + 2);
  EXPECT_EQ(next_round(BrokerSink::Sent::kSent).lagging, 0u);
  EXPECT_EQ(next_round(BrokerSink::Sent::kGone).workers, 0u);
  EXPECT_EQ(server_.broker.digests().last_round().lagging, 0u) << "it has gone";
}

TEST_F(BrokerTest, WhoHasGoneGetsDigestsAfterTheNextHello) {
  server_.sink.reachable = BrokerSink::Sent::kGone;
  server_.Pass(absl::Milliseconds(250));
  server_.sink.reachable = BrokerSink::Sent::kSent;
  server_.Pass(absl::Milliseconds(250));
  EXPECT_EQ(server_.Digests(), Words());
  server_.Hello(kA);
  server_.Pass(absl::Milliseconds(250));
  EXPECT_EQ(server_.Digests(), Words({"to 1: #3"}));
}

// Each frame names up to 500 groups, and each group is named once.
TEST_F(BrokerTest, ADigestOfManyGroupsComesInSeveralFrames) {
  for (uint64_t number = 1; number <= 1'000; ++number) {
    server_.Publish(kA, number, absl::StrCat("g", number), {.first_unacknowledged = number});
  }
  server_.EndTurn();
  server_.Pass(absl::Milliseconds(250));
  Words named;
  for (const std::string& digest : server_.Digests()) {
    const Words words = absl::StrSplit(digest, ' ');
    EXPECT_EQ(words.size(), 3u + 2 * 500) << digest.substr(0, 20);  // "to 1: #2 g1 1 g2 2 ..."
    for (size_t i = 3; i < words.size(); i += 2) named.push_back(words[1] + words[i]);
  }
  EXPECT_EQ(named.size(), 2'000u);
  std::sort(named.begin(), named.end());
  EXPECT_EQ(std::adjacent_find(named.begin(), named.end()), named.end());
  server_.Publish(kA, 1'001, "one more");
  server_.EndTurn();
  server_.Pass(absl::Milliseconds(250));
  EXPECT_EQ(server_.Digests().front(), "to 1: #4 one more 1001");
}

TEST_F(BrokerTest, ComparesHeads) {
  server_.Publish(kA, 1, "x");
  server_.Publish(kA, 2, "y");
  server_.EndTurn();
  EXPECT_EQ(server_.Compare({{"x", 1}, {"y", 1}, {"unknown", 0}, {"gone", 2}}),
            Words({"gone 0", "y 2"}));
  EXPECT_EQ(server_.Compare({{"x", 1}}, kNextEpoch), Words({"x 1"}));
}

// ---- What is not of this protocol.

TEST_F(BrokerTest, IgnoresWhatItCannotRead) {
  Broker& broker = server_.broker;
  std::string nonsense = "nonsense";
  EXPECT_FALSE(broker.OnPublication(absl::MakeSpan(nonsense)).ok());
  EXPECT_FALSE(broker.OnSubscription("no NUL").ok());
  EXPECT_FALSE(broker.OnSubscription("").ok());
  EXPECT_FALSE(broker.OnUnsubscription("").ok());
  EXPECT_FALSE(broker.OnControl(kA, "", &server_.sink).ok());
  EXPECT_FALSE(broker.OnControl(kA, absl::string_view("\x01\x63\0\0", 4), &server_.sink).ok());
  EXPECT_FALSE(broker.OnControl(kA, absl::string_view("\x01\x01\0\0\xff", 5), &server_.sink).ok());
  EXPECT_EQ(broker.counters().malformed, 7u);
  EXPECT_EQ(server_.EndTurn(), Words());
  EXPECT_EQ(broker.group_count(), 0u);
}

}  // namespace
}  // namespace groupcast::service
