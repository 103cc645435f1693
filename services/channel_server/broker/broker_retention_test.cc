// What a Broker keeps, for how long, and what it remembers of what it has not kept.

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "services/channel_server/broker/broker.h"
#include "services/channel_server/broker/broker_harness.h"

namespace groupcast::service {
namespace {

class BrokerRetentionTest : public testing::Test {
 protected:
  // Publications of publisher A, each in a turn of its own.
  void Publish(absl::string_view group_id, int count = 1, const std::string& body = "body") {
    for (; count > 0; --count) {
      ++number_;
      server_.Publish(kA, number_, group_id, {.first_unacknowledged = number_, .body = body});
      server_.EndTurn();
    }
  }

  BrokerHarness server_;
  uint64_t number_ = 0;
};

// ---- History.

TEST_F(BrokerRetentionTest, AllMessagesOfTheRepairRetentionAreKept) {
  Publish("x", 5);
  EXPECT_EQ(server_.History("x"), "1 2 3 4 5 from 0 up to 5");
  EXPECT_EQ(server_.History("x", 3), "4 5 from 0 up to 5");
  EXPECT_EQ(server_.History("x", 5), "from 0 up to 5");
  // Of another epoch, it is before all.
  EXPECT_EQ(server_.History("x", 3, 0, kNextEpoch), "1 2 3 4 5 from 0 up to 5");
}

TEST_F(BrokerRetentionTest, AfterItOnlyTheHistorysNumberIs) {
  Publish("x", 5);
  server_.Pass(absl::Seconds(59));
  EXPECT_EQ(server_.History("x"), "1 2 3 4 5 from 0 up to 5");
  server_.Pass(absl::Seconds(1));
  EXPECT_EQ(server_.History("x"), "3 4 5 from 2 up to 5");
  Publish("x");
  EXPECT_EQ(server_.History("x"), "4 5 6 from 3 up to 6");
  server_.Pass(absl::Seconds(239));
  EXPECT_EQ(server_.History("x"), "4 5 6 from 3 up to 6");
  server_.Pass(absl::Seconds(1));
  EXPECT_EQ(server_.History("x"), "6 from 5 up to 6");
}

TEST_F(BrokerRetentionTest, ClientsReadNoMoreThanTheHistory) {
  Publish("x", 5);
  EXPECT_EQ(server_.History("x", 0, 100), "3 4 5 from 2 up to 5");
  EXPECT_EQ(server_.History("x", 0, 2), "4 5 from 3 up to 5");
  EXPECT_EQ(server_.History("x", 4, 2), "5 from 0 up to 5");
}

TEST_F(BrokerRetentionTest, ALongHistoryComesInPages) {
  BrokerOptions options = SmallOptions();
  options.max_message_bytes = 100'000;
  BrokerHarness server(options);
  for (uint64_t number = 1; number <= 4; ++number) {
    server.Publish(kA, number, "x", {.body = std::string(100'000, 'b')});
  }
  server.EndTurn();
  EXPECT_EQ(server.History("x"), "1 2 from 0 up to 4");
  EXPECT_EQ(server.History("x", 2), "3 4 from 0 up to 4");
  // Who wants the newest gets those.
  EXPECT_EQ(server.History("x", 0, 3), "3 4 from 2 up to 4");
}

TEST_F(BrokerRetentionTest, HistoryHasTheMessagesAsTheyWereHandedOut) {
  server_.Publish(kA, 1, "x", {.key = {1, 2}, .body = "hello"});
  server_.EndTurn();
  const channel::v1::History& history = server_.Fetch("x", 0);
  const absl::StatusOr<LiveFrame> frame = ParseLiveFrame(history.messages(0));
  ASSERT_TRUE(frame.ok());
  EXPECT_EQ(frame->header.kind, LiveKind::kMessage);
  EXPECT_EQ(frame->header.offset, 1u);
  EXPECT_EQ(frame->header.number, 1u);
  EXPECT_EQ(frame->body, "hello");
}

TEST_F(BrokerRetentionTest, AllThatIsKeptIsBoundedInBytes) {
  BrokerOptions options = SmallOptions();
  options.retention.bytes_max = 2000;  // six of about 310
  BrokerHarness server(options);
  for (uint64_t number = 1; number <= 10; ++number) {
    server.Publish(kA, number, number % 2 == 0 ? "x" : "y");
    server.EndTurn();
    EXPECT_LE(server.broker.retained_bytes(), 2000u);
  }
  EXPECT_GT(server.broker.retained_bytes(), 1700u);
  EXPECT_EQ(server.History("x"), "6 8 10 from 4 up to 10");
  EXPECT_EQ(server.History("y"), "5 7 9 from 3 up to 9");
}

// One sender fills the server. Another group keeps its history, before and after a restart.
TEST_F(BrokerRetentionTest, AFloodCostsOtherGroupsNothing) {
  BrokerOptions options = SmallOptions(true);
  options.max_message_bytes = 10'000;
  options.retention.bytes_max = 100'000;
  options.idle_groups_max = 1'000;
  BrokerHarness server(options);
  uint64_t number = 0;
  const auto publish = [&](absl::string_view group_id, const std::string& body) {
    ++number;
    server.Publish(kA, number, group_id, {.first_unacknowledged = number, .body = body});
  };
  for (int i = 0; i < 3; ++i) publish("quiet", std::string(1'000, 'q'));
  for (int i = 0; i < 200; ++i) {
    publish(absl::StrCat("flood", i % 5), absl::StrCat(i, std::string(5'000, 'x')));
    server.EndTurn();
  }
  EXPECT_LE(server.broker.retained_bytes(), 100'000u);
  EXPECT_EQ(server.History("quiet"), "1 2 3 from 0 up to 3");
  const std::unique_ptr<BrokerHarness> restarted = server.Restart();
  EXPECT_LE(restarted->broker.retained_bytes(), 100'000u);
  EXPECT_EQ(restarted->History("quiet"), "1 2 3 from 0 up to 3");
  for (int i = 0; i < 5; ++i) {
    const std::string flood = absl::StrCat("flood", i);
    EXPECT_EQ(restarted->History(flood), server.History(flood));
  }
}

TEST_F(BrokerRetentionTest, AMessageToManyGroupsIsKeptOnce) {
  BrokerOptions options = SmallOptions(true);
  options.max_message_bytes = 10'000;
  options.retention.bytes_max = 300'000;  // 30 sends of 1 KB to 20 groups are 800 KB
  options.idle_groups_max = 1'000;
  BrokerHarness server(options);
  uint64_t number = 0;
  for (int send = 0; send < 30; ++send) {
    for (int group = 0; group < 20; ++group) {
      ++number;
      server.Publish(kA, number, absl::StrCat("group", group),
                     {.first_unacknowledged = number,
                      .key = {number, 1},
                      .body = absl::StrCat(send, std::string(1'000, 'x'))});
    }
    server.EndTurn();
  }
  const std::unique_ptr<BrokerHarness> restarted = server.Restart();
  EXPECT_EQ(restarted->broker.retained_bytes(), server.broker.retained_bytes());
  const channel::v1::History& history = restarted->Fetch("group7", 0);
  EXPECT_EQ(history.floor(), 0u);
  ASSERT_EQ(history.messages_size(), 30);
  const absl::StatusOr<LiveFrame> last = ParseLiveFrame(history.messages(29));
  ASSERT_TRUE(last.ok());
  EXPECT_EQ(last->group_id, "group7");
  EXPECT_EQ(last->body, absl::StrCat(29, std::string(1'000, 'x')));
}

// ---- Forgotten groups.

// A member that was in the group before and comes back with an old position must not take what
// follows for the continuation: nobody knows any more what was in between.
TEST_F(BrokerRetentionTest, AForgottenGroupComesBackWithTheHighestForgottenOffset) {
  Publish("x");
  Publish("y");
  server_.Subscribe("kept");
  server_.Pass(absl::Seconds(361));
  EXPECT_EQ(server_.broker.group_count(), 1u);
  EXPECT_EQ(server_.Compare({{"x", 1}}), Words({"x 2"}));
  EXPECT_EQ(server_.History("x"), "from 2 up to 2");
  EXPECT_EQ(server_.Publish(kA, 3, "x"), "2→3");
  EXPECT_EQ(server_.Publish(kA, 4, "kept"), "0→4");
  server_.EndTurn();
  server_.Subscribe("y");
  EXPECT_EQ(server_.EndTurn(), Words({"head y 2 floor 2"}));
}

TEST_F(BrokerRetentionTest, AGroupIsForgottenOneRepairRetentionAfterItsLastUse) {
  server_.Subscribe("x");
  server_.EndTurn();
  server_.Pass(absl::Seconds(1000));
  server_.Unsubscribe("x");
  server_.Pass(absl::Seconds(59));
  EXPECT_EQ(server_.broker.group_count(), 1u);
  server_.Subscribe("x");
  server_.EndTurn();
  server_.Unsubscribe("x");
  server_.Pass(absl::Seconds(59));
  EXPECT_EQ(server_.broker.group_count(), 1u);
  server_.Pass(absl::Seconds(1));
  EXPECT_EQ(server_.broker.group_count(), 0u);
}

TEST_F(BrokerRetentionTest, AGroupThatOnlyAProofWasAskedForIsForgottenToo) {
  server_.Subscribe("x", PublisherId{77});
  server_.EndTurn();
  server_.Pass(absl::Seconds(61));
  EXPECT_EQ(server_.broker.group_count(), 0u);
}

TEST_F(BrokerRetentionTest, OfTooManyIdleGroupsTheOneUnusedForLongestIsForgotten) {
  for (const char* group_id : {"a", "b", "c", "d"}) {
    server_.Subscribe(group_id);
    server_.EndTurn();
    server_.Unsubscribe(group_id);
    server_.EndTurn();
  }
  EXPECT_EQ(server_.broker.group_count(), 3u);
  Publish("other");
  server_.Subscribe("b");  // its head is still its own
  EXPECT_EQ(server_.EndTurn(), Words({"head b 0 floor 0"}));
}

// The group would lose its place, and its new subscriber would be told a head that is too low.
TEST_F(BrokerRetentionTest, AGroupThatIsSubscribedInTheLastMomentIsNotForgotten) {
  server_.Subscribe("x");
  server_.EndTurn();
  server_.Unsubscribe("x");
  server_.Pass(absl::Seconds(59));
  server_.Stall(absl::Seconds(1));
  server_.Subscribe("x");
  server_.EndTurn();
  EXPECT_EQ(server_.broker.group_count(), 1u);
}

TEST_F(BrokerRetentionTest, AGroupThatTheNextDigestNamesIsIdleAfterIt) {
  BrokerOptions options = SmallOptions();
  options.retention.bytes_max = 500;  // one message
  BrokerHarness server(options);
  server.Publish(kA, 1, "x");
  server.Publish(kA, 2, "y");
  server.EndTurn();
  EXPECT_EQ(server.broker.idle_group_count(), 0u);
  server.Pass(absl::Milliseconds(250));
  EXPECT_EQ(server.broker.idle_group_count(), 1u);
}

// The log has to name each of them.
TEST_F(BrokerRetentionTest, ATurnForgetsABoundedNumberOfGroups) {
  BrokerOptions options = SmallOptions();
  options.idle_groups_max = 1'000'000;
  BrokerHarness server(options);
  for (uint64_t number = 1; number <= 10'001; ++number) {
    server.Publish(kA, number, absl::StrCat("g", number), {.first_unacknowledged = number});
  }
  server.EndTurn();
  server.Pass(absl::Seconds(359));
  EXPECT_EQ(server.broker.group_count(), 10'001u);
  server.Pass(absl::Seconds(1));
  EXPECT_EQ(server.broker.group_count(), 1u);
  server.EndTurn();
  EXPECT_EQ(server.broker.group_count(), 0u);
}

// Its worker subscribes again when the proof does not come. Until then nothing uses the group.
TEST_F(BrokerRetentionTest, AGroupWhoseProofWasDroppedIsIdle) {
  server_.sink.room = 0;
  for (uint64_t nonce = 1; nonce <= 1'000'000; ++nonce) {
    server_.Subscribe("x", PublisherId{nonce});
  }
  server_.EndTurn();
  EXPECT_EQ(server_.broker.waiting_announcements(), 1'000'000u);
  server_.Subscribe("y", PublisherId{1'000'001});
  server_.EndTurn();
  EXPECT_EQ(server_.broker.waiting_announcements(), 1'000'000u);
  EXPECT_EQ(server_.broker.idle_group_count(), 1u);
}

// ---- Publishers.

TEST_F(BrokerRetentionTest, ForgetsAPublisherAfterADay) {
  server_.Pass(absl::Hours(23));
  server_.Hello(kB);
  server_.Pass(absl::Hours(1));
  EXPECT_EQ(server_.Publish(kA, 1, "x"), "FAILED_PRECONDITION");
  EXPECT_EQ(server_.Publish(kB, 1, "x"), "0→1");
}

TEST_F(BrokerRetentionTest, OfTooManyPublishersTheOneHeardOfLongestAgoIsForgotten) {
  server_.Pass(absl::Seconds(1));
  Publish("x");
  for (const uint64_t id : {3, 4, 5}) server_.Hello(PublisherId{id});
  EXPECT_EQ(server_.broker.publisher_count(), 4u);
  EXPECT_EQ(server_.Publish(kB, 1, "x"), "FAILED_PRECONDITION");
  EXPECT_EQ(server_.Publish(kA, 2, "x"), "1→2");
}

TEST_F(BrokerRetentionTest, GroupsDoNotPileUpWhileTheLogCannotBeWritten) {
  BrokerOptions options = SmallOptions(true);
  options.idle_groups_max = 5;
  BrokerHarness server(options);
  server.EndTurn();
  server.sink.log_works = false;
  for (uint64_t i = 1; i <= 100; ++i) {
    server.Publish(kA, i, absl::StrCat("published", i));
    server.Subscribe(absl::StrCat("subscribed", i));
    server.Subscribe(absl::StrCat("proof", i), PublisherId{i});
    server.Pass(absl::Seconds(1));
    server.Unsubscribe(absl::StrCat("subscribed", i));
    server.Pass(absl::Seconds(1));
  }
  EXPECT_LE(server.broker.group_count(), 1u);
  server.sink.log_works = true;
  EXPECT_EQ(server.Publish(kA, 101, "published1"), "0→101");
}

// ---- Time for which the process did not run.

// As on a machine whose clock is set after its start.
TEST_F(BrokerRetentionTest, AJumpOfTheCalendarOverARestartAgesNeitherKeysNorPublishers) {
  BrokerHarness server(SmallOptions(true));
  server.Publish(kA, 1, "x", {.key = {1, 2}});
  server.EndTurn();
  const auto restarted = server.Restart(false, absl::Hours(25));
  restarted->EndTurn();
  restarted->Pass(absl::Seconds(59));
  EXPECT_EQ(restarted->broker.publisher_count(), 1u);
  EXPECT_EQ(restarted->Hello(kA, 1), "to 1: known after 1 from 1: 1");
  restarted->Pass(absl::Seconds(60));
  EXPECT_EQ(restarted->Publish(kA, 2, "x", {.key = {1, 2}}), "ALREADY_EXISTS");
}

// A turn may take this long, and then the time counts.
TEST_F(BrokerRetentionTest, AStallCountsAsTwoSeconds) {
  Publish("x");
  server_.Pass(absl::Seconds(297));
  server_.Stall(absl::Hours(1));
  server_.EndTurn();
  EXPECT_EQ(server_.History("x"), "1 from 0 up to 1");
  server_.Pass(absl::Seconds(1));
  EXPECT_EQ(server_.History("x"), "from 1 up to 1");
  Publish("y");
  server_.Pass(absl::Seconds(298));
  server_.Stall(absl::Hours(1));
  server_.EndTurn();
  EXPECT_EQ(server_.History("y"), "from 2 up to 2");
}

TEST_F(BrokerRetentionTest, AStalledProcessAgesNothing) {
  server_.Publish(kA, 1, "x", {.key = {1, 2}});
  server_.Subscribe("idle");
  server_.EndTurn();
  server_.Unsubscribe("idle");
  server_.EndTurn();
  server_.Stall(absl::Hours(30));
  server_.EndTurn();
  EXPECT_EQ(server_.History("x"), "1 from 0 up to 1");
  EXPECT_EQ(server_.broker.group_count(), 2u);
  EXPECT_EQ(server_.Publish(kA, 2, "x", {.key = {1, 2}}), "ALREADY_EXISTS");
}

}  // namespace
}  // namespace groupcast::service
