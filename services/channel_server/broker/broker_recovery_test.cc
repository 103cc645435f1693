// What a Broker's log brings back.

#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "services/channel_server/broker/broker.h"
#include "services/channel_server/broker/broker_harness.h"

namespace groupcast::service {
namespace {

constexpr Fingerprint kKey{1, 2};

class BrokerRecoveryTest : public testing::Test {
 protected:
  // All that a worker can learn of a group.
  static std::string All(BrokerHarness* server, absl::string_view group_id) {
    return server->History(group_id, 0, 0, server->broker.epoch());
  }

  BrokerHarness server_{SmallOptions(true)};
};

// ---- Restarts.

TEST_F(BrokerRecoveryTest, ARestartedServerIsTheOneThatWroteTheLog) {
  server_.Subscribe("x");
  server_.Publish(kA, 1, "x", {.key = kKey});
  server_.Publish(kA, 2, "x", {.key = kKey});
  server_.Publish(kA, 3, "x", {.kind = LiveKind::kVoid});
  server_.Publish(kB, 1, "y");
  server_.EndTurn();
  server_.Publish(kA, 4, "x");
  server_.EndTurn();

  const std::unique_ptr<BrokerHarness> restarted = server_.Restart();
  EXPECT_EQ(restarted->broker.epoch(), kEpoch);
  EXPECT_EQ(restarted->broker.last_offset(), 3u);
  EXPECT_EQ(restarted->broker.retained_bytes(), server_.broker.retained_bytes());
  for (const char* group_id : {"x", "y", "unknown"}) {
    EXPECT_EQ(All(restarted.get(), group_id), All(&server_, group_id));
  }
  EXPECT_EQ(All(restarted.get(), "x"), "1 3 from 0 up to 3");
  EXPECT_EQ(restarted->Hello(kA, 1), "to 1: known after 4 from 1: 1 1 0 3 3 VOID");
  EXPECT_EQ(restarted->Hello(kB, 2), "to 2: known after 1");
  EXPECT_EQ(restarted->Publish(kA, 4, "x"), "ALREADY_EXISTS");
  EXPECT_EQ(restarted->Publish(kA, 5, "x", {.key = kKey}), "ALREADY_EXISTS");
  EXPECT_EQ(restarted->Publish(kA, 6, "x"), "3→4");
  EXPECT_EQ(restarted->EndTurn(), Words({"to 1: from 5: 1 4"}));
}

TEST_F(BrokerRecoveryTest, ASecondRestartIsLikeTheFirst) {
  server_.Publish(kA, 1, "x");
  server_.EndTurn();
  const std::unique_ptr<BrokerHarness> first = server_.Restart();
  first->Hello(kA, 1);
  first->Publish(kA, 2, "x");
  first->EndTurn();
  const std::unique_ptr<BrokerHarness> second = first->Restart();
  EXPECT_EQ(All(second.get(), "x"), "1 2 from 0 up to 2");
  EXPECT_EQ(second->Hello(kA, 1), "to 1: known after 2 from 1: 1 2");
}

// Of the segments before, only what is small and cannot be made anew is left.
TEST_F(BrokerRecoveryTest, ASnapshotHasHeadsAndLastNumbers) {
  server_.Publish(kA, 1, "x");
  server_.Publish(kB, 1, "y");
  server_.EndTurn();
  server_.Rotate();
  server_.Publish(kA, 2, "x");
  server_.EndTurn();
  const std::unique_ptr<BrokerHarness> restarted = server_.Restart();
  EXPECT_EQ(restarted->broker.epoch(), kEpoch);
  EXPECT_EQ(All(restarted.get(), "x"), "3 from 1 up to 3");
  EXPECT_EQ(All(restarted.get(), "y"), "from 2 up to 2");
  EXPECT_EQ(restarted->Hello(kA, 1), "to 1: known after 2 from 2: 3");
  EXPECT_EQ(restarted->Hello(kB, 1), "to 2: known after 1");
  EXPECT_EQ(restarted->Publish(kB, 2, "y"), "2→4");
}

TEST_F(BrokerRecoveryTest, AGroupThatWasSubscribedBeforeItsFirstMessageKeepsItsFloor) {
  server_.Publish(kA, 1, "x");
  server_.EndTurn();
  server_.Subscribe("y");
  server_.EndTurn();
  server_.Publish(kA, 2, "y");
  server_.EndTurn();
  EXPECT_EQ(All(server_.Restart().get(), "y"), "2 from 0 up to 2");
}

TEST_F(BrokerRecoveryTest, AGroupThatWasForgottenAndKnownAgainBeginsWhereItBegan) {
  server_.Publish(kA, 1, "subscribed");
  server_.Publish(kA, 2, "published");
  server_.Publish(kA, 3, "forgotten");
  server_.EndTurn();
  server_.Pass(absl::Seconds(361));
  EXPECT_EQ(server_.broker.group_count(), 0u);
  server_.Subscribe("subscribed");
  server_.Publish(kA, 4, "published");
  server_.EndTurn();

  const std::unique_ptr<BrokerHarness> restarted = server_.Restart();
  EXPECT_EQ(All(restarted.get(), "subscribed"), "from 3 up to 3");
  EXPECT_EQ(All(restarted.get(), "published"), "4 from 3 up to 4");
  EXPECT_EQ(restarted->Publish(kA, 5, "new"), "3→5");
}

// The workers that were there before the restart come back with their positions first.
TEST_F(BrokerRecoveryTest, NothingExpiresForOneRepairRetentionAfterAStart) {
  server_.Publish(kA, 1, "x", {.key = kKey});
  server_.EndTurn();
  const std::unique_ptr<BrokerHarness> restarted = server_.Restart(false, absl::Hours(1));
  restarted->Pass(absl::Seconds(59));
  EXPECT_EQ(All(restarted.get(), "x"), "1 from 0 up to 1");
  restarted->Pass(absl::Seconds(1));
  EXPECT_EQ(All(restarted.get(), "x"), "from 1 up to 1");
  // Keys for their whole time: their ages go by the calendar, which may have been set.
  restarted->Pass(absl::Seconds(59));
  EXPECT_EQ(restarted->broker.key_count(), 1u);
  restarted->Pass(absl::Seconds(1));
  EXPECT_EQ(restarted->broker.key_count(), 0u);
}

// Otherwise a server that restarts now and then would collect groups for ever.
TEST_F(BrokerRecoveryTest, AGroupWithoutMessagesIsForgottenAfterARestartToo) {
  server_.Subscribe("x");
  server_.EndTurn();
  const std::unique_ptr<BrokerHarness> restarted = server_.Restart();
  restarted->Pass(absl::Seconds(59));
  EXPECT_EQ(restarted->broker.group_count(), 1u);
  restarted->Pass(absl::Seconds(1));
  EXPECT_EQ(restarted->broker.group_count(), 0u);
}

// The log has publishers that were forgotten since.
TEST_F(BrokerRecoveryTest, ARestartKeepsTheBoundOfPublishers) {
  for (uint64_t id = 3; id <= 8; ++id) {
    server_.Hello(PublisherId{id});
    server_.Publish(PublisherId{id}, 1, "x");
    server_.EndTurn();
  }
  const std::unique_ptr<BrokerHarness> restarted = server_.Restart();
  EXPECT_EQ(restarted->broker.publisher_count(), 4u);
  EXPECT_EQ(restarted->Hello(PublisherId{8}), "to 8: known after 1 from 1: 6");
}

// A worker compares heads with it, so it must not be behind what the worker has seen.
TEST_F(BrokerRecoveryTest, TheFirstAnnouncementAfterARestartSaysHowFarTheLogReaches) {
  server_.Publish(kA, 1, "x");
  server_.Publish(kA, 2, "y");
  server_.EndTurn();
  server_.Rotate();  // the segment has no messages
  const std::unique_ptr<BrokerHarness> restarted = server_.Restart();
  restarted->Subscribe("x");
  restarted->EndTurn();
  EXPECT_EQ(restarted->sink.announced_number, 2u);
}

TEST_F(BrokerRecoveryTest, AgesGoOnOverARestart) {
  server_.Publish(kA, 1, "x");
  server_.EndTurn();
  server_.Pass(absl::Seconds(200));
  const std::unique_ptr<BrokerHarness> restarted = server_.Restart(false, absl::Seconds(39));
  restarted->Pass(absl::Seconds(60));
  EXPECT_EQ(All(restarted.get(), "x"), "1 from 0 up to 1");
  restarted->Pass(absl::Seconds(1));
  EXPECT_EQ(All(restarted.get(), "x"), "from 1 up to 1");
}

TEST_F(BrokerRecoveryTest, DamagedLogsAreTold) {
  BrokerHarness server(SmallOptions(true));
  EXPECT_EQ(server.broker.restorer()->OnSnapshotPart("\xff").code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(server.broker.restorer()->OnTurnRecord("short").code(), absl::StatusCode::kDataLoss);
}

// ---- Another history.

TEST_F(BrokerRecoveryTest, AMissingTailBeginsAnotherHistory) {
  server_.Publish(kA, 1, "x", {.key = kKey});
  server_.EndTurn();
  const std::unique_ptr<BrokerHarness> restarted = server_.Restart(true);
  EXPECT_EQ(restarted->broker.epoch(), kNextEpoch);
  EXPECT_EQ(restarted->EndTurn(), Words());  // in which the epoch is logged
  EXPECT_EQ(All(restarted.get(), "x"), "from 1 up to 1");
  // Its numbers and keys had places in the other history: what has no result comes again.
  EXPECT_EQ(restarted->Publish(kA, 2, "x"), "FAILED_PRECONDITION");
  EXPECT_EQ(restarted->Hello(kA, 1), "to 1: new of epoch 8 after 0");
  EXPECT_EQ(restarted->Publish(kA, 1, "x", {.key = kKey}), "1→2");
  EXPECT_EQ(restarted->EndTurn(), Words({"to 1: from 1: 2 of epoch 8"}));

  const std::unique_ptr<BrokerHarness> again = restarted->Restart();
  EXPECT_EQ(again->broker.epoch(), kNextEpoch);
  EXPECT_EQ(All(again.get(), "x"), "2 from 1 up to 2");
}

// The server ended after it had begun a segment for the new epoch, and before its first turn.
TEST_F(BrokerRecoveryTest, AnEpochIsInTheLogWithTheSegmentThatItBegins) {
  server_.Publish(kA, 1, "x");
  server_.EndTurn();
  BrokerHarness again(SmallOptions(true));
  Restorer* const restorer = again.broker.restorer();
  for (const std::string& part : BrokerHarness(SmallOptions(true)).TakeSnapshot()) {
    ASSERT_TRUE(restorer->OnSnapshotPart(part).ok());
  }
  restorer->OnSnapshotEnd();
  const Epoch before = again.broker.epoch();
  const std::unique_ptr<BrokerHarness> restarted = server_.Restart(true);
  for (const std::string& part : restarted->TakeSnapshot()) {
    ASSERT_TRUE(restorer->OnSnapshotPart(part).ok());
  }
  EXPECT_NE(again.broker.epoch(), before);
  EXPECT_EQ(again.broker.epoch(), restarted->broker.epoch());
  EXPECT_EQ(again.broker.last_offset(), 1u);
}

// The digest of the group's last message in the old epoch was not sent yet.
TEST_F(BrokerRecoveryTest, AGroupThatWasActiveWhenItsEpochEndedIsInTheDigestsOfTheNext) {
  server_.Subscribe("x");
  server_.Publish(kA, 1, "x");
  server_.EndTurn();
  server_.Hello(kB, 1, kEpoch, 9);
  server_.EndTurn();
  ASSERT_EQ(server_.broker.epoch(), kNextEpoch);
  server_.Pass(absl::Seconds(1));
  server_.Digests();
  server_.Hello(kB);
  EXPECT_EQ(server_.Publish(kB, 1, "x"), "1→2");
  server_.EndTurn();
  server_.Pass(absl::Seconds(1));
  EXPECT_EQ(server_.Digests().back().substr(0, 6), "to 2: ");
  bool is_named = false;
  server_.Hello(kB);
  server_.Publish(kB, 2, "x");
  server_.EndTurn();
  server_.Pass(absl::Milliseconds(250));
  for (const std::string& digest : server_.Digests()) {
    is_named = is_named || absl::StrContains(digest, "x 3");
  }
  EXPECT_TRUE(is_named);
}

TEST_F(BrokerRecoveryTest, TheDigestsOfAnEpochNameNothingOfTheOneBefore) {
  server_.Subscribe("x");
  server_.Publish(kA, 1, "x");
  server_.Publish(kA, 2, "without subscribers");
  server_.EndTurn();
  server_.Hello(kB, 1, kEpoch, 9);
  server_.EndTurn();
  ASSERT_EQ(server_.broker.epoch(), kNextEpoch);
  server_.Pass(absl::Seconds(1));
  EXPECT_EQ(server_.Digests(), Words({"to 1: #2 of epoch 8", "to 2: #2 of epoch 8"}));
}

// What the log says of a group is its place, whatever was known of it before.
TEST_F(BrokerRecoveryTest, ARecordThatDoesNotContinueAGroupBeginsItAnew) {
  TurnWriter writer;
  writer.Begin(0, 0);
  writer.AddMessage(LiveFramePrefix(
      "x", {.kind = LiveKind::kMessage, .publisher = kA, .number = 1, .offset = 3}));
  writer.AddMessage(LiveFramePrefix(
      "y", {.kind = LiveKind::kMessage, .publisher = kA, .number = 2, .offset = 4}));
  writer.AddMessage(LiveFramePrefix(
      "x", {.kind = LiveKind::kMessage, .publisher = kA, .number = 3, .offset = 9, .previous = 7}));
  writer.AddKnown("y", 8);
  BrokerHarness server(SmallOptions(true));
  ASSERT_TRUE(server.broker.restorer()->OnTurnRecord(writer.record()).ok());
  EXPECT_EQ(All(&server, "x"), "9 from 7 up to 9");
  EXPECT_EQ(All(&server, "y"), "from 8 up to 8");
}

// An old copy of the log was put back: its numbers would be given to other messages.
TEST_F(BrokerRecoveryTest, AWorkerThatIsAheadOfTheLogBeginsAnotherHistory) {
  server_.Subscribe("x");
  server_.Publish(kA, 1, "x");
  server_.Publish(kA, 2, "y");
  server_.EndTurn();
  EXPECT_EQ(server_.Hello(kB, 1, kEpoch, 2), "to 2: known after 0");
  EXPECT_EQ(server_.Hello(kB, 1, kNextEpoch, 9), "to 2: known after 0");
  // All who are there learn it, when it is in the log.
  EXPECT_EQ(server_.Hello(kB, 1, kEpoch, 3), "");
  EXPECT_EQ(server_.EndTurn(),
            Words({"head x 2 floor 2 of epoch 8", "to 2: new of epoch 8 after 0"}));
  EXPECT_EQ(server_.Compare({{"x", 2}}, kEpoch), Words({"x 2"}));
  EXPECT_EQ(server_.Hello(kA, 3), "to 1: new of epoch 8 after 2");
  EXPECT_EQ(server_.Publish(kA, 3, "x"), "2→3");
  server_.EndTurn();

  const std::unique_ptr<BrokerHarness> restarted = server_.Restart();
  EXPECT_EQ(restarted->broker.epoch(), kNextEpoch);
  EXPECT_EQ(All(restarted.get(), "x"), "3 from 2 up to 3");
  EXPECT_EQ(All(restarted.get(), "y"), "from 2 up to 2");
}

// A restart would bring the epoch before back, whose numbers go on from where they are.
TEST_F(BrokerRecoveryTest, AnEpochIsNotToldBeforeItIsInTheLog) {
  server_.Subscribe("x");
  server_.EndTurn();
  server_.sink.log_works = false;
  server_.Hello(kB, 1, kEpoch, 3);
  server_.Pass(absl::Seconds(1));
  for (const Words& words : {server_.sink.everything, server_.sink.digests}) {
    for (const std::string& told : words) {
      EXPECT_FALSE(absl::StrContains(told, "of epoch 8")) << told;
    }
  }
  EXPECT_EQ(server_.Restart()->broker.epoch(), kEpoch);
}

// The groups without subscribers are gone with the epoch.
TEST_F(BrokerRecoveryTest, ANewEpochNamesOnlyTheGroupsThatItHas) {
  server_.Subscribe("new");
  server_.Subscribe("unused", PublisherId{77});
  server_.Hello(kB, 1, kEpoch, 9);
  EXPECT_EQ(server_.EndTurn(),
            Words({"head new 0 floor 0 of epoch 8", "to 2: new of epoch 8 after 0"}));
  EXPECT_EQ(Count(server_.sink.log.back().bytes, "new"), 1u);
  EXPECT_EQ(Count(server_.sink.log.back().bytes, "unused"), 0u);
  EXPECT_EQ(server_.broker.waiting_announcements(), 0u);
}

// It waited for room when the group went with its epoch, and its worker came back.
TEST_F(BrokerRecoveryTest, AGroupThatComesBackInANewEpochIsAnnouncedOnce) {
  server_.sink.room = 0;
  server_.Subscribe("x");
  server_.Subscribe("gone", PublisherId{77});
  server_.EndTurn();
  EXPECT_EQ(server_.broker.rest(), Broker::Rest::kNoRoom);
  server_.Unsubscribe("x");
  server_.Hello(kB, 1, kEpoch, 9);
  server_.Subscribe("x");
  server_.sink.room = 10;
  EXPECT_EQ(server_.EndTurn(),
            Words({"head x 0 floor 0 of epoch 8", "to 2: new of epoch 8 after 0"}));
  EXPECT_EQ(server_.broker.waiting_announcements(), 0u);
}

// Over the bound they are dropped, because workers ask again.
TEST_F(BrokerRecoveryTest, ControlFramesThatWaitForTheLogAreBounded) {
  server_.sink.log_works = false;
  server_.Hello(kB, 1, kEpoch, 9);
  for (int i = 0; i < 1'000; ++i) EXPECT_EQ(server_.Hello(kA), "");
  server_.sink.log_works = true;
  EXPECT_EQ(server_.EndTurn().size(), 1'000u);
}

// ---- Publishers that say what they should not.

// What a publisher calls acknowledged of this very turn is still to be written and acknowledged.
TEST_F(BrokerRecoveryTest, APublisherCannotTakeAwayTheResultsOfItsTurn) {
  server_.Publish(kA, 1, "x", {.kind = LiveKind::kVoid});
  server_.Publish(kA, 2, "x", {.first_unacknowledged = 100, .kind = LiveKind::kVoid});
  EXPECT_EQ(server_.EndTurn(), Words({"to 1: from 1: 0 0 1 VOID 2 VOID"}));
  EXPECT_EQ(server_.Restart()->Hello(kA, 3), "to 1: known after 2");
}

TEST_F(BrokerRecoveryTest, ATurnMayHaveMoreResultsThanAreRemembered) {
  for (uint64_t number = 1; number <= 6; ++number) {
    server_.Publish(kA, number, "x", {.kind = LiveKind::kVoid});
  }
  server_.EndTurn();
  EXPECT_EQ(server_.Hello(kA, 7), "to 1: known after 6");
  EXPECT_EQ(server_.Restart()->Hello(kA, 7), "to 1: known after 6");
}

TEST_F(BrokerRecoveryTest, TheLastNumberThatThereIsEndsNothing) {
  constexpr uint64_t kLast = ~uint64_t{0};
  server_.Hello(kA, kLast);
  server_.Publish(kA, kLast, "x");
  server_.EndTurn();
  server_.Hello(kA, 0);
  EXPECT_EQ(server_.Publish(kB, 1, "x"), "0→1");
}

// ---- A stranger that uses a worker's id.

TEST(BrokerStrangerTest, AHelloWithANumberThatNoWorkerHasIsIgnored) {
  BrokerHarness server;
  EXPECT_EQ(server.Publish(kA, 1, "x"), "0→1");
  server.EndTurn();
  EXPECT_EQ(server.Hello(kA, ~uint64_t{0}), "");
  EXPECT_EQ(server.Hello(kA, (uint64_t{1} << 40) + 2), "");
  EXPECT_EQ(server.Publish(kA, 2, "x", {.first_unacknowledged = 2}), "1→2");
  EXPECT_EQ(server.Hello(PublisherId{77}, (uint64_t{1} << 63) + 1), "");
  EXPECT_EQ(server.broker.counters().malformed, 3u);
  // Up to there it may be a worker that is ahead of a log that has lost its end.
  EXPECT_EQ(server.Hello(kA, (uint64_t{1} << 40) + 1), "");  // its results are not told yet
  server.EndTurn();
  EXPECT_EQ(server.Hello(kA, (uint64_t{1} << 40) + 2), "to 1: known after 1099511627777");
  EXPECT_EQ(server.Hello(PublisherId{77}, uint64_t{1} << 63),
            "to 77: new after 9223372036854775807");
  EXPECT_EQ(server.broker.counters().malformed, 3u);
}

}  // namespace
}  // namespace groupcast::service
