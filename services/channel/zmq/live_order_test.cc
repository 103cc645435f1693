#include "services/channel/zmq/live_order.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

using Words = std::vector<std::string>;

constexpr Epoch kEpoch{7};

class LiveOrderTest : public testing::Test {
 protected:
  void Live(uint64_t offset, Epoch epoch = kEpoch) { order_.OnReached({epoch, offset}); }
  bool MayBring(uint64_t offset, Epoch epoch = kEpoch) { return order_.MayBring({epoch, offset}); }
  void PutOff(absl::string_view group_id, uint64_t offset) {
    order_.PutOff(group_id, {kEpoch, offset});
  }
  // "x 10", or "x 10..12" with a later head.
  Words Due() {
    Words due;
    while (const std::optional<LiveOrder::DueHead> head = order_.TakeDue()) {
      due.push_back(absl::StrCat(head->group_id, " ", head->first.offset));
      if (!(head->last == head->first)) absl::StrAppend(&due.back(), "..", head->last.offset);
    }
    return due;
  }

  FakeClock clock_;
  LiveOrder order_{&clock_, absl::Milliseconds(250), 3};
};

TEST_F(LiveOrderTest, ALinkMayBringWhatIsAheadOfItUnlessItIsStill) {
  EXPECT_FALSE(MayBring(10));  // it has brought nothing
  Live(9);
  EXPECT_TRUE(MayBring(10));
  EXPECT_FALSE(MayBring(9));
  EXPECT_FALSE(MayBring(10, Epoch{8}));
  clock_.Advance(absl::Milliseconds(249));
  EXPECT_TRUE(MayBring(10));
  clock_.Advance(absl::Milliseconds(1));
  EXPECT_FALSE(MayBring(10));
}

// A repeat shows that the link lives, and not that it goes on.
TEST_F(LiveOrderTest, ALinkThatRepeatsItselfIsStill) {
  Live(9);
  clock_.Advance(absl::Milliseconds(249));
  Live(9);
  Live(8);
  clock_.Advance(absl::Milliseconds(1));
  EXPECT_FALSE(MayBring(10));
}

// The worker itself stood still, and the link's messages wait to be read.
TEST_F(LiveOrderTest, ALinkWithInputIsNotStill) {
  order_.OnInputWaits();
  EXPECT_FALSE(MayBring(10));  // it has brought nothing
  Live(9);
  clock_.Advance(absl::Seconds(1));
  EXPECT_FALSE(MayBring(10));
  order_.OnInputWaits();
  EXPECT_TRUE(MayBring(10));
  EXPECT_FALSE(MayBring(9));
}

TEST_F(LiveOrderTest, HeadsAreDueInTheOrderInWhichTheLinkPassesThem) {
  Live(5);
  PutOff("c", 30);
  PutOff("a", 10);
  PutOff("b", 20);
  EXPECT_EQ(Due(), Words());
  Live(20);
  EXPECT_EQ(Due(), Words({"a 10", "b 20"}));
  EXPECT_EQ(order_.groups(), 1u);
  Live(31);
  EXPECT_EQ(Due(), Words({"c 30"}));
}

TEST_F(LiveOrderTest, AllAreDueWhenTheLinkIsStill) {
  Live(5);
  PutOff("a", 10);
  PutOff("b", 20);
  clock_.Advance(absl::Milliseconds(250));
  EXPECT_EQ(Due(), Words({"a 10", "b 20"}));
  EXPECT_FALSE(order_.TakeOverflow());
}

// Otherwise a group that is named again and again would never be looked at.
TEST_F(LiveOrderTest, AGroupIsDueWithItsFirstHeadAndNamesItsLast) {
  Live(5);
  PutOff("a", 10);
  PutOff("a", 40);
  PutOff("a", 30);
  EXPECT_EQ(order_.groups(), 1u);
  Live(11);
  EXPECT_EQ(Due(), Words({"a 10..40"}));
}

TEST_F(LiveOrderTest, OverTheBoundAllMustBeComparedWhenTheLinkHasComeSoFar) {
  Live(5);
  for (const char* id : {"a", "b", "c"}) PutOff(id, 10);
  PutOff("d", 15);
  PutOff("e", 90);
  EXPECT_EQ(order_.groups(), 3u);
  PutOff("a", 12);  // one that is remembered needs no room
  EXPECT_FALSE(order_.TakeOverflow());
  Live(15);
  EXPECT_TRUE(order_.TakeOverflow());
  EXPECT_FALSE(order_.TakeOverflow());
  EXPECT_EQ(Due().size(), 3u);
}

TEST_F(LiveOrderTest, AnotherEpochOfTheLinkMakesAComparisonOfThem) {
  Live(5);
  PutOff("a", 10);
  Live(1, Epoch{8});
  EXPECT_EQ(Due(), Words());
  EXPECT_EQ(order_.groups(), 0u);
  EXPECT_TRUE(order_.TakeOverflow());
}

}  // namespace
}  // namespace groupcast::service
