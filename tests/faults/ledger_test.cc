// The judge finds each thing that must not happen, and nothing in what may.

#include "tests/faults/ledger.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace groupcast::tests {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Kind = Answer::Kind;

constexpr Place kAnna{0, 0};
constexpr Place kBert{0, 1};
constexpr Place kCarla{0, 2};

class LedgerTest : public ::testing::Test {
 protected:
  LedgerTest() {
    ledger_.Joined(kAnna, anna_, 10);
    ledger_.Joined(kBert, bert_, 10);
  }

  // Carla sends, and is told that it is at `offset`.
  uint64_t SendAt(uint64_t offset) {
    const uint64_t number = ledger_.Send(kCarla);
    ledger_.Answered(kCarla, number, {Kind::kAcknowledged, offset});
    return number;
  }
  void Anna(uint64_t number, uint64_t offset) {
    ledger_.Delivered(kAnna, anna_, kCarla.client, number, offset);
  }
  void Bert(uint64_t number, uint64_t offset) {
    ledger_.Delivered(kBert, bert_, kCarla.client, number, offset);
  }
  void Both(uint64_t number, uint64_t offset) {
    Anna(number, offset);
    Bert(number, offset);
  }
  // lost, doubled, reordered
  std::vector<int64_t> Verdict() {
    const Ledger::Counts counts = ledger_.Judge();
    return {counts.lost, counts.doubled, counts.reordered};
  }

  Ledger ledger_{/*groups=*/1, /*clients=*/4};
  uint64_t anna_ = ledger_.Join(kAnna);
  uint64_t bert_ = ledger_.Join(kBert);
};

TEST_F(LedgerTest, EverythingOnceInOrderIsClean) {
  const uint64_t early = ledger_.Send(kCarla);
  Anna(early, 11);  // before its acknowledgement
  ledger_.Answered(kCarla, early, {Kind::kAcknowledged, 11});
  Bert(early, 11);
  Both(SendAt(15), 15);
  EXPECT_TRUE(ledger_.Settled());
  EXPECT_THAT(Verdict(), ElementsAre(0, 0, 0));
  EXPECT_EQ(ledger_.Now().sent, 2);
  EXPECT_EQ(ledger_.Now().acknowledged, 2);
  EXPECT_EQ(ledger_.Now().deliveries, 4);
  EXPECT_TRUE(ledger_.Now().Clean());
}

TEST_F(LedgerTest, ItIsNotSettledUntilAllHaveAllThatWasAcknowledged) {
  const uint64_t number = ledger_.Send(kCarla);
  EXPECT_FALSE(ledger_.Settled());  // not answered
  ledger_.Answered(kCarla, number, {Kind::kAcknowledged, 11});
  EXPECT_FALSE(ledger_.Settled());
  Anna(number, 11);
  EXPECT_FALSE(ledger_.Settled());
  Bert(number, 11);
  EXPECT_TRUE(ledger_.Settled());
  const uint64_t carla = ledger_.Join(kCarla);
  EXPECT_FALSE(ledger_.Settled());
  EXPECT_FALSE(ledger_.AllJoined());
  ledger_.Joined(kCarla, carla, 11);
  EXPECT_TRUE(ledger_.Settled());
  EXPECT_TRUE(ledger_.AllJoined());
}

TEST_F(LedgerTest, WhatOneMemberSkipsIsLost) {
  const uint64_t first = SendAt(11);
  const uint64_t second = SendAt(12);
  Anna(first, 11);
  Both(second, 12);
  EXPECT_THAT(Verdict(), ElementsAre(1, 0, 0));
  EXPECT_THAT(ledger_.Findings(), ElementsAre("lost: group 0, client 1, offset 11: was skipped"));
}

TEST_F(LedgerTest, WhatTheFirstMemberSkippedIsFoundByTheNext) {
  const uint64_t first = SendAt(11);
  Anna(SendAt(12), 12);
  Bert(first, 11);
  EXPECT_EQ(ledger_.Now().lost, 1);
  EXPECT_THAT(ledger_.Findings(),
              ElementsAre("lost: group 0, client 0, offset 11: came to others only"));
}

TEST_F(LedgerTest, WhatIsAcknowledgedAndComesToNobodyIsLostToAll) {
  SendAt(11);
  Both(SendAt(12), 12);
  EXPECT_THAT(Verdict(), ElementsAre(2, 0, 0));
}

TEST_F(LedgerTest, WhatIsAcknowledgedWhileThereIsNoMemberIsNotLost) {
  ledger_.Leave(kAnna);
  ledger_.Leave(kBert);
  SendAt(11);
  anna_ = ledger_.Join(kAnna);
  ledger_.Joined(kAnna, anna_, 11);
  EXPECT_TRUE(ledger_.Settled());
  EXPECT_THAT(Verdict(), ElementsAre(0, 0, 0));
}

TEST_F(LedgerTest, AMemberThatNeverComesBackHasLost) {
  anna_ = ledger_.Join(kAnna);
  EXPECT_FALSE(ledger_.AllJoined());
  EXPECT_THAT(Verdict(), ElementsAre(1, 0, 0));
}

TEST_F(LedgerTest, ATailThatNeverComesIsLost) {
  Anna(SendAt(11), 11);
  EXPECT_FALSE(ledger_.Settled());
  EXPECT_THAT(Verdict(), ElementsAre(1, 0, 0));
}

TEST_F(LedgerTest, AGapThatWasToldIsLossToo) {
  ledger_.GapTold(kAnna, anna_, 20);
  EXPECT_EQ(ledger_.Now().gaps, 1);
  EXPECT_THAT(Verdict(), ElementsAre(1, 0, 0));
}

TEST_F(LedgerTest, TheSameMessageAgainIsDoubled) {
  const uint64_t number = SendAt(11);
  Both(number, 11);
  Anna(number, 11);
  EXPECT_THAT(Verdict(), ElementsAre(0, 1, 0));
}

TEST_F(LedgerTest, AMessageWithTwoPlacesIsDoubled) {
  const uint64_t number = SendAt(11);
  Both(number, 11);
  Both(number, 12);
  EXPECT_THAT(Verdict(), ElementsAre(0, 1, 0));
}

TEST_F(LedgerTest, AMessageWithTwoPlacesIsDoubledAlsoBeforeItsAnswer) {
  const uint64_t number = ledger_.Send(kCarla);
  Both(number, 11);
  Both(number, 12);
  EXPECT_EQ(ledger_.Now().doubled, 1);
}

TEST_F(LedgerTest, AnEarlierMessageAfterALaterOneIsReordered) {
  const uint64_t first = SendAt(11);
  const uint64_t second = SendAt(12);
  Both(second, 12);
  Anna(first, 11);
  EXPECT_EQ(ledger_.Now().reordered, 1);
}

TEST_F(LedgerTest, TwoMessagesAtOneOffsetAreReordered) {
  const uint64_t first = SendAt(11);
  const uint64_t second = ledger_.Send(kCarla);
  Anna(first, 11);
  Bert(second, 11);
  EXPECT_EQ(ledger_.Now().reordered, 1);
  ledger_.Answered(kCarla, second, {Kind::kAcknowledged, 11});
  EXPECT_EQ(ledger_.Now().reordered, 2);
}

TEST_F(LedgerTest, AnAcknowledgementThatNamesAnotherOffsetIsReordered) {
  const uint64_t first = ledger_.Send(kCarla);
  Both(first, 11);
  ledger_.Answered(kCarla, first, {Kind::kAcknowledged, 12});
  EXPECT_EQ(ledger_.Now().reordered, 1);
  Both(SendAt(13), 14);
  EXPECT_EQ(ledger_.Now().reordered, 2);
}

TEST_F(LedgerTest, WhatNobodySentIsReordered) {
  Both(7, 11);
  EXPECT_EQ(ledger_.Now().reordered, 1);
}

TEST_F(LedgerTest, AnUnknownOutcomeMayBeDeliveredOnce) {
  const uint64_t early = ledger_.Send(kCarla);
  const uint64_t never = ledger_.Send(kCarla);
  const uint64_t late = ledger_.Send(kCarla);
  Both(early, 11);
  for (const uint64_t number : {early, never, late})
    ledger_.Answered(kCarla, number, {Kind::kUnknown});
  Both(late, 12);
  EXPECT_TRUE(ledger_.Settled());
  EXPECT_EQ(ledger_.Now().unknown, 3);
  EXPECT_TRUE(ledger_.Now().Clean());
  Both(late, 13);
  EXPECT_THAT(Verdict(), ElementsAre(0, 1, 0));
}

// The application would have sent it again.
TEST_F(LedgerTest, WhatIsSaidToBeNotDoneMustNotBeDelivered) {
  const uint64_t early = ledger_.Send(kCarla);
  const uint64_t late = ledger_.Send(kCarla);
  Both(early, 11);
  ledger_.Answered(kCarla, early, {Kind::kNotDone});
  EXPECT_EQ(ledger_.Now().doubled, 1);
  ledger_.Answered(kCarla, late, {Kind::kNotDone});
  Both(late, 12);
  EXPECT_EQ(ledger_.Now().doubled, 2);
}

TEST_F(LedgerTest, ASendWithoutAnswerIsNotClean) {
  ledger_.Send(kCarla);
  EXPECT_EQ(ledger_.Judge().unanswered, 1);
  EXPECT_FALSE(ledger_.Now().Clean());
}

TEST_F(LedgerTest, AMemberNeedNotHaveWhatCameBeforeItsMembership) {
  const uint64_t first = SendAt(11);
  const uint64_t carla = ledger_.Join(kCarla);
  ledger_.Joined(kCarla, carla, 11);  // its worker is ahead of the others
  Both(first, 11);
  const uint64_t second = SendAt(12);
  Both(second, 12);
  ledger_.Delivered(kCarla, carla, kCarla.client, second, 12);
  EXPECT_TRUE(ledger_.Settled());
  EXPECT_THAT(Verdict(), ElementsAre(0, 0, 0));
}

TEST_F(LedgerTest, WhatAMemberSendsIsNotBeforeItsMembership) {
  const uint64_t number = ledger_.Send(kAnna);
  ledger_.Answered(kAnna, number, {Kind::kAcknowledged, 10});
  EXPECT_EQ(ledger_.Now().lost, 1);
}

TEST_F(LedgerTest, AMemberThatComesBackWithItsPositionMustGetWhatItMissed) {
  Both(SendAt(11), 11);
  const uint64_t position = ledger_.Leave(kAnna);
  EXPECT_EQ(position, 11u);
  const uint64_t missed = SendAt(12);
  Bert(missed, 12);
  ledger_.Delivered(kAnna, anna_, kCarla.client, missed, 12);  // too late to count
  anna_ = ledger_.JoinSince(kAnna, position);
  ledger_.Joined(kAnna, anna_, 11);
  EXPECT_FALSE(ledger_.Settled());
  Both(SendAt(13), 13);
  EXPECT_THAT(Verdict(), ElementsAre(1, 0, 0));
  EXPECT_THAT(ledger_.Findings(), ElementsAre(HasSubstr("client 0, offset 12")));
}

TEST_F(LedgerTest, AReconnectGoesOnWhereTheMemberWas) {
  Both(SendAt(11), 11);
  ledger_.Joined(kAnna, anna_, 11);
  EXPECT_TRUE(ledger_.Now().Clean());
  ledger_.Joined(kAnna, anna_, 10);
  EXPECT_EQ(ledger_.Now().reordered, 1);
}

TEST_F(LedgerTest, ADeliveryBeforeTheJoinIsAnsweredIsReordered) {
  const uint64_t carla = ledger_.Join(kCarla);
  const uint64_t number = SendAt(11);
  ledger_.Delivered(kCarla, carla, kCarla.client, number, 11);
  EXPECT_EQ(ledger_.Now().reordered, 1);
}

TEST_F(LedgerTest, ALongRunIsJudgedToItsEnd) {
  uint64_t offset = 10;
  for (size_t i = 0; i < 2 * Ledger::kKeptMessages; ++i) {
    ++offset;
    Both(SendAt(offset), offset);
  }
  EXPECT_TRUE(ledger_.Now().Clean());
  Both(0, ++offset);  // the very first, again
  EXPECT_EQ(ledger_.Now().doubled, 1);
}

TEST_F(LedgerTest, OnlyTheFirstFindingsAreKept) {
  const uint64_t number = SendAt(11);
  for (size_t i = 0; i < 2 * Ledger::kFindingsMax; ++i) Anna(number, 11);
  EXPECT_EQ(ledger_.Now().doubled, static_cast<int64_t>(2 * Ledger::kFindingsMax - 1));
  EXPECT_EQ(ledger_.Findings().size(), Ledger::kFindingsMax);
}

}  // namespace
}  // namespace groupcast::tests
