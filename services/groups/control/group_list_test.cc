#include "services/groups/control/group_list.h"

#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/groups/plain_encodings.h"

namespace groupcast::service {
namespace {

using testing::ElementsAre;

class SilentMember final : public Member {
 public:
  explicit SilentMember(uint64_t id) : Member(ConnectionId{id}, &kPlainBareEncoding) {}
  void Send(const SharedBytes&, TrafficClass) override {}
  bool HasRoomFor(size_t) const override { return true; }
  void Disconnect(CloseCode, absl::string_view) override {}
  void ResumeCommands() override {}
};

std::vector<std::string> IdsOf(const GroupList& list) {
  std::vector<std::string> ids;
  for (const ListedGroup& group : list.groups) ids.push_back(group.id);
  return ids;
}

GroupList List(std::vector<ListedGroup> groups, bool is_cut = false) {
  return {.groups = std::move(groups), .is_cut = is_cut};
}

class GroupListTest : public testing::Test {
 protected:
  GroupListTest() { windows_.SetTime(absl::FromUnixSeconds(1'000'000)); }
  ~GroupListTest() override {
    for (const auto& member : members_) table_.LeaveAll(member.get());
  }

  Group* Add(const std::string& id, int members, int messages = 0) {
    Group* const group = table_.FindOrAdd(id).group;
    group->subscribed = true;
    for (int i = 0; i < members; ++i) {
      members_.push_back(std::make_unique<SilentMember>(members_.size() + 1));
      table_.Join(group, members_.back().get(), absl::UnixEpoch());
    }
    for (int i = 0; i < messages; ++i) group->rate.Count(windows_);
    return group;
  }
  GroupListBounds Bounds(size_t groups_max,
                         size_t bytes_max = std::numeric_limits<size_t>::max()) const {
    return {.groups_max = groups_max, .bytes_max = bytes_max};
  }

  RateWindows windows_;
  GroupTable table_;
  std::vector<std::unique_ptr<SilentMember>> members_;
};

TEST_F(GroupListTest, GroupsAreInTheOrderOfTheirBytesWithTheirMembers) {
  Add("b", 2);
  Add("ä", 1);
  Add("a", 3);
  const GroupList list = ListGroups(table_, "", "", Bounds(10));
  EXPECT_THAT(list.groups, ElementsAre(ListedGroup{.id = "a", .members = 3},
                                       ListedGroup{.id = "b", .members = 2},
                                       ListedGroup{.id = "ä", .members = 1}));
  EXPECT_FALSE(list.is_cut);
}

TEST_F(GroupListTest, PrefixAndPlaceChooseTheGroups) {
  for (const char* id : {"room:1", "room:2", "room:3", "rooms", "a"}) Add(id, 1);
  EXPECT_THAT(IdsOf(ListGroups(table_, "room:", "", Bounds(10))),
              ElementsAre("room:1", "room:2", "room:3"));
  EXPECT_THAT(IdsOf(ListGroups(table_, "room:", "room:1", Bounds(10))),
              ElementsAre("room:2", "room:3"));
  EXPECT_THAT(IdsOf(ListGroups(table_, "", "room:25", Bounds(10))), ElementsAre("room:3", "rooms"));
}

TEST_F(GroupListTest, AGroupThatNobodyIsInYetIsNotListed) {
  Add("waits", 1)->subscribed = false;
  EXPECT_THAT(IdsOf(ListGroups(table_, "", "", Bounds(10))), ElementsAre());
  EXPECT_THAT(IdsOf(CountMembers(table_, {"waits"}, Bounds(10))), ElementsAre());
}

TEST_F(GroupListTest, EachBoundCutsAListAndOneGroupIsAlwaysThere) {
  for (const char* id : {"a", "b", "c"}) Add(id, 1);
  EXPECT_FALSE(ListGroups(table_, "", "", Bounds(3)).is_cut);
  const GroupList by_number = ListGroups(table_, "", "", Bounds(2));
  EXPECT_THAT(IdsOf(by_number), ElementsAre("a", "b"));
  EXPECT_TRUE(by_number.is_cut);
  const GroupList by_bytes = ListGroups(table_, "", "", Bounds(3, 2 * ListedBytes("a")));
  EXPECT_THAT(IdsOf(by_bytes), ElementsAre("a", "b"));
  EXPECT_TRUE(by_bytes.is_cut);
  const GroupList least = ListGroups(table_, "", "", Bounds(3, 1));
  EXPECT_THAT(IdsOf(least), ElementsAre("a"));
  EXPECT_TRUE(least.is_cut);
}

TEST_F(GroupListTest, TheBusiestComeFirstAndThoseWithoutMessagesLast) {
  Add("quiet", 5);
  Add("also quiet", 5);
  Add("room:few", 1, 5);
  Add("room:many", 1, 50);
  Add("most", 1, 100);
  EXPECT_THAT(IdsOf(ListBusiest(table_, "", windows_, Bounds(10))),
              ElementsAre("most", "room:many", "room:few", "also quiet", "quiet"));
  EXPECT_THAT(IdsOf(ListBusiest(table_, "room:", windows_, Bounds(1))), ElementsAre("room:many"));
}

TEST_F(GroupListTest, MembersOfNamedGroupsAreCounted) {
  Add("a", 2);
  Add("b", 1);
  EXPECT_THAT(
      CountMembers(table_, {"b", "none", "a"}, Bounds(10)).groups,
      ElementsAre(ListedGroup{.id = "a", .members = 2}, ListedGroup{.id = "b", .members = 1}));
}

TEST(MergeGroupsTest, MembersOfAllWorkersCountTogether) {
  const GroupList merged =
      MergeGroups({List({{.id = "a", .members = 1}, {.id = "c", .members = 1}}),
                   List({{.id = "a", .members = 2}, {.id = "b", .members = 3}})},
                  10);
  EXPECT_THAT(merged.groups, ElementsAre(ListedGroup{.id = "a", .members = 3},
                                         ListedGroup{.id = "b", .members = 3},
                                         ListedGroup{.id = "c", .members = 1}));
  EXPECT_FALSE(merged.is_cut);
}

// The first worker says nothing of "c", so the members of "c" are not known yet.
TEST(MergeGroupsTest, TheResultGoesNoFurtherThanEachListThatIsCut) {
  const GroupList merged =
      MergeGroups({List({{.id = "a", .members = 1}, {.id = "b", .members = 1}},
                        /*is_cut=*/true),
                   List({{.id = "b", .members = 1}, {.id = "c", .members = 1}})},
                  10);
  EXPECT_THAT(merged.groups, ElementsAre(ListedGroup{.id = "a", .members = 1},
                                         ListedGroup{.id = "b", .members = 2}));
  EXPECT_TRUE(merged.is_cut);
}

TEST(MergeGroupsTest, TheBoundCutsTheResult) {
  const GroupList merged =
      MergeGroups({List({{.id = "a", .members = 1}}), List({{.id = "b", .members = 1}})}, 1);
  EXPECT_THAT(IdsOf(merged), ElementsAre("a"));
  EXPECT_TRUE(merged.is_cut);
  EXPECT_TRUE(MergeGroups({}, 1).groups.empty());
}

TEST(MergeBusiestTest, TheHighestRateOfAGroupCountsAndNotTheSum) {
  const GroupList merged = MergeBusiest(
      {List({{.id = "a", .messages_per_second = 6}, {.id = "b", .messages_per_second = 5}}),
       List({{.id = "b", .messages_per_second = 4}, {.id = "c", .messages_per_second = 9}})},
      {.groups_max = 2, .bytes_max = 1'000});
  EXPECT_THAT(merged.groups, ElementsAre(ListedGroup{.id = "c", .messages_per_second = 9},
                                         ListedGroup{.id = "a", .messages_per_second = 6}));
}

TEST(MergeBusiestTest, TheBytesCutTheResult) {
  const GroupList merged = MergeBusiest(
      {List({{.id = "a", .messages_per_second = 6}, {.id = "b", .messages_per_second = 5}}),
       List({{.id = "c", .messages_per_second = 9}})},
      {.groups_max = 3, .bytes_max = 2 * ListedBytes("a")});
  EXPECT_THAT(IdsOf(merged), ElementsAre("c", "a"));
  EXPECT_TRUE(merged.is_cut);
}

// The first worker may have a group with 4 messages per second.
TEST(MergeBusiestTest, TheResultGoesNoFurtherThanEachListThatIsCut) {
  const GroupList merged = MergeBusiest(
      {List({{.id = "a", .messages_per_second = 6}, {.id = "b", .messages_per_second = 5}},
            /*is_cut=*/true),
       List({{.id = "c", .messages_per_second = 9}, {.id = "d", .messages_per_second = 3}})},
      {.groups_max = 9, .bytes_max = 1'000});
  EXPECT_THAT(IdsOf(merged), ElementsAre("c", "a", "b"));
  EXPECT_TRUE(merged.is_cut);
}

// Pages of whatever size of lists that are cut anywhere give each group once, with all members.
TEST(MergeGroupsTest, PagesGiveEachGroupOnceWithAllItsMembers) {
  std::vector<std::unique_ptr<SilentMember>> members;
  std::vector<std::unique_ptr<GroupTable>> workers;
  for (int worker = 0; worker < 3; ++worker) {
    workers.push_back(std::make_unique<GroupTable>());
    for (int i = 0; i < 100; ++i) {
      if (i % (worker + 2) != 0) continue;
      Group* const group = workers.back()->FindOrAdd(absl::StrCat("g", i)).group;
      group->subscribed = true;
      members.push_back(std::make_unique<SilentMember>(members.size() + 1));
      workers.back()->Join(group, members.back().get(), absl::UnixEpoch());
    }
  }
  std::vector<ListedGroup> all;
  std::string after;
  for (int page = 0; page < 200; ++page) {
    std::vector<GroupList> lists;
    for (const auto& worker : workers) {
      lists.push_back(ListGroups(
          *worker, "", after, {.groups_max = 7, .bytes_max = (page % 5 + 1) * ListedBytes("g1")}));
    }
    const GroupList merged = MergeGroups(lists, 7);
    for (const ListedGroup& group : merged.groups) all.push_back(group);
    if (!merged.is_cut) break;
    ASSERT_FALSE(merged.groups.empty()) << "a page brings something";
    after = merged.groups.back().id;
  }
  uint64_t total = 0;
  for (size_t i = 0; i < all.size(); ++i) {
    total += all[i].members;
    if (i == 0) continue;
    EXPECT_LT(all[i - 1].id, all[i].id);
  }
  EXPECT_EQ(all.size(), 67u) << "the numbers below 100 with a divisor 2, 3 or 4";
  EXPECT_EQ(total, members.size());
  for (const auto& member : members) workers.front()->LeaveAll(member.get());
}

}  // namespace
}  // namespace groupcast::service
