// A Broker whose log cannot be written.

#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "services/channel_server/broker/broker.h"
#include "services/channel_server/broker/broker_harness.h"

namespace groupcast::service {
namespace {

constexpr Fingerprint kKey{1, 2};
constexpr Fingerprint kOtherKey{3, 4};

class BrokerFullDiskTest : public testing::Test {
 protected:
  // All that a worker can learn of a group.
  static std::string All(BrokerHarness* server, absl::string_view group_id) {
    return server->History(group_id, 0, 0, server->broker.epoch());
  }

  BrokerHarness server_{SmallOptions(true)};
};

TEST_F(BrokerFullDiskTest, AFailedWriteTakesTheTurnBack) {
  server_.Publish(kA, 1, "x");
  server_.EndTurn();
  server_.Subscribe("x");
  EXPECT_EQ(server_.EndTurn(), Words({"head x 1 floor 0"}));
  server_.sink.everything.clear();

  server_.sink.log_works = false;
  EXPECT_EQ(server_.Publish(kA, 2, "x", {.first_unacknowledged = 2}), "1→2");
  EXPECT_EQ(server_.Publish(kA, 3, "x", {.first_unacknowledged = 2}), "2→3");
  EXPECT_EQ(server_.Publish(kB, 1, "y"), "0→4");
  EXPECT_EQ(server_.EndTurn(), Words({"to 1: from 2: 0 0 2 UNAVAILABLE 3 UNAVAILABLE",
                                      "to 2: from 1: 0 1 UNAVAILABLE"}));
  EXPECT_EQ(server_.sink.everything.size(), 2u);  // nothing was handed out
  EXPECT_EQ(server_.broker.last_offset(), 1u);
  EXPECT_EQ(All(&server_, "x"), "1 from 0 up to 1");
  EXPECT_EQ(server_.broker.counters().failed_writes, 1u);

  server_.sink.log_works = true;
  EXPECT_EQ(server_.Publish(kA, 4, "x"), "1→2");
  EXPECT_EQ(server_.Publish(kB, 2, "y"), "0→3");
  EXPECT_EQ(server_.EndTurn(), Words({"to 1: from 4: 2", "to 2: from 2: 3"}));
  const std::unique_ptr<BrokerHarness> restarted = server_.Restart();
  for (const char* group_id : {"x", "y"}) {
    EXPECT_EQ(All(restarted.get(), group_id), All(&server_, group_id));
  }
}

// Workers subscribe again and again meanwhile.
TEST_F(BrokerFullDiskTest, TheLogNamesAGroupOnceHoweverOftenItWasSubscribed) {
  server_.sink.log_works = false;
  for (int i = 0; i < 3; ++i) {
    server_.Subscribe("new");
    EXPECT_FALSE(server_.broker.EndTurn(&server_.sink).ok());
    server_.broker.BeginTurn();
  }
  server_.sink.log_works = true;
  EXPECT_EQ(server_.EndTurn(), Words({"head new 0 floor 0"}));
  EXPECT_EQ(Count(server_.sink.log.back().bytes, "new"), 1u);
}

TEST_F(BrokerFullDiskTest, TheLogHasNoResultBesideAMessage) {
  server_.Publish(kA, 1, "x");
  server_.EndTurn();
  const std::string frame = server_.Fetch("x", 0).messages(0);
  TurnWriter writer;
  writer.Begin(0, absl::ToUnixMillis(server_.calendar.Now()));
  writer.AddMessage(frame);
  EXPECT_EQ(server_.sink.log.back().bytes, writer.record());
}

// Its subscriber was promised an announcement.
TEST_F(BrokerFullDiskTest, ASubscribedGroupStaysWhenItsPublicationsAreTakenBack) {
  server_.sink.log_works = false;
  server_.Subscribe("new");
  server_.Publish(kA, 1, "new");
  EXPECT_EQ(server_.EndTurn(), Words({"to 1: from 1: 0 1 UNAVAILABLE"}));
  server_.sink.log_works = true;
  EXPECT_EQ(server_.EndTurn(), Words({"head new 0 floor 0"}));
}

// The log knows it, so it is not one of those that nobody knows.
TEST_F(BrokerFullDiskTest, ARestoredGroupStaysWhenItsPublicationsAreTakenBack) {
  server_.Publish(kA, 1, "message");
  server_.Subscribe("known");
  server_.EndTurn();
  const std::unique_ptr<BrokerHarness> records = server_.Restart();
  server_.Rotate();
  const std::unique_ptr<BrokerHarness> snapshot = server_.Restart();
  server_.BeginAnew();
  const std::unique_ptr<BrokerHarness> image = server_.Restart();
  for (BrokerHarness* const restarted : {records.get(), snapshot.get(), image.get()}) {
    const std::string before = All(restarted, "message");
    restarted->sink.log_works = false;
    EXPECT_EQ(restarted->Publish(kA, 2, "known"), "0→2");
    EXPECT_EQ(restarted->Publish(kA, 3, "message"), "1→3");
    restarted->EndTurn();
    EXPECT_EQ(restarted->broker.group_count(), 2u);
    EXPECT_EQ(All(restarted, "message"), before);
  }
}

TEST_F(BrokerFullDiskTest, AnUnusedGroupIsIdleAgainWhenItsPublicationIsTakenBack) {
  server_.Subscribe("x");
  server_.EndTurn();
  server_.Unsubscribe("x");
  EXPECT_EQ(server_.broker.idle_group_count(), 1u);
  server_.sink.log_works = false;
  server_.Publish(kA, 1, "x");
  EXPECT_EQ(server_.broker.idle_group_count(), 0u);
  server_.EndTurn();
  EXPECT_EQ(server_.broker.idle_group_count(), 1u);
}

TEST_F(BrokerFullDiskTest, NewGroupsAreDroppedWithAllTheirPublications) {
  server_.sink.log_works = false;
  uint64_t number = 0;
  for (int i = 0; i < 3; ++i) {
    for (const char* const group_id : {"x", "y", "z"}) server_.Publish(kA, ++number, group_id);
    server_.Subscribe("x", PublisherId{77});
  }
  server_.EndTurn();
  EXPECT_EQ(server_.broker.group_count(), 0u);
  EXPECT_EQ(server_.broker.waiting_announcements(), 0u);
}

// A full disk must not make workers think that they have missed something.
TEST_F(BrokerFullDiskTest, DigestsGoOnWhileTheLogCannotBeWritten) {
  server_.Publish(kA, 1, "x");
  server_.EndTurn();
  server_.sink.log_works = false;
  server_.Stall(absl::Seconds(1));
  server_.Subscribe("new");
  EXPECT_FALSE(server_.broker.EndTurn(&server_.sink).ok());
  EXPECT_EQ(server_.Digests(), Words({"to 1: #2 x 1", "to 2: #2 x 1"}));
}

// Their answer has the new epoch, which may not be told. The next turn at once would not help.
TEST_F(BrokerFullDiskTest, QuestionsWaitForTheNewEpochToBeInTheLog) {
  server_.AskHistory(kA, "x");
  server_.Hello(kB, 1, kEpoch, 9);
  server_.sink.log_works = false;
  EXPECT_FALSE(server_.broker.EndTurn(&server_.sink).ok());
  EXPECT_EQ(server_.broker.rest(), Broker::Rest::kNothing);
  server_.broker.AnswerQuestions(&server_.sink);
  EXPECT_EQ(server_.sink.everything, Words());
  server_.sink.log_works = true;
  server_.broker.BeginTurn();
  server_.EndTurn();
  EXPECT_EQ(server_.broker.rest(), Broker::Rest::kMore);
  server_.broker.AnswerQuestions(&server_.sink);
  EXPECT_EQ(server_.sink.everything.back(), "to 1: history");
}

TEST_F(BrokerFullDiskTest, WhenTheLogCanBeWrittenAgainTheNextTurnIsDueAgain) {
  server_.sink.log_works = false;
  server_.Subscribe("new");
  EXPECT_FALSE(server_.broker.EndTurn(&server_.sink).ok());
  EXPECT_EQ(server_.broker.rest(), Broker::Rest::kNothing);
  server_.sink.log_works = true;
  server_.sink.room = 0;
  server_.EndTurn();
  EXPECT_EQ(server_.broker.rest(), Broker::Rest::kNoRoom);
}

TEST_F(BrokerFullDiskTest, AKeyThatWasTakenBackMayBeUsedAgain) {
  server_.Publish(kA, 1, "x", {.key = kOtherKey});
  server_.EndTurn();
  server_.sink.log_works = false;
  server_.Publish(kA, 2, "x", {.key = kKey});
  EXPECT_EQ(server_.Publish(kB, 1, "x", {.key = kKey}), "ALREADY_EXISTS");
  EXPECT_EQ(server_.Publish(kB, 2, "x", {.key = kOtherKey}), "ALREADY_EXISTS");
  // The repeat of one that was done before is as done as that.
  EXPECT_EQ(server_.EndTurn(),
            Words({"to 1: from 2: 0 2 UNAVAILABLE", "to 2: from 1: 0 1 1 UNAVAILABLE"}));
  server_.sink.log_works = true;
  EXPECT_EQ(server_.Publish(kA, 3, "x", {.key = kKey}), "1→2");
  EXPECT_EQ(server_.Publish(kB, 3, "x", {.key = kOtherKey}), "ALREADY_EXISTS");
}

// The heads that would be announced may be known from that turn on only.
TEST_F(BrokerFullDiskTest, AnnouncementsWaitForTheLog) {
  server_.sink.log_works = false;
  server_.Subscribe("x");
  server_.Subscribe("x", PublisherId{77});
  EXPECT_FALSE(server_.broker.EndTurn(&server_.sink).ok());
  EXPECT_EQ(server_.sink.told, Words());
  server_.sink.log_works = true;
  server_.broker.BeginTurn();
  // Who wants proof subscribes again.
  EXPECT_EQ(server_.EndTurn(), Words({"head x 0 floor 0"}));
  server_.sink.log_works = false;
  server_.broker.BeginTurn();
  EXPECT_TRUE(server_.broker.EndTurn(&server_.sink).ok());  // there is nothing to be written
}

// Workers subscribe again as long as there is no announcement.
TEST_F(BrokerFullDiskTest, AnnouncementsDoNotPileUpWhileTheLogCannotBeWritten) {
  server_.sink.log_works = false;
  for (int i = 0; i < 3; ++i) {
    server_.Subscribe("x");
    server_.Subscribe("x", PublisherId{77});
    EXPECT_FALSE(server_.broker.EndTurn(&server_.sink).ok());
    server_.broker.BeginTurn();
  }
  server_.sink.log_works = true;
  server_.Subscribe("x", PublisherId{77});
  EXPECT_EQ(server_.EndTurn(), Words({"head x 0 floor 0", "head x 0 floor 0 for 77"}));
}

// Somebody was told that it is not known.
TEST_F(BrokerFullDiskTest, AForgottenGroupDoesNotComeBackWithTheLog) {
  server_.Publish(kA, 1, "x");
  server_.Publish(kA, 2, "y");
  server_.EndTurn();
  server_.Pass(absl::Seconds(361));
  EXPECT_EQ(All(&server_, "x"), "from 2 up to 2");
  EXPECT_EQ(All(server_.Restart().get(), "x"), "from 2 up to 2");
}

TEST_F(BrokerFullDiskTest, NothingIsForgottenWhileTheLogCannotBeWritten) {
  server_.Publish(kA, 1, "x");
  server_.EndTurn();
  server_.sink.log_works = false;
  server_.Pass(absl::Seconds(361));
  EXPECT_EQ(server_.broker.group_count(), 1u);
  server_.sink.log_works = true;
  server_.EndTurn();
  EXPECT_EQ(server_.broker.group_count(), 0u);
  server_.Subscribe("y");
  EXPECT_EQ(server_.EndTurn(), Words({"head y 1 floor 1"}));
  EXPECT_EQ(All(server_.Restart().get(), "y"), "from 1 up to 1");
}

// The announcement of a new group waits for the log. Until that can be written, the next turn
// brings nothing that this one did not: a shell that begins it at once burns a processor and
// hammers a full disk.
TEST_F(BrokerFullDiskTest, WhileTheLogCannotBeWrittenTheNextTurnIsNotDueAtOnce) {
  server_.sink.log_works = false;
  server_.Subscribe("new");
  EXPECT_FALSE(server_.broker.EndTurn(&server_.sink).ok());
  EXPECT_EQ(server_.broker.waiting_announcements(), 1u);
  EXPECT_NE(server_.broker.rest(), Broker::Rest::kMore);
}

// Members come and go for as long as the disk is full.
TEST_F(BrokerFullDiskTest, AnnouncementsOfGroupsThatCameAndWentDoNotPileUpWithoutTheLog) {
  server_.sink.log_works = false;
  for (int i = 0; i < 100; ++i) {
    server_.Subscribe("new");
    server_.Pass(absl::Milliseconds(1));
    server_.Unsubscribe("new");
    server_.Pass(absl::Milliseconds(1));
  }
  EXPECT_EQ(server_.broker.group_count(), 0u);
  EXPECT_LE(server_.broker.waiting_announcements(), 1u);
}

}  // namespace
}  // namespace groupcast::service
