#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "services/common/log_capture.h"
#include "services/groups/group_service_fixture.h"

namespace groupcast::service {
namespace {

class GroupServiceTest : public GroupServiceFixture {
 protected:
  GroupServiceTest() : GroupServiceFixture({.memberships = {.groups_max = 3}}) {}

  void Reconnect() {
    for (const bool connected : {false, true}) {
      channel_.SetConnected(connected);
      hub_.Pump();
    }
  }
};

TEST_F(GroupServiceTest, TheThreeLineClientSeesItsOwnMessage) {
  const auto client = Bare();
  client->Do(R"({"cmd":"add_group","group_id":"123"})");
  client->Do(R"({"cmd":"send_to_group","group_id":"123","message":"هذه هي الرسالة"})");
  hub_.Pump();
  EXPECT_EQ(client->received, Received({"هذه هي الرسالة"}));
}

// Otherwise a connection's message could reach the channel before its own membership is certain.
TEST_F(GroupServiceTest, ASendWaitsForTheJoinsBeforeItAndJoinsDoNotWaitForEachOther) {
  const auto client = Bare();
  client->Do(R"({"cmd":"add_group","group_id":"a"})");
  client->Do(R"({"cmd":"add_group","group_id":"b"})");
  EXPECT_EQ(client->pending_answers, 2);
  client->Do(R"({"cmd":"ping","id":1})");
  EXPECT_EQ(client->received, Received());
  hub_.Pump();
  EXPECT_EQ(client->pending_answers, 0);
  EXPECT_EQ(client->received, Received({R"({"event":"reply","id":1,"pong":true})"}));
}

TEST_F(GroupServiceTest, EachMemberGetsAMessageInItsOwnForm) {
  const auto bare = Bare();
  const auto v1 = V1();
  const auto other = Bare();
  bare->Do(R"({"cmd":"add_group","group_id":"g"})");
  v1->Do(R"({"cmd":"add_group","group_id":"g"})");
  other->Do(R"({"cmd":"add_group","group_id":"other"})");
  hub_.Pump();
  other->Do(R"({"cmd":"send_to_group","group_id":"g","message":{"a": 0.10}})");
  hub_.Pump();
  EXPECT_EQ(bare->received, Received({R"({"a":0.10})"}));
  ASSERT_EQ(v1->received.size(), 1u);
  EXPECT_TRUE(absl::StartsWith(
      v1->received[0], R"({"event":"message","group_id":"g","message":{"a":0.10},"offset":1)"));
  EXPECT_EQ(other->received, Received());
}

TEST_F(GroupServiceTest, ErrorsAreAnsweredAlsoWithoutAnId) {
  const auto client = Bare();
  client->Do("nonsense");
  client->Do(R"({"cmd":"send_to_group","group_id":"g"})");
  client->Do(R"({"cmd":"send_to_group","group_ids":["a",""],"message":1})");
  hub_.Pump();
  ASSERT_EQ(client->received.size(), 3u);
  EXPECT_TRUE(absl::StrContains(client->received[0], "bad_json"));
  EXPECT_TRUE(absl::StrContains(client->received[1], "message_missing"));
  EXPECT_TRUE(absl::StrContains(client->received[2], "group_id_invalid"));
  EXPECT_EQ(service_.counters().errors, 3u);
}

TEST_F(GroupServiceTest, AConnectionThatIsGoneLeavesNoTrace) {
  auto client = Bare();
  client->Do(R"({"cmd":"add_group","group_id":"cold"})");
  client.reset();
  EXPECT_EQ(service_.table().group_count(), 0u);
  hub_.Pump();

  client = Bare();
  client->Do(R"({"cmd":"add_group","group_id":"warm"})");
  hub_.Pump();
  client->Do(R"({"cmd":"send_to_group","group_id":"warm","message":"m","id":1})");
  client.reset();  // with an answer on its way
  hub_.Pump();
  EXPECT_EQ(service_.table().group_count(), 0u);
  EXPECT_EQ(service_.table().membership_count(), 0u);
}

TEST_F(GroupServiceTest, V1MembersAreToldOfAGapAndBareOnesAreDeliveredOn) {
  const auto bare = Bare();
  const auto v1 = V1();
  bare->Do(R"({"cmd":"add_group","group_id":"g"})");
  v1->Do(R"({"cmd":"add_group","group_id":"g"})");
  hub_.Pump();
  channel_.TellGap("g", {.from = 0, .to = {kEpoch, 7}});
  hub_.Pump();
  hub_.BeginEpoch(Epoch{0x0b});
  v1->Do(R"({"cmd":"send_to_group","group_id":"g","message":"m"})");
  hub_.Pump();
  EXPECT_EQ(bare->received, Received({"m"}));
  ASSERT_EQ(v1->received.size(), 3u);
  EXPECT_EQ(v1->received[0],
            R"({"event":"gap","group_id":"g","epoch":"000000000000000a","from":0,"to":7})");
  EXPECT_EQ(v1->received[1],
            R"({"event":"gap","group_id":"g","epoch":"000000000000000b","from":null,"to":0})");
  EXPECT_EQ(service_.counters().gaps, 2u);
}

TEST_F(GroupServiceTest, CountsTheLimitsOfCommandsByName) {
  const auto client = V1();
  for (int i = 0; i <= 3; ++i) {
    client->Do(absl::StrCat(R"({"cmd":"add_group","group_id":)", i, "}"));
    EXPECT_EQ(service_.counters().too_many_groups, i < 3 ? 0u : 1u) << i;
  }
  hub_.Pump();
  const auto send = [&](size_t bytes) {
    client->Do(absl::StrCat(R"({"cmd":"send_to_group","group_ids":["x"],"id":1,"message":")",
                            std::string(bytes, 'm'), "\"}"));
    hub_.Pump();
  };
  send(64 * 1024);
  EXPECT_EQ(service_.counters().message_too_large, 0u);
  send(64 * 1024 + 1);
  EXPECT_EQ(service_.counters().message_too_large, 1u);
}

class CommandRateTest : public GroupServiceFixture {
 protected:
  CommandRateTest() : GroupServiceFixture({.command_rate = {.per_second = 10, .burst = 3}}) {}

  // Whether the answers to `count` pings are pongs, in their order.
  static std::string Answers(FakeMember* member, int count) {
    member->received.clear();
    for (int i = 0; i < count; ++i) member->Do(R"({"cmd":"ping","id":1})");
    std::string answers;
    for (const std::string& text : member->received) {
      answers += absl::StrContains(text, R"("pong":true)")             ? 'p'
                 : absl::StrContains(text, R"("code":"rate_limited")") ? 'l'
                                                                       : '?';
    }
    return answers;
  }
};

TEST_F(CommandRateTest, ABurstAndThenTheRate) {
  const auto client = V1();
  EXPECT_EQ(Answers(client.get(), 5), "pppll");
  clock_.Advance(absl::Milliseconds(99));
  EXPECT_EQ(Answers(client.get(), 1), "l");
  clock_.Advance(absl::Milliseconds(1));
  EXPECT_EQ(Answers(client.get(), 2), "pl") << "what is refused costs nothing";
  EXPECT_EQ(client->received.back(),
            R"({"event":"error","id":1,"cmd":"ping","code":"rate_limited",)"
            R"("message":"more than 10 commands a second, after 3 at once","retry":true})");
  EXPECT_EQ(service_.counters().rate_limited, 4u);
  EXPECT_EQ(Answers(V1().get(), 3), "ppp") << "each connection has its own";
}

TEST_F(CommandRateTest, WhatIsNoCommandCostsToo) {
  const auto client = V1();
  for (int i = 0; i < 3; ++i) client->Do("{");
  EXPECT_EQ(Answers(client.get(), 1), "l");
}

TEST_F(CommandRateTest, ACommandToSeveralGroupsCostsOneForEach) {
  const auto client = V1();
  client->Do(R"({"cmd":"send_to_group","group_ids":["a","b","c","d"],"message":1,"id":1})");
  hub_.Pump();
  EXPECT_TRUE(absl::StrContains(client->received.back(), R"("event":"reply")")) << "one may go";
  clock_.Advance(absl::Milliseconds(199));
  EXPECT_EQ(Answers(client.get(), 1), "l") << "one below zero, and one is needed";
  clock_.Advance(absl::Milliseconds(1));
  EXPECT_EQ(Answers(client.get(), 2), "pl");
}

// A command that waits is looked at several times.
TEST_F(CommandRateTest, ACommandThatWaitsCostsOnce) {
  const auto client = V1();
  client->Do(R"({"cmd":"add_group","group_id":"g"})");
  client->Do(R"({"cmd":"send_to_group","group_id":"g","message":1,"id":1})");
  client->ResumeCommands();
  client->ResumeCommands();
  hub_.Pump();
  EXPECT_EQ(Answers(client.get(), 2), "pl");
}

TEST_F(GroupServiceTest, WithoutARateNothingIsLimited) {
  const auto client = V1();
  for (int i = 0; i < 10'000; ++i) client->Do(R"({"cmd":"ping"})");
  EXPECT_EQ(service_.counters().rate_limited, 0u);
}

// A channel server that goes and comes many times a second does not flood the log.
TEST_F(GroupServiceTest, AChannelThatFlapsWritesTwoLinesPerSecond) {
  const LogCapture log;
  for (int i = 0; i < 10; ++i) Reconnect();
  EXPECT_EQ(log.Count("the channel is away"), 1);
  EXPECT_EQ(log.Count("the channel is there"), 1);
  clock_.Advance(absl::Seconds(1));
  Reconnect();
  EXPECT_EQ(log.Count("the channel is away: sends wait until it is back (10 times"), 1);
  EXPECT_EQ(log.Count("the channel is there"), 2);
}

TEST_F(GroupServiceTest, AMaximumThatChangesAllTheTimeWritesOneLinePerSecond) {
  const LogCapture log;
  for (int i = 0; i < 10; ++i) {
    hub_.SetMessageBytesMax(i % 2 == 0 ? 1'000 : 2'000);
    Reconnect();
  }
  EXPECT_EQ(log.Count("the channel takes messages of up to"), 1);
  clock_.Advance(absl::Seconds(1));
  hub_.SetMessageBytesMax(3'000);
  Reconnect();
  EXPECT_EQ(log.Count("(10 changes since the last such line)"), 1);
  hub_.SetMessageBytesMax(1 << 20);
  Reconnect();
  EXPECT_EQ(log.Count(" bytes again"), 1) << "the last line is true";
  Reconnect();
  EXPECT_EQ(log.Count(" bytes again"), 1);
}

}  // namespace
}  // namespace groupcast::service
