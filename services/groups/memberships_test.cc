#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "services/groups/group_service_fixture.h"

namespace groupcast::service {
namespace {

class MembershipsTest : public GroupServiceFixture {
 protected:
  MembershipsTest() : GroupServiceFixture({.memberships = {.groups_max = 3}}) {}
};

TEST_F(MembershipsTest, TheReplyToAJoinComesBeforeAnyMessage) {
  const auto client = V1();
  client->Do(R"({"cmd":"add_group","group_id":"g","id":1})");
  client->Do(R"({"cmd":"send_to_group","group_id":"g","message":1})");
  hub_.Pump();
  ASSERT_EQ(client->received.size(), 2u);
  EXPECT_EQ(client->received[0],
            R"({"event":"reply","id":1,"group_id":"g","epoch":"000000000000000a","offset":0})");
  EXPECT_TRUE(absl::StrContains(client->received[1], R"("message":1,"offset":1,"previous":0)"));
}

TEST_F(MembershipsTest, JoiningAWarmGroupIsAnsweredWithThePositionOfWhatWasDelivered) {
  const auto first = Bare();
  first->Do(R"({"cmd":"add_group","group_id":"g"})");
  first->Do(R"({"cmd":"send_to_group","group_id":"g","message":"m"})");
  hub_.Pump();
  const auto second = Bare();
  second->Do(R"({"cmd":"add_group","group_id":"g","id":1})");
  EXPECT_EQ(
      second->received,
      Received(
          {R"({"event":"reply","id":1,"group_id":"g","epoch":"000000000000000a","offset":1})"}));
}

TEST_F(MembershipsTest, LeavingStopsDelivery) {
  const auto client = Bare();
  client->Do(R"({"cmd":"add_group","group_id":"g"})");
  client->Do(R"({"cmd":"leave_group","group_id":"g","id":1})");
  client->Do(R"({"cmd":"send_to_group","group_id":"g","message":"m"})");
  hub_.Pump();
  EXPECT_EQ(client->received, Received({R"({"event":"reply","id":1,"group_id":"g"})"}));
  EXPECT_EQ(service_.table().group_count(), 0u);
}

TEST_F(MembershipsTest, BoundsTheGroupsOfAConnection) {
  const auto client = Bare();
  for (const char* id : {"a", "b", "c", "a"}) {
    client->Do(absl::StrCat(R"({"cmd":"add_group","group_id":")", id, "\"}"));
  }
  hub_.Pump();
  EXPECT_EQ(client->received, Received());  // "a" again is not one more
  client->Do(R"({"cmd":"add_group","group_id":"d"})");
  ASSERT_EQ(client->received.size(), 1u);
  EXPECT_TRUE(absl::StrContains(client->received[0], "too_many_groups"));
}

// Each join that waits takes memory, and a connection may have but so many groups: a second one of
// the same group waits for the first.
TEST_F(MembershipsTest, BoundsTheJoinsThatWaitForTheChannel) {
  const auto client = Bare();
  for (int i = 0; i < 10; ++i) client->Do(R"({"cmd":"add_group","group_id":"g","id":1})");
  EXPECT_EQ(client->pending_answers, 1);
  hub_.Pump();
  EXPECT_EQ(client->pending_answers, 0);
  EXPECT_EQ(client->received.size(), 10u);
}

TEST_F(MembershipsTest, AJoinThatTheChannelDoesNotAnswerFailsAndCommandsGoOn) {
  channel_.SetConnected(false);
  hub_.Pump();
  const auto client = Bare();
  client->Do(R"({"cmd":"add_group","group_id":"g","id":1})");
  client->Do(R"({"cmd":"ping","id":2})");
  hub_.Pump();
  clock_.Advance(absl::Seconds(4));
  service_.CheckDeadlines();
  EXPECT_EQ(client->received, Received());
  clock_.Advance(absl::Seconds(1));
  service_.CheckDeadlines();
  ASSERT_EQ(client->received.size(), 2u);
  EXPECT_TRUE(
      absl::StrContains(client->received[0], R"("id":1,"cmd":"add_group","code":"unavailable")"));
  EXPECT_EQ(client->received[1], R"({"event":"reply","id":2,"pong":true})");
  EXPECT_EQ(service_.table().group_count(), 0u);
}

TEST_F(MembershipsTest, JoinsThatFailTogetherAreAnsweredInTheOrderOfTheirCommands) {
  channel_.SetConnected(false);
  hub_.Pump();
  const auto client = Bare();
  client->Do(R"({"cmd":"add_group","group_id":"b","id":1})");
  client->Do(R"({"cmd":"add_group","group_id":"a","id":2})");
  auto gone = Bare();
  gone->Do(R"({"cmd":"add_group","group_id":"a","id":1})");
  gone.reset();
  clock_.Advance(absl::Seconds(5));
  service_.CheckDeadlines();
  ASSERT_EQ(client->received.size(), 2u);
  EXPECT_TRUE(absl::StrContains(client->received[0], R"("id":1,)"));
  EXPECT_TRUE(absl::StrContains(client->received[1], R"("id":2,)"));
  EXPECT_EQ(service_.table().group_count(), 0u);
}

}  // namespace
}  // namespace groupcast::service
