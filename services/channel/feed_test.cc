#include "services/channel/feed.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

constexpr Epoch kOld{7};
constexpr Epoch kNew{8};
constexpr size_t kPlenty = 100'000;
constexpr size_t kOne = Feed::kHeldOverheadBytes + 1;  // a held message with a body of a byte

using Told = std::vector<std::string>;

// Lists what a feed's chain is told, in words; its frames are the offsets as text.
class FakeSink final : public FeedSink {
 public:
  void Deliver(const Position& position, uint64_t previous, absl::string_view frame) override {
    EXPECT_EQ(frame, absl::StrCat(position.offset));
    told.push_back(absl::StrCat(previous, "→", position.offset));
  }
  void Tell(const Gap& gap) override {
    told.push_back(gap.new_epoch ? absl::StrCat("gap to ", gap.to.offset, " of another epoch")
                                 : absl::StrCat("gap ", gap.from, "..", gap.to.offset));
  }
  Told told;
};

// A feed whose worker is connected to a server of epoch `current`.
class FeedTest : public testing::Test {
 protected:
  FeedTest() { Head(5); }

  void Head(uint64_t offset, Epoch epoch = kOld) { feed_.OnHead({epoch, offset}, current_); }
  Told Message(uint64_t offset, uint64_t previous, Epoch epoch = kOld, size_t held_max = kPlenty) {
    feed_.OnMessage({epoch, offset}, previous, absl::StrCat(offset), current_, held_max, &sink_);
    return std::exchange(sink_.told, {});
  }
  // The messages are pairs of previous and offset.
  Told History(uint64_t head, uint64_t floor,
               const std::vector<std::pair<uint64_t, uint64_t>>& messages, Epoch epoch = kOld) {
    feed_.OnHistoryBegin({epoch, head}, floor, &sink_);
    for (const auto& [previous, offset] : messages) {
      feed_.OnHistoryMessage({epoch, offset}, previous, absl::StrCat(offset), &sink_);
    }
    feed_.OnHistoryEnd({epoch, head}, &sink_);
    return std::exchange(sink_.told, {});
  }

  Epoch current_ = kOld;
  Feed feed_;
  FakeSink sink_;
};

// They are part of the head that will be announced; delivering them would put them before the
// join's position.
TEST_F(FeedTest, DropsWhatComesBeforeTheFirstAnnouncement) {
  feed_ = Feed();
  EXPECT_EQ(Message(5, 4), Told());
  EXPECT_FALSE(feed_.warm());
  EXPECT_FALSE(feed_.behind());
  EXPECT_EQ(feed_.held_bytes(), 0u);
  EXPECT_FALSE(feed_.Lacks({kOld, 9}, current_));
  Head(5);
  EXPECT_TRUE(feed_.warm());
  EXPECT_FALSE(feed_.behind());
  EXPECT_EQ(feed_.position(), (Position{kOld, 5}));
}

// A digest may name a newer head than the announcement that comes after it.
TEST_F(FeedTest, AHeadFromElsewhereBeforeTheFirstAnnouncementCounts) {
  feed_ = Feed();
  feed_.OnOtherHead({kOld, 9}, current_);
  feed_.OnOtherHead({kOld, 7}, current_);
  EXPECT_FALSE(feed_.behind());
  Head(5);
  EXPECT_TRUE(feed_.behind());
  EXPECT_EQ(feed_.position(), (Position{kOld, 5}));
  EXPECT_EQ(History(8, 0, {{5, 8}}), Told({"5→8"}));
  EXPECT_TRUE(feed_.behind());
  EXPECT_EQ(History(9, 0, {{8, 9}}), Told({"8→9"}));
  EXPECT_FALSE(feed_.behind());
}

// The worker may learn of a head of the next epoch before it knows that the epoch has begun.
TEST_F(FeedTest, AHeadOfTheNextEpochBeforeTheFirstAnnouncementCounts) {
  feed_ = Feed();
  feed_.OnOtherHead({kOld, 20}, current_);
  feed_.OnOtherHead({kNew, 3}, current_);
  current_ = kNew;
  Head(2, kNew);
  EXPECT_TRUE(feed_.behind());
  EXPECT_EQ(Message(3, 2, kNew), Told({"2→3"}));
  EXPECT_FALSE(feed_.behind());
}

TEST_F(FeedTest, AnAnnouncementBeforeTheServersEpochIsKnownIsAHeadLikeAnyOther) {
  feed_ = Feed();
  current_ = Epoch{};
  Head(5);
  EXPECT_TRUE(feed_.warm());
  EXPECT_FALSE(feed_.behind());
}

TEST_F(FeedTest, LacksWhatIsAheadOfIt) {
  EXPECT_FALSE(feed_.Lacks({kOld, 4}, current_));
  EXPECT_FALSE(feed_.Lacks({kOld, 5}, current_));
  EXPECT_TRUE(feed_.Lacks({kOld, 6}, current_));
  EXPECT_FALSE(feed_.Lacks({kNew, 1}, current_));
  EXPECT_TRUE(feed_.Lacks({kNew, 1}, kNew));
}

// The last messages of an old epoch may come when the head of the new one is known.
TEST_F(FeedTest, DeliveriesOfTheOldEpochDoNotReachAHeadOfTheNew) {
  current_ = kNew;
  Head(3, kNew);
  EXPECT_EQ(Message(6, 5), Told({"5→6"}));
  EXPECT_TRUE(feed_.behind());
}

// It is dropped for want of room, and the answer was made before it. That it exists must be known.
TEST_F(FeedTest, AMessageOfTheNewEpochThatDoesNotFitIsRepairedLater) {
  Head(9);
  current_ = kNew;
  EXPECT_EQ(Message(3, 2, kNew, 0), Told());
  EXPECT_EQ(History(2, 2, {}, kNew), Told({"gap to 2 of another epoch"}));
  EXPECT_TRUE(feed_.behind());
  EXPECT_EQ(History(3, 2, {{2, 3}}, kNew), Told({"2→3"}));
  EXPECT_FALSE(feed_.behind());
}

// What does not fit by a byte, and what fits to the byte.
TEST_F(FeedTest, HoldsUpToExactlyItsBytes) {
  Message(7, 6, kOld, kOne);
  EXPECT_EQ(feed_.held_bytes(), kOne);
  Message(8, 7, kOld, 2 * kOne - 1);
  EXPECT_EQ(feed_.held_bytes(), kOne);
  Message(9, 8, kOld, 2 * kOne);
  EXPECT_EQ(feed_.held_bytes(), 2 * kOne);
}

TEST_F(FeedTest, AMessageOfAnotherEpochInAnAnswerIsIgnored) {
  Head(9);
  feed_.OnHistoryBegin({kOld, 9}, 0, &sink_);
  feed_.OnHistoryMessage({kNew, 6}, 5, "6", &sink_);
  feed_.OnHistoryMessage({kOld, 5}, 4, "5", &sink_);
  feed_.OnHistoryEnd({kOld, 9}, &sink_);
  EXPECT_EQ(sink_.told, Told());
  EXPECT_EQ(feed_.position(), (Position{kOld, 5}));
}

// A live message may overtake the answer to a repair.
TEST_F(FeedTest, AnAnswerOlderThanWhatIsDeliveredLeavesItInStep) {
  Message(7, 6);
  EXPECT_EQ(Message(6, 5), Told({"5→6", "6→7"}));
  EXPECT_FALSE(feed_.behind());
  EXPECT_EQ(History(6, 0, {{5, 6}}), Told());
  EXPECT_FALSE(feed_.behind());
}

TEST_F(FeedTest, DeliversAChainWhoseOffsetsSkip) {
  EXPECT_EQ(Message(9, 5), Told({"5→9"}));
  EXPECT_EQ(Message(10, 9), Told({"9→10"}));
  EXPECT_EQ(feed_.position(), (Position{kOld, 10}));
}

TEST_F(FeedTest, DropsAMessageThatCameAlready) {
  EXPECT_EQ(Message(6, 5), Told({"5→6"}));
  EXPECT_EQ(Message(6, 5), Told());
  EXPECT_EQ(Message(5, 4), Told());
  EXPECT_FALSE(feed_.behind());
}

TEST_F(FeedTest, HoldsWhatComesAfterAHoleUntilTheHoleIsRepaired) {
  EXPECT_EQ(Message(8, 7), Told());
  EXPECT_EQ(Message(9, 8), Told());
  EXPECT_TRUE(feed_.behind());
  EXPECT_EQ(feed_.held_bytes(), 2 * kOne);
  EXPECT_EQ(History(9, 0, {{5, 6}, {6, 7}, {7, 8}}), Told({"5→6", "6→7", "7→8", "8→9"}));
  EXPECT_FALSE(feed_.behind());
  EXPECT_EQ(feed_.held_bytes(), 0u);
}

// What was lost on the way may also be only late.
TEST_F(FeedTest, AHoleIsFilledByTheMessageItselfIfThatComes) {
  EXPECT_EQ(Message(7, 6), Told());
  EXPECT_EQ(Message(6, 5), Told({"5→6", "6→7"}));
  EXPECT_FALSE(feed_.behind());
  EXPECT_EQ(History(7, 0, {{5, 6}, {6, 7}}), Told());
}

TEST_F(FeedTest, AHoleAmongTheHeldStaysOneUntilItsOwnRepair) {
  Message(7, 6);
  Message(10, 9);
  EXPECT_EQ(History(7, 0, {{5, 6}}), Told({"5→6", "6→7"}));
  EXPECT_TRUE(feed_.behind());
  EXPECT_EQ(History(10, 0, {{7, 9}}), Told({"7→9", "9→10"}));
  EXPECT_FALSE(feed_.behind());
}

TEST_F(FeedTest, WhatDoesNotFitIsDroppedAndRepairedLater) {
  Message(7, 6, kOld, 2 * kOne);
  Message(8, 7, kOld, 2 * kOne);
  EXPECT_EQ(Message(9, 8, kOld, 2 * kOne), Told());
  EXPECT_EQ(feed_.held_bytes(), 2 * kOne);
  // The answer was made before 9 existed.
  EXPECT_EQ(History(8, 0, {{5, 6}}), Told({"5→6", "6→7", "7→8"}));
  EXPECT_TRUE(feed_.behind());
  EXPECT_EQ(History(9, 0, {{8, 9}}), Told({"8→9"}));
  EXPECT_FALSE(feed_.behind());
}

// History comes in pages: the head tells that there is more.
TEST_F(FeedTest, IsBehindUntilTheLastPage) {
  Head(9);
  EXPECT_EQ(History(9, 0, {{5, 6}, {6, 7}}), Told({"5→6", "6→7"}));
  EXPECT_TRUE(feed_.behind());
  EXPECT_EQ(History(9, 0, {{7, 8}, {8, 9}}), Told({"7→8", "8→9"}));
  EXPECT_FALSE(feed_.behind());
}

TEST_F(FeedTest, TellsWhatIsNotKeptAnyMore) {
  Head(9);
  EXPECT_EQ(History(9, 7, {{7, 8}, {8, 9}}), Told({"gap 5..7", "7→8", "8→9"}));
  EXPECT_FALSE(feed_.behind());

  Head(12);
  EXPECT_EQ(History(12, 12, {}), Told({"gap 9..12"}));
  EXPECT_EQ(Message(13, 12), Told({"12→13"}));
}

// Its predecessor is older than what was delivered: it does not come after that, whatever its
// offset says.
TEST_F(FeedTest, AMessageThatSkipsWhatWasDeliveredIsOfAnotherHistory) {
  EXPECT_EQ(Message(9, 3), Told({"gap 5..3", "3→9"}));
  EXPECT_EQ(Message(10, 9), Told({"9→10"}));
}

TEST_F(FeedTest, AnAnnouncementOfWhatWasDeliveredChangesNothing) {
  Head(5);
  EXPECT_FALSE(feed_.behind());
  Message(6, 5);
  Head(5);
  EXPECT_FALSE(feed_.behind());
  EXPECT_EQ(feed_.position(), (Position{kOld, 6}));
}

TEST_F(FeedTest, AnAnnouncementAheadShowsALostTail) {
  Head(8);
  EXPECT_TRUE(feed_.behind());
  Head(7);  // an older one does not lower what it knows
  EXPECT_EQ(Message(6, 5), Told({"5→6"}));
  EXPECT_EQ(Message(7, 6), Told({"6→7"}));
  EXPECT_TRUE(feed_.behind());
  EXPECT_EQ(Message(8, 7), Told({"7→8"}));
  EXPECT_FALSE(feed_.behind());
}

TEST_F(FeedTest, ANewEpochsHeadIsRepairedIntoAGap) {
  current_ = kNew;
  Head(2, kNew);
  EXPECT_TRUE(feed_.behind());
  EXPECT_EQ(History(2, 2, {}, kNew), Told({"gap to 2 of another epoch"}));
  EXPECT_FALSE(feed_.behind());
  EXPECT_EQ(Message(3, 2, kNew), Told({"2→3"}));
}

TEST_F(FeedTest, ANewEpochsMessagesAreHeldUntilItsHistoryIsThere) {
  current_ = kNew;
  EXPECT_EQ(Message(4, 3, kNew), Told());
  EXPECT_TRUE(feed_.behind());
  EXPECT_EQ(History(4, 2, {{2, 3}}, kNew), Told({"gap to 2 of another epoch", "2→3", "3→4"}));
  EXPECT_FALSE(feed_.behind());
}

TEST_F(FeedTest, ANewEpochsHistoryAloneIsEnough) {
  EXPECT_EQ(History(3, 2, {{2, 3}}, kNew), Told({"gap to 2 of another epoch", "2→3"}));
  EXPECT_FALSE(feed_.behind());
}

// The subscribe link may bring a server's first words before the control link says that there is
// one, and its predecessor's last words after.
TEST_F(FeedTest, OnlyItsOwnEpochAndTheServersCount) {
  Head(9, kNew);
  EXPECT_EQ(Message(9, 5, kNew), Told());
  EXPECT_FALSE(feed_.behind());

  current_ = kNew;
  EXPECT_EQ(Message(6, 5), Told({"5→6"}));  // late, and in the chain
  EXPECT_FALSE(feed_.behind());
  EXPECT_EQ(History(2, 2, {}, kNew), Told({"gap to 2 of another epoch"}));
  EXPECT_EQ(Message(7, 6), Told());  // too late
  Head(7);
  EXPECT_FALSE(feed_.behind());
}

TEST_F(FeedTest, HeldMessagesOfAnEpochThatEndedAreDropped) {
  EXPECT_EQ(Message(9, 8), Told());
  current_ = kNew;
  EXPECT_EQ(History(2, 2, {}, kNew), Told({"gap to 2 of another epoch"}));
  EXPECT_EQ(feed_.held_bytes(), 0u);
  EXPECT_FALSE(feed_.behind());
}

// Its owner counts repairs up; two without a live message say that the subscription is lost.
TEST_F(FeedTest, ALiveMessageEndsTheSilence) {
  feed_.silent_repairs = 1;
  Message(5, 4);  // one that is known says nothing
  EXPECT_EQ(feed_.silent_repairs, 1);
  Message(6, 5);
  EXPECT_EQ(feed_.silent_repairs, 0);
}

}  // namespace
}  // namespace groupcast::service
