#include "tools/bench_load/delivery_check.h"

#include <initializer_list>

#include "gtest/gtest.h"

namespace groupcast::bench {
namespace {

using Counts = DeliveryCheck::Counts;
using Verdict = DeliveryCheck::Verdict;

void SendTimes(DeliveryCheck* check, uint32_t stream, int times) {
  for (int i = 0; i < times; ++i) check->Send(stream);
}

void ReceiveAll(DeliveryCheck* check, uint32_t member, uint32_t stream,
                std::initializer_list<uint32_t> sequences) {
  for (const uint32_t sequence : sequences) check->Receive(member, {stream, sequence, 0});
}

TEST(DeliveryCheck, IsContentWhenEachMemberGetsEachMessageOnceInOrder) {
  DeliveryCheck check(2);
  check.AddMember({0, 2});
  check.AddMember({0, 2});
  EXPECT_EQ(check.Send(0), 0u);
  EXPECT_EQ(check.Send(0), 1u);
  EXPECT_EQ(check.Send(1), 0u);
  // Streams may overtake each other.
  EXPECT_EQ(check.Receive(0, {0, 0, 0}), Verdict::kNext);
  EXPECT_EQ(check.Receive(0, {1, 0, 0}), Verdict::kNext);
  EXPECT_EQ(check.Receive(0, {0, 1, 0}), Verdict::kNext);
  ReceiveAll(&check, 1, 0, {0, 1});
  ReceiveAll(&check, 1, 1, {0});
  EXPECT_EQ(check.Finish(), (Counts{.received = 6}));
  EXPECT_TRUE(check.Finish().clean());
}

TEST(DeliveryCheck, CountsAMessageThatIsMissingBetweenOthers) {
  DeliveryCheck check(1);
  check.AddMember({0, 1});
  SendTimes(&check, 0, 5);
  ReceiveAll(&check, 0, 0, {0, 1});
  EXPECT_EQ(check.Receive(0, {0, 4, 0}), Verdict::kAhead);
  EXPECT_EQ(check.Finish(), (Counts{.received = 3, .lost = 2}));
  EXPECT_FALSE(check.Finish().clean());
}

TEST(DeliveryCheck, CountsAMessageThatIsMissingAtTheEndOrTheBeginning) {
  DeliveryCheck check(1);
  check.AddMember({0, 1});
  check.AddMember({0, 1});
  check.AddMember({0, 1});
  SendTimes(&check, 0, 3);
  ReceiveAll(&check, 0, 0, {0, 1});
  ReceiveAll(&check, 1, 0, {1, 2});
  // Member 2 gets nothing at all.
  EXPECT_EQ(check.Finish(), (Counts{.received = 4, .lost = 1 + 1 + 3}));
}

TEST(DeliveryCheck, CountsAMessageThatComesAgain) {
  DeliveryCheck check(1);
  check.AddMember({0, 1});
  SendTimes(&check, 0, 3);
  ReceiveAll(&check, 0, 0, {0, 1});
  EXPECT_EQ(check.Receive(0, {0, 1, 0}), Verdict::kDoubled);
  EXPECT_EQ(check.Receive(0, {0, 0, 0}), Verdict::kDoubled);
  EXPECT_EQ(check.Receive(0, {0, 2, 0}), Verdict::kNext);
  EXPECT_EQ(check.Finish(), (Counts{.received = 5, .doubled = 2}));
  EXPECT_FALSE(check.Finish().clean());
}

TEST(DeliveryCheck, AMessageThatWasOvertakenIsOutOfOrderAndNotLost) {
  DeliveryCheck check(1);
  check.AddMember({0, 1});
  SendTimes(&check, 0, 4);
  ReceiveAll(&check, 0, 0, {0, 3});
  EXPECT_EQ(check.Receive(0, {0, 1, 0}), Verdict::kLate);
  EXPECT_EQ(check.Finish(), (Counts{.received = 3, .lost = 1, .out_of_order = 1}));
  EXPECT_EQ(check.Receive(0, {0, 2, 0}), Verdict::kLate);
  EXPECT_EQ(check.Receive(0, {0, 2, 0}), Verdict::kDoubled);
  EXPECT_EQ(check.Finish(), (Counts{.received = 5, .doubled = 1, .out_of_order = 2}));
  EXPECT_FALSE((Counts{.out_of_order = 1}).clean());
}

TEST(DeliveryCheck, OneMembersLossIsNotMadeUpForByAnothersDouble) {
  DeliveryCheck check(1);
  check.AddMember({0, 1});
  check.AddMember({0, 1});
  SendTimes(&check, 0, 2);
  ReceiveAll(&check, 0, 0, {0, 1, 1});
  ReceiveAll(&check, 1, 0, {0});
  EXPECT_EQ(check.Finish(), (Counts{.received = 4, .lost = 1, .doubled = 1}));
}

TEST(DeliveryCheck, AnExcusedMemberMissesOnlyWhatItHasBeenPassedOver) {
  DeliveryCheck check(2);
  check.AddMember({0, 2});
  check.AddMember({0, 2});
  SendTimes(&check, 0, 6);
  SendTimes(&check, 1, 2);
  ReceiveAll(&check, 0, 0, {0, 3});  // neither 1, 2 nor the two at the end
  ReceiveAll(&check, 1, 0, {0, 1, 2, 3, 4, 5});
  ReceiveAll(&check, 1, 1, {0, 1});
  EXPECT_EQ(check.Finish().lost, 2 + 2 + 2);
  EXPECT_EQ(check.Excuse(0), 2 + 2 + 2);
  EXPECT_EQ(check.Finish(), (Counts{.received = 10, .lost = 2}));
  SendTimes(&check, 0, 1);
  EXPECT_EQ(check.Finish().lost, 2 + 1);  // the other's
}

TEST(Counts, AddUp) {
  Counts all = {1, 2, 3, 4, 5};
  all += {10, 20, 30, 40, 50};
  EXPECT_EQ(all, (Counts{11, 22, 33, 44, 55}));
}

TEST(DeliveryCheck, TellsAStray) {
  DeliveryCheck check(3);
  check.AddMember({1, 1});
  SendTimes(&check, 0, 1);
  SendTimes(&check, 1, 1);
  SendTimes(&check, 2, 1);
  EXPECT_EQ(check.Receive(0, {0, 0, 0}), Verdict::kStray);   // of another group
  EXPECT_EQ(check.Receive(0, {2, 0, 0}), Verdict::kStray);   // the same, on the other side
  EXPECT_EQ(check.Receive(0, {1, 1, 0}), Verdict::kStray);   // was not sent yet
  EXPECT_EQ(check.Receive(0, {99, 0, 0}), Verdict::kStray);  // there is no such stream
  EXPECT_EQ(check.Receive(0, {1, 0, 0}), Verdict::kNext);
  EXPECT_EQ(check.Finish(), (Counts{.received = 5, .stray = 4}));
  EXPECT_FALSE(check.Finish().clean());
}

TEST(DeliveryCheck, AMemberExpectsWhatIsSentAfterItWasAdded) {
  DeliveryCheck check(1);
  SendTimes(&check, 0, 7);
  check.AddMember({0, 1});
  EXPECT_TRUE(check.Finish().clean());
  EXPECT_EQ(check.Send(0), 7u);
  EXPECT_EQ(check.Receive(0, {0, 7, 0}), Verdict::kNext);
  EXPECT_TRUE(check.Finish().clean());
}

TEST(DeliveryCheck, MissingMessagesBeyondTheBoundAreLostForGood) {
  constexpr auto kMax = static_cast<uint32_t>(DeliveryCheck::kMissingMax);
  DeliveryCheck check(1);
  check.AddMember({0, 1});
  SendTimes(&check, 0, static_cast<int>(kMax) + 3);
  ReceiveAll(&check, 0, 0, {kMax + 2});
  EXPECT_EQ(check.Finish().lost, kMax + 2);
  EXPECT_EQ(check.Receive(0, {0, 1, 0}), Verdict::kDoubled);
  EXPECT_EQ(check.Receive(0, {0, 2, 0}), Verdict::kLate);
  EXPECT_EQ(check.Receive(0, {0, kMax + 1, 0}), Verdict::kLate);
  EXPECT_EQ(check.Finish().lost, kMax);
}

}  // namespace
}  // namespace groupcast::bench
