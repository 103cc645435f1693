// While a subscriber has no room, the rest of the turn waits and everything else goes on.

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "services/channel_server/broker/broker_harness.h"

namespace groupcast::service {
namespace {

class BrokerHandOutTest : public testing::Test {
 protected:
  // Four messages, of which the first two are handed out.
  void HalfATurn() {
    server_.Publish(kA, 1, "x");
    server_.Publish(kB, 1, "y");
    server_.Publish(kA, 2, "x");
    server_.Publish(kA, 3, "z");
    server_.sink.room = 2;
    EXPECT_EQ(server_.EndTurn(), Words());
    EXPECT_TRUE(server_.broker.handing_out());
    EXPECT_EQ(server_.broker.rest(), Broker::Rest::kNoRoom);
    server_.sink.everything.clear();
  }
  void MakeRoom() { server_.sink.room = 1'000; }

  BrokerHarness server_{SmallOptions(true)};
};

TEST_F(BrokerHandOutTest, TheRestWaitsAndIsAcknowledgedWhenAllIsHandedOut) {
  HalfATurn();
  EXPECT_EQ(server_.EndTurn(), Words());
  server_.sink.room = 1;
  EXPECT_EQ(server_.EndTurn(), Words());
  EXPECT_EQ(server_.sink.everything, Words({"hand out 2"}));
  MakeRoom();
  EXPECT_EQ(server_.EndTurn(), Words({"to 1: from 1: 1 3 4", "to 2: from 1: 2"}));
  EXPECT_FALSE(server_.broker.handing_out());
  EXPECT_EQ(server_.broker.rest(), Broker::Rest::kNothing);
  EXPECT_EQ(server_.Publish(kA, 4, "x"), "3→5");
  EXPECT_EQ(server_.EndTurn(), Words({"to 1: from 4: 5"}));
}

TEST_F(BrokerHandOutTest, TheLogHasTheTurnOnce) {
  HalfATurn();
  const size_t records = server_.sink.log.size();
  server_.EndTurn();
  MakeRoom();
  server_.EndTurn();
  EXPECT_EQ(server_.sink.log.size(), records);
}

// A message that was not handed out may be in the log; another process hands it out, or its
// publisher sends it again.
TEST_F(BrokerHandOutTest, WhatIsNotHandedOutSurvivesAnEnd) {
  HalfATurn();
  const std::unique_ptr<BrokerHarness> next = server_.Restart();
  EXPECT_EQ(next->History("x"), "1 3 from 0 up to 3");
  EXPECT_EQ(next->Hello(kA, 1), "to 1: known after 3 from 1: 1 3 4");
}

TEST_F(BrokerHandOutTest, AnnouncementsReachUpToWhatIsHandedOut) {
  HalfATurn();
  MakeRoom();
  server_.sink.room = 0;
  server_.Subscribe("x");
  server_.Subscribe("z", PublisherId{9});
  EXPECT_EQ(server_.EndTurn(), Words());
  server_.sink.room = 3;
  // They have waited, so they go first.
  const Words told = server_.EndTurn();
  EXPECT_EQ(told, Words({"head x 1 floor 0", "head z 0 floor 0 for 9"}));
  EXPECT_EQ(server_.sink.everything.back(), "hand out 2");
  server_.sink.room = 10;
  server_.Subscribe("z");
  EXPECT_EQ(server_.EndTurn(),
            Words({"head z 4 floor 0", "to 1: from 1: 1 3 4", "to 2: from 1: 2"}));
}

TEST_F(BrokerHandOutTest, AnAnnouncementSaysHowFarTheLiveLinkHasCome) {
  server_.Subscribe("x");
  server_.EndTurn();
  EXPECT_EQ(server_.sink.announced_number, 0u);
  HalfATurn();
  server_.sink.room = 1;
  server_.Subscribe("z");
  server_.EndTurn();
  server_.sink.room = 1;
  server_.EndTurn();
  EXPECT_EQ(server_.sink.announced_number, 3u);
}

TEST_F(BrokerHandOutTest, HistoryAndHeadsReachUpToWhatIsHandedOut) {
  HalfATurn();
  EXPECT_EQ(server_.History("x"), "1 from 0 up to 1");
  EXPECT_EQ(server_.History("y"), "2 from 0 up to 2");
  EXPECT_EQ(server_.History("z"), "from 0 up to 0");
  EXPECT_EQ(server_.Compare({{"x", 1}, {"y", 0}, {"z", 4}}), Words({"y 2", "z 0"}));
  MakeRoom();
  server_.EndTurn();
  EXPECT_EQ(server_.History("x"), "1 3 from 0 up to 3");
}

// An answer that says "accepted" without a result means that there never will be one.
TEST_F(BrokerHandOutTest, AHelloHearsOfNothingThatIsNotHandedOut) {
  server_.Publish(kA, 1, "x");
  server_.EndTurn();
  server_.Publish(kA, 2, "x");
  server_.sink.room = 0;
  server_.EndTurn();
  EXPECT_EQ(server_.Hello(kA, 1), "to 1: known after 1 from 1: 1 paused");
  // It is sent again meanwhile.
  MakeRoom();
  EXPECT_EQ(server_.EndTurn(), Words({"to 1: from 2: 2"}));
  EXPECT_EQ(server_.Publish(kA, 2, "x"), "ALREADY_EXISTS");
}

// Nothing of it is told yet, so a hello with its first number is an ordinary one.
TEST_F(BrokerHandOutTest, AHelloIsAnsweredThoughItsFirstResultsWait) {
  HalfATurn();
  EXPECT_EQ(server_.Hello(kA, 1), "to 1: known after 0 paused");
  MakeRoom();
  EXPECT_EQ(server_.EndTurn(), Words({"to 1: from 1: 1 3 4", "to 2: from 1: 2"}));
}

// All known publishers wait for results, so none can be forgotten for the new one.
TEST_F(BrokerHandOutTest, AHelloThatFindsNoPlaceHasNoAnswer) {
  for (uint64_t id = 3; id <= 4; ++id) {
    server_.Hello(PublisherId{id});
    server_.Publish(PublisherId{id}, 1, "x");
  }
  HalfATurn();
  EXPECT_EQ(server_.broker.publisher_count(), 4u);
  EXPECT_EQ(server_.Hello(PublisherId{5}), "");
  MakeRoom();
  server_.EndTurn();
  EXPECT_EQ(server_.Hello(PublisherId{5}), "to 5: new after 0");
}

TEST_F(BrokerHandOutTest, DigestsReachUpToWhatIsHandedOut) {
  HalfATurn();
  server_.Pass(absl::Seconds(1));
  EXPECT_EQ(server_.Digests(), Words({"to 1: #2 x 1 y 2", "to 2: #2 x 1 y 2"}));
  MakeRoom();
  server_.EndTurn();
  server_.Pass(absl::Seconds(1));
  EXPECT_EQ(server_.Digests(), Words({"to 1: #3 x 3 z 4", "to 2: #3 x 3 z 4"}));
}

TEST_F(BrokerHandOutTest, NothingThatTheTurnHoldsIsForgotten) {
  HalfATurn();
  // Groups without subscribers and messages, and publishers, for longer than they are remembered.
  server_.Subscribe("z");
  server_.sink.room = 1;
  server_.EndTurn();
  server_.Unsubscribe("z");
  server_.Pass(absl::Hours(25));
  for (uint64_t id = 10; id < 20; ++id) server_.Hello(PublisherId{id});
  MakeRoom();
  EXPECT_EQ(server_.EndTurn(),
            Words({"head z 0 floor 0", "to 1: from 1: 1 3 4", "to 2: from 1: 2"}));
  EXPECT_EQ(server_.History("z"), "4 from 0 up to 4");
}

TEST_F(BrokerHandOutTest, AFailedWriteMeanwhileRefusesNothingOfTheTurn) {
  HalfATurn();
  server_.Subscribe("new");
  server_.sink.log_works = false;
  MakeRoom();
  EXPECT_FALSE(server_.broker.EndTurn(&server_.sink).ok());
  EXPECT_FALSE(server_.broker.handing_out());
  server_.sink.log_works = true;
  server_.broker.BeginTurn();
  EXPECT_EQ(server_.EndTurn(),
            Words({"to 1: from 1: 1 3 4", "to 2: from 1: 2", "head new 0 floor 0"}));
}

// An old copy of the log was put back, and a worker says so in the middle of a turn.
TEST_F(BrokerHandOutTest, AnotherEpochWaitsForTheEndOfTheTurn) {
  HalfATurn();
  EXPECT_EQ(server_.Hello(kB, 2, kEpoch, 1'000), "");
  EXPECT_EQ(server_.broker.epoch(), kEpoch);
  MakeRoom();
  EXPECT_EQ(server_.EndTurn(), Words({"to 1: from 1: 1 3 4", "to 2: from 1: 2"}));
  EXPECT_EQ(server_.broker.epoch(), kNextEpoch);
  EXPECT_EQ(server_.EndTurn(), Words({"to 2: new of epoch 8 after 1"}));
}

TEST_F(BrokerHandOutTest, AnotherEpochDoesNotBeginBetweenPublicationsOfATurn) {
  server_.Publish(kA, 1, "x");
  EXPECT_EQ(server_.Hello(kB, 1, kEpoch, 1'000), "");
  EXPECT_EQ(server_.Publish(kA, 2, "x"), "1→2");
  EXPECT_EQ(server_.EndTurn(), Words({"to 1: from 1: 1 2"}));
  EXPECT_EQ(server_.broker.epoch(), kNextEpoch);
}

// It names numbers as answered that nobody has answered.
TEST_F(BrokerHandOutTest, APublisherCannotTakeAwayResultsThatItWasNotTold) {
  HalfATurn();
  EXPECT_EQ(server_.Hello(kA, 100), "");
  MakeRoom();
  EXPECT_EQ(server_.EndTurn(), Words({"to 1: from 1: 1 3 4", "to 2: from 1: 2"}));
}

}  // namespace
}  // namespace groupcast::service
