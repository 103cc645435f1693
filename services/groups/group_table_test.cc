#include "services/groups/group_table.h"

#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>

#include "gtest/gtest.h"
#include "services/groups/plain_encodings.h"

namespace groupcast::service {
namespace {

class FakeMember final : public Member {
 public:
  explicit FakeMember(uint64_t id) : Member(ConnectionId{id}, &kPlainBareEncoding) {}
  void Send(const SharedBytes&, TrafficClass) override {}
  bool HasRoomFor(size_t) const override { return true; }
  void Disconnect(CloseCode, absl::string_view) override {}
  void ResumeCommands() override {}
};

TEST(GroupTableTest, JoiningAndLeavingAreCountedOnce) {
  GroupTable table;
  FakeMember member(1);
  Group* group = table.FindOrAdd("g").group;
  EXPECT_TRUE(table.Join(group, &member, absl::Now()));
  EXPECT_FALSE(table.Join(group, &member, absl::Now()));
  EXPECT_EQ(table.membership_count(), 1u);
  EXPECT_EQ(member.group_count(), 1u);
  EXPECT_TRUE(table.Leave(group, &member));
  EXPECT_FALSE(table.Leave(group, &member));
  EXPECT_EQ(table.membership_count(), 0u);
}

TEST(GroupTableTest, FindsAGroupByItsWholeIdOnly) {
  GroupTable table;
  Group* group = table.FindOrAdd("123").group;
  EXPECT_EQ(table.Find("12"), nullptr);
  EXPECT_EQ(table.Find("123"), group);
  EXPECT_FALSE(table.FindOrAdd("123").is_new);
  table.Remove(group);
  EXPECT_EQ(table.Find("123"), nullptr);
}

// It is marked in the group's list, where members change places.
TEST(GroupTableTest, WhoIsNotLiveStaysSoWhenOthersLeave) {
  GroupTable table;
  FakeMember first(1);
  FakeMember last(2);
  Group* group = table.FindOrAdd("g").group;
  table.Join(group, &first, absl::Now());
  table.Join(group, &last, absl::Now());
  table.SetLive(group, last, false);
  EXPECT_EQ(table.GroupsNotLive(last), std::vector<Group*>{group});
  EXPECT_TRUE(table.GroupsNotLive(first).empty());
  table.Leave(group, &first);
  EXPECT_FALSE(group->members[0].live);
  table.SetLive(group, last, true);
  EXPECT_TRUE(table.GroupsNotLive(last).empty());
  table.LeaveAll(&last);
}

// Against the obvious model, through thousands of random joins, leaves and closed connections: the
// back references between members and groups stay right, and a closed connection leaves no trace.
TEST(GroupTableTest, AgreesWithAModelThroughRandomChurn) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  GroupTable table;
  std::map<uint64_t, std::unique_ptr<FakeMember>> members;
  std::map<std::string, std::set<uint64_t>> model;
  uint64_t next_id = 1;
  const auto remove_if_empty = [&](Group* group) {
    if (group->members.empty()) table.Remove(group);
  };
  for (int step = 0; step < 20'000; ++step) {
    if (members.size() < 20) {
      members[next_id] = std::make_unique<FakeMember>(next_id);
      ++next_id;
    }
    const auto chosen = std::next(members.begin(), static_cast<int>(random() % members.size()));
    const std::string id = "g" + std::to_string(random() % 10);
    switch (random() % 10) {
      case 0:
        for (Group* group : table.LeaveAll(chosen->second.get())) remove_if_empty(group);
        for (auto& [name, ids] : model) ids.erase(chosen->first);
        members.erase(chosen);
        break;
      case 1:
      case 2:
      case 3:
        if (Group* group = table.Find(id); group != nullptr) {
          ASSERT_EQ(table.Leave(group, chosen->second.get()), model[id].erase(chosen->first) == 1);
          remove_if_empty(group);
        }
        break;
      default:
        ASSERT_EQ(table.Join(table.FindOrAdd(id).group, chosen->second.get(), absl::Now()),
                  model[id].insert(chosen->first).second);
    }
    size_t memberships = 0;
    for (const auto& [name, ids] : model) {
      memberships += ids.size();
      const Group* const group = table.Find(name);
      ASSERT_EQ(group == nullptr, ids.empty());
      if (group == nullptr) continue;
      std::set<uint64_t> found;
      for (const Group::Place& place : group->members) {
        found.insert(static_cast<uint64_t>(place.member->connection_id()));
      }
      ASSERT_EQ(found, ids);
    }
    ASSERT_EQ(table.membership_count(), memberships);
  }
}

}  // namespace
}  // namespace groupcast::service
