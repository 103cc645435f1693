#include "services/groups/user_limits.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "services/groups/member_access.h"
#include "services/groups/plain_encodings.h"

namespace groupcast::service {
namespace {

class FakeMember final : public Member {
 public:
  FakeMember() : Member(ConnectionId{1}, &kPlainV1Encoding) {
    access = std::make_unique<MemberAccess>();
  }
  void Send(const SharedBytes&, TrafficClass) override {}
  bool HasRoomFor(size_t) const override { return true; }
  void Disconnect(CloseCode, absl::string_view) override {}
  void ResumeCommands() override {}
};

class FakeCounts final : public UserCounts {
 public:
  bool AddBelow(uint32_t max, uint64_t user) override {
    if (counts[user] >= max) return false;
    ++counts[user];
    return true;
  }
  void Remove(uint64_t user) override {
    ASSERT_GT(counts[user], 0u);
    --counts[user];
  }
  uint32_t Sum() const {
    uint32_t sum = 0;
    for (const auto& [user, count] : counts) sum += count;
    return sum;
  }

  std::map<uint64_t, uint32_t> counts;
};

class UserLimitsTest : public ::testing::Test {
 protected:
  UserLimits Limits(UserLimitsOptions options) {
    options.connections = &connections_;
    options.groups = &groups_;
    return UserLimits(options);
  }

  FakeCounts connections_;
  FakeCounts groups_;
  absl::Time now_ = absl::FromUnixSeconds(1'000);
};

TEST_F(UserLimitsTest, TheMostConnectionsAndOneOver) {
  UserLimits limits = Limits({.connections_max = 2});
  FakeMember first;
  FakeMember second;
  FakeMember third;
  EXPECT_TRUE(limits.Add(&first, "alice", 0));
  EXPECT_TRUE(limits.Add(&second, "alice", 0));
  EXPECT_FALSE(limits.Add(&third, "alice", 0));
  EXPECT_TRUE(limits.Add(&third, "bob", 0));
  limits.Remove(&first);
  FakeMember fourth;
  EXPECT_TRUE(limits.Add(&fourth, "alice", 0));
  for (FakeMember* member : {&first, &second, &third, &fourth}) limits.Remove(member);
  EXPECT_EQ(connections_.Sum(), 0u);
}

TEST_F(UserLimitsTest, TheMostGroupsAndOneOver) {
  UserLimits limits = Limits({.groups_max = 3});
  FakeMember first;
  FakeMember second;
  ASSERT_TRUE(limits.Add(&first, "alice", 1));  // it was in one before
  ASSERT_TRUE(limits.Add(&second, "alice", 0));
  EXPECT_TRUE(limits.AddGroup(&first));
  EXPECT_TRUE(limits.AddGroup(&second));
  EXPECT_FALSE(limits.AddGroup(&second));
  EXPECT_FALSE(limits.AddGroup(&first));
  limits.RemoveGroup(&second);
  EXPECT_TRUE(limits.AddGroup(&first));
  limits.Remove(&first);  // with its three
  limits.Remove(&second);
  EXPECT_EQ(groups_.Sum(), 0u);
  EXPECT_EQ(connections_.Sum(), 0u);
}

TEST_F(UserLimitsTest, ConnectionsWithoutAUserHaveNoPartInIt) {
  UserLimits limits = Limits(
      {.connections_max = 1, .groups_max = 1, .command_rate = {.per_second = 1, .burst = 1}});
  FakeMember member;
  EXPECT_TRUE(limits.AddGroup(&member));
  EXPECT_TRUE(limits.AddGroup(&member));
  limits.RemoveGroup(&member);
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(limits.HasToken(member, now_));
    limits.TakeTokens(member, 1, now_);
  }
  limits.Remove(&member);
  EXPECT_EQ(groups_.Sum(), 0u);
}

TEST_F(UserLimitsTest, TheCommandsOfAllConnectionsOfAUserCountTogether) {
  UserLimits limits = Limits({.command_rate = {.per_second = 2, .burst = 3}});
  FakeMember first;
  FakeMember second;
  FakeMember other;
  limits.Add(&first, "alice", 0);
  limits.Add(&second, "alice", 0);
  limits.Add(&other, "bob", 0);
  limits.TakeTokens(first, 2, now_);
  EXPECT_TRUE(limits.HasToken(second, now_));
  limits.TakeTokens(second, 1, now_);
  EXPECT_FALSE(limits.HasToken(first, now_));
  EXPECT_FALSE(limits.HasToken(second, now_));
  EXPECT_TRUE(limits.HasToken(other, now_));
  now_ += absl::Milliseconds(499);
  EXPECT_FALSE(limits.HasToken(first, now_));
  now_ += absl::Milliseconds(1);
  EXPECT_TRUE(limits.HasToken(first, now_));
}

TEST_F(UserLimitsTest, BucketsThatAreFullAgainAreForgotten) {
  UserLimits limits = Limits({.command_rate = {.per_second = 1, .burst = 1}});
  std::vector<std::unique_ptr<FakeMember>> members;
  for (int i = 0; i < 5'000; ++i) {
    members.push_back(std::make_unique<FakeMember>());
    limits.Add(members.back().get(), absl::StrCat("user ", i), 0);
    limits.TakeTokens(*members.back(), 1, now_);
    now_ += absl::Milliseconds(10);
  }
  EXPECT_LE(limits.buckets(), 1'024u);
  EXPECT_FALSE(limits.HasToken(*members.back(), now_));
}

}  // namespace
}  // namespace groupcast::service
