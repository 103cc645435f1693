#include "services/connections/deadline_list.h"

#include <optional>

#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

const absl::Time kStart = absl::UnixEpoch();
absl::Time At(int seconds) { return kStart + absl::Seconds(seconds); }

TEST(DeadlineListTest, GivesThoseThatHaveWaitedLongEnoughInTheirOrder) {
  DeadlineList list;
  DeadlineNode a;
  DeadlineNode b;
  list.Append(&a, At(1));
  list.Append(&b, At(2));
  EXPECT_EQ(list.FirstSince(At(0)), nullptr);
  EXPECT_EQ(list.FirstSince(At(1)), &a);
  a.Unlink();
  EXPECT_EQ(list.FirstSince(At(1)), nullptr);
  EXPECT_EQ(list.FirstSince(At(5)), &b);
}

TEST(DeadlineListTest, AppendingAgainBeginsItsTimeAgain) {
  DeadlineList list;
  DeadlineNode a;
  DeadlineNode b;
  list.Append(&a, At(1));
  list.Append(&b, At(2));
  list.Append(&a, At(3));
  EXPECT_EQ(list.FirstSince(At(3)), &b);
}

TEST(DeadlineListTest, ANodeIsInOneListAtMost) {
  DeadlineList first;
  DeadlineList second;
  DeadlineNode node;
  first.Append(&node, At(1));
  second.Append(&node, At(1));
  EXPECT_TRUE(first.empty());
  EXPECT_EQ(second.FirstSince(At(1)), &node);
}

TEST(DeadlineListTest, ANodeThatIsDestroyedLeaves) {
  DeadlineList list;
  {
    DeadlineNode node;
    list.Append(&node, At(1));
  }
  EXPECT_TRUE(list.empty());
}

TEST(DeadlineListTest, AListThatIsDestroyedLetsItsNodesGo) {
  DeadlineNode node;
  {
    DeadlineList list;
    list.Append(&node, At(1));
  }
  DeadlineList other;
  other.Append(&node, At(1));
  EXPECT_EQ(other.FirstSince(At(1)), &node);
}

}  // namespace
}  // namespace groupcast::service
