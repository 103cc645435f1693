#include "services/websocket_service/group_service.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "services/channel/memory/memory_channel.h"

namespace groupcast::service {
namespace {

constexpr Epoch kEpoch{0x0a};

// A connection as the groups see it: it records what it is sent, and holds commands back as a
// session does.
class FakeMember final : public Member {
 public:
  FakeMember(uint64_t id, bool v1, GroupService* service)
      : Member(ConnectionId{id}), v1_(v1), service_(service) {
    service_->Add(this);
  }
  ~FakeMember() override { service_->Remove(this); }

  void Do(const std::string& command) {
    waiting_.push_back(command);
    if (waiting_.size() == 1) ResumeCommands();
  }

  void Send(const FramePtr& frame) override {
    received.emplace_back(frame.bytes().substr(frame.size() < 128 ? 2 : 4));
  }
  void ResumeCommands() override {
    while (!waiting_.empty() && service_->HandleCommand(this, waiting_.front())) {
      waiting_.erase(waiting_.begin());
    }
  }
  bool v1() const override { return v1_; }

  std::vector<std::string> received;

 private:
  const bool v1_;
  GroupService* const service_;
  std::vector<std::string> waiting_;
};

using Received = std::vector<std::string>;

class GroupServiceTest : public testing::Test {
 protected:
  GroupServiceTest()
      : service_({.groups_per_connection_max = 3}, &clock_),
        hub_(kEpoch),
        channel_(&hub_, &service_) {
    service_.SetChannel(&channel_);
    channel_.SetConnected(true);
    hub_.Pump();
  }

  std::unique_ptr<FakeMember> Bare() {
    return std::make_unique<FakeMember>(++last_id_, false, &service_);
  }
  std::unique_ptr<FakeMember> V1() {
    return std::make_unique<FakeMember>(++last_id_, true, &service_);
  }

  FakeClock clock_;
  GroupService service_;
  MemoryHub hub_;
  MemoryChannel channel_;
  uint64_t last_id_ = 0;
};

TEST_F(GroupServiceTest, TheThreeLineClientSeesItsOwnMessage) {
  const auto client = Bare();
  client->Do(R"({"cmd":"add_group","group_id":"123"})");
  client->Do(R"({"cmd":"send_to_group","group_id":"123","message":"هذه هي الرسالة"})");
  hub_.Pump();
  EXPECT_EQ(client->received, Received({"هذه هي الرسالة"}));
}

TEST_F(GroupServiceTest, TheReplyToAJoinComesBeforeAnyMessage) {
  const auto client = V1();
  client->Do(R"({"cmd":"add_group","group_id":"g","id":1})");
  client->Do(R"({"cmd":"send_to_group","group_id":"g","message":1})");
  hub_.Pump();
  ASSERT_EQ(client->received.size(), 2u);
  EXPECT_EQ(client->received[0],
            R"({"event":"reply","id":1,"group_id":"g","epoch":"000000000000000a","offset":0})");
  EXPECT_TRUE(absl::StrContains(client->received[1], R"("message":1,"offset":1,"previous":0)"));
}

// Otherwise a connection's message could reach the channel before its own membership is certain.
TEST_F(GroupServiceTest, ASendWaitsForTheJoinsBeforeItAndJoinsDoNotWaitForEachOther) {
  const auto client = Bare();
  client->Do(R"({"cmd":"add_group","group_id":"a"})");
  client->Do(R"({"cmd":"add_group","group_id":"b"})");
  EXPECT_EQ(client->pending_joins, 2);
  client->Do(R"({"cmd":"ping","id":1})");
  EXPECT_EQ(client->received, Received());
  hub_.Pump();
  EXPECT_EQ(client->pending_joins, 0);
  EXPECT_EQ(client->received, Received({R"({"event":"reply","id":1,"pong":true})"}));
}

TEST_F(GroupServiceTest, JoiningAWarmGroupIsAnsweredWithThePositionOfWhatWasDelivered) {
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

TEST_F(GroupServiceTest, TheReplyToASendIsItsPosition) {
  const auto client = Bare();
  client->Do(R"({"cmd":"send_to_group","group_id":"g","message":"m","id":"x"})");
  hub_.Pump();
  EXPECT_EQ(
      client->received,
      Received(
          {R"({"event":"reply","id":"x","group_id":"g","epoch":"000000000000000a","offset":1})"}));
}

TEST_F(GroupServiceTest, ASendToManyGroupsIsAnsweredOnceWithEachResult) {
  const auto client = Bare();
  client->Do(R"({"cmd":"send_to_group","group_ids":["a","","b"],"message":"m","id":1})");
  hub_.Pump();
  ASSERT_EQ(client->received.size(), 1u);
  EXPECT_TRUE(absl::StrContains(client->received[0],
                                R"({"group_id":"a","epoch":"000000000000000a","offset":1})"));
  EXPECT_TRUE(
      absl::StrContains(client->received[0], R"({"group_id":"","code":"group_id_invalid")"));
  EXPECT_TRUE(absl::StrContains(client->received[0],
                                R"({"group_id":"b","epoch":"000000000000000a","offset":2})"));
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

TEST_F(GroupServiceTest, LeavingStopsDelivery) {
  const auto client = Bare();
  client->Do(R"({"cmd":"add_group","group_id":"g"})");
  client->Do(R"({"cmd":"leave_group","group_id":"g","id":1})");
  client->Do(R"({"cmd":"send_to_group","group_id":"g","message":"m"})");
  hub_.Pump();
  EXPECT_EQ(client->received, Received({R"({"event":"reply","id":1,"group_id":"g"})"}));
  EXPECT_EQ(service_.table().group_count(), 0u);
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

TEST_F(GroupServiceTest, BoundsTheGroupsOfAConnection) {
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

// The same group again and again is one membership, but each command's answer takes memory while it
// waits.
TEST_F(GroupServiceTest, BoundsTheJoinsThatWaitForTheChannel) {
  const auto client = Bare();
  for (int i = 0; i < 10; ++i) client->Do(R"({"cmd":"add_group","group_id":"g","id":1})");
  EXPECT_EQ(client->pending_joins, 3);
  hub_.Pump();
  EXPECT_EQ(client->pending_joins, 0);
  EXPECT_EQ(client->received.size(), 10u);
}

TEST_F(GroupServiceTest, AJoinThatTheChannelDoesNotAnswerFailsAndCommandsGoOn) {
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

TEST_F(GroupServiceTest, ASendWhileTheChannelIsAwayIsUnavailable) {
  channel_.SetConnected(false);
  const auto client = Bare();
  client->Do(R"({"cmd":"send_to_group","group_id":"g","message":"m"})");
  hub_.Pump();
  ASSERT_EQ(client->received.size(), 1u);
  EXPECT_TRUE(absl::StrContains(client->received[0], R"("code":"unavailable")"));
}

TEST_F(GroupServiceTest, V1MembersAreToldOfAGapAndBareOnesAreDeliveredOn) {
  const auto bare = Bare();
  const auto v1 = V1();
  bare->Do(R"({"cmd":"add_group","group_id":"g"})");
  v1->Do(R"({"cmd":"add_group","group_id":"g"})");
  hub_.Pump();
  service_.OnMessage(
      {.group_id = "g", .epoch = kEpoch, .offset = 9, .previous = 7, .content = {.data = "m"}});
  EXPECT_EQ(bare->received, Received({"m"}));
  ASSERT_EQ(v1->received.size(), 2u);
  EXPECT_EQ(v1->received[0],
            R"({"event":"gap","group_id":"g","epoch":"000000000000000a","from":0,"to":7})");
  service_.OnHead("g", {Epoch{0x0b}, 3});
  EXPECT_EQ(v1->received.back(),
            R"({"event":"gap","group_id":"g","epoch":"000000000000000b","from":null,"to":3})");
  EXPECT_EQ(service_.counters().gaps, 2u);
}

}  // namespace
}  // namespace groupcast::service
