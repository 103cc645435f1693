#include "services/groups/pending_joins.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "services/groups/plain_encodings.h"

namespace groupcast::service {
namespace {

class FakeMember final : public Member {
 public:
  FakeMember() : Member(ConnectionId{1}, &kPlainBareEncoding) {}
  void Send(const SharedBytes&, TrafficClass) override {}
  bool HasRoomFor(size_t) const override { return true; }
  void Disconnect(CloseCode, absl::string_view) override {}
  void ResumeCommands() override {}
};

absl::Time Second(int seconds) { return absl::UnixEpoch() + absl::Seconds(seconds); }

class PendingJoinsTest : public testing::Test {
 protected:
  void Add(Group* group, FakeMember* member, const std::string& id, int deadline) {
    joins_.Add({.group = group, .member = member, .command_id = id, .deadline = Second(deadline)});
  }
  static std::string Ids(const std::vector<PendingJoin>& joins) {
    std::string ids;
    for (const PendingJoin& join : joins) absl::StrAppend(&ids, join.command_id, " ");
    return ids;
  }

  Group a_;
  Group b_;
  FakeMember first_;
  FakeMember second_;
  FakeMember third_;
  PendingJoins joins_;
};

TEST_F(PendingJoinsTest, AGroupsJoinsComeInTheirOrderAndLeaveOthersAlone) {
  Add(&a_, &third_, "1", 5);
  Add(&b_, &third_, "2", 5);
  Add(&a_, &first_, "3", 6);
  Add(&a_, &second_, "4", 7);
  EXPECT_EQ(Ids(joins_.TakeOf(&a_)), "1 3 4 ");
  EXPECT_EQ(Ids(joins_.TakeOf(&a_)), "");
  EXPECT_EQ(joins_.size(), 1u);
  EXPECT_EQ(Ids(joins_.TakeOf(&b_)), "2 ");
}

TEST_F(PendingJoinsTest, JoinsExpireInTheirOrderOverAllGroupsAndAtTheirDeadline) {
  Add(&b_, &third_, "1", 5);
  Add(&a_, &third_, "2", 5);
  Add(&b_, &first_, "3", 6);
  EXPECT_EQ(Ids(joins_.TakeExpired(Second(4))), "");
  EXPECT_EQ(Ids(joins_.TakeExpired(Second(5))), "1 2 ");
  EXPECT_EQ(Ids(joins_.TakeOf(&b_)), "3 ");
  EXPECT_EQ(joins_.size(), 0u);
}

TEST_F(PendingJoinsTest, ADroppedJoinIsTakenNoMore) {
  Add(&a_, &first_, "1", 5);
  Add(&a_, &second_, "2", 5);
  joins_.Drop(&a_, &first_);
  joins_.Drop(&a_, &first_);
  joins_.Drop(&b_, &second_);
  EXPECT_EQ(Ids(joins_.TakeExpired(Second(9))), "2 ");
  Add(&a_, &first_, "3", 9);  // it has left, and joins again
  EXPECT_EQ(Ids(joins_.TakeOf(&a_)), "3 ");
}

}  // namespace
}  // namespace groupcast::service
