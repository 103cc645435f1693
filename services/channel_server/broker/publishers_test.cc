#include "services/channel_server/broker/publishers.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

constexpr PublisherId kA{1};
constexpr PublisherId kB{2};
constexpr PublisherId kC{3};

absl::Time Second(int second) { return absl::FromUnixSeconds(second); }

// "from 3: 30 40", with 0 for a refusal.
std::string Told(const Publisher& publisher, uint64_t number) {
  channel::v1::Acknowledgement run;
  publisher.ResultsFrom(number, &run);
  std::string words = absl::StrCat("from ", run.first_number(), ":");
  for (const uint64_t offset : run.offsets()) absl::StrAppend(&words, " ", offset);
  return words;
}

void TellAll(Publisher* publisher) {
  channel::v1::Acknowledgement run;
  publisher->TellResults(&run);
}

TEST(PublisherTest, ResultsAreToldWhenTheyMayBe) {
  Publisher publisher(kA);
  publisher.Accept({.offset = 10, .reason = 0}, 100);
  publisher.Accept({.offset = 0, .reason = channel::v1::Refusal::VOID}, 100);
  EXPECT_EQ(publisher.last_accepted(), 2u);
  EXPECT_EQ(publisher.last_told(), 0u);
  EXPECT_EQ(Told(publisher, 1), "from 1:");
  channel::v1::Acknowledgement run;
  publisher.TellResults(&run);
  EXPECT_EQ(run.first_number(), 1u);
  EXPECT_EQ(run.offsets_size(), 2);
  ASSERT_EQ(run.refusals_size(), 1);
  EXPECT_EQ(run.refusals(0).number(), 2u);
  EXPECT_EQ(run.refusals(0).reason(), channel::v1::Refusal::VOID);
  EXPECT_EQ(publisher.last_told(), 2u);
  publisher.Accept({.offset = 12, .reason = 0}, 100);
  EXPECT_EQ(Told(publisher, 1), "from 1: 10 0");
}

TEST(PublisherTest, WhatItDoesNotAskForIsForgottenButNotWhatItWasNotTold) {
  Publisher publisher(kA);
  for (uint64_t offset = 10; offset < 14; ++offset) publisher.Accept({offset, 0}, 100);
  TellAll(&publisher);
  publisher.Accept({14, 0}, 100);
  publisher.ForgetResultsBelow(3);
  EXPECT_EQ(Told(publisher, 1), "from 3: 12 13");
  publisher.ForgetResultsBelow(100);
  EXPECT_EQ(Told(publisher, 1), "from 5:");
  TellAll(&publisher);
  EXPECT_EQ(Told(publisher, 1), "from 5: 14");
}

TEST(PublisherTest, ResultsOverTheBoundGoButNotThoseOfTheTurn) {
  Publisher publisher(kA);
  for (uint64_t offset = 10; offset < 15; ++offset) publisher.Accept({offset, 0}, 2);
  TellAll(&publisher);
  EXPECT_EQ(Told(publisher, 1), "from 1: 10 11 12 13 14");
  publisher.Accept({15, 0}, 2);
  TellAll(&publisher);
  EXPECT_EQ(Told(publisher, 1), "from 5: 14 15");
}

TEST(PublisherTest, ARestoredNumberCountsOnceAndAHoleBeginsAnew) {
  Publisher publisher(kA);
  publisher.Restore(1, {10, 0}, 100);
  publisher.Restore(2, {20, 0}, 100);
  publisher.Restore(2, {99, 0}, 100);
  publisher.Restore(1, {99, 0}, 100);
  EXPECT_EQ(publisher.last_accepted(), 2u);
  EXPECT_EQ(Told(publisher, 1), "from 1: 10 20");
  publisher.Restore(5, {50, 0}, 100);
  EXPECT_EQ(Told(publisher, 1), "from 5: 50");
  publisher.Restore(6, {60, 0}, 2);
  publisher.Restore(7, {70, 0}, 2);
  EXPECT_EQ(Told(publisher, 1), "from 6: 60 70");
}

TEST(PublisherTest, WhoContinuesElsewhereHasNoResults) {
  Publisher publisher(kA);
  publisher.Accept({10, 0}, 100);
  TellAll(&publisher);
  publisher.ContinueAt(10);
  EXPECT_EQ(publisher.last_accepted(), 9u);
  EXPECT_EQ(Told(publisher, 1), "from 10:");
}

TEST(PublisherTest, WithItsEpochItsNumbersAndResultsAreForgotten) {
  Publisher publisher(kA);
  publisher.known = true;
  publisher.Accept({10, 0}, 100);
  publisher.ForgetNumbers();
  EXPECT_FALSE(publisher.known);
  EXPECT_FALSE(publisher.has_untold());
  EXPECT_EQ(publisher.last_accepted(), 0u);
  EXPECT_EQ(Told(publisher, 1), "from 1:");
}

TEST(PublishersTest, OneThatIsKnownNeedsNoRoom) {
  Publishers publishers({.publishers_max = 1});
  Publisher* const one = publishers.FindOrAdd(kA, Second(0));
  one->Accept({10, 0}, 100);
  TellAll(one);
  EXPECT_EQ(publishers.FindOrAdd(kA, Second(1)), one);
  EXPECT_EQ(publishers.Find(kA)->last_accepted(), 1u);
}

TEST(PublishersTest, TheOneThatWasSilentForLongestMakesRoom) {
  Publishers publishers({.publishers_max = 2});
  publishers.FindOrAdd(kA, Second(0));
  publishers.FindOrAdd(kB, Second(1));
  publishers.Touch(publishers.Find(kA), Second(2));
  publishers.FindOrAdd(kC, Second(3));
  EXPECT_NE(publishers.Find(kA), nullptr);
  EXPECT_EQ(publishers.Find(kB), nullptr);
  EXPECT_EQ(publishers.all().size(), 2u);
}

// Its results would be told to nobody, and the turn holds on to it.
TEST(PublishersTest, NoneWithUntoldResultsIsForgotten) {
  Publishers publishers({.age_max = absl::Seconds(5), .publishers_max = 2});
  publishers.FindOrAdd(kA, Second(0))->Accept({1, 0}, 10);
  publishers.FindOrAdd(kB, Second(1));
  publishers.FindOrAdd(kC, Second(2));
  EXPECT_NE(publishers.Find(kA), nullptr);
  EXPECT_EQ(publishers.Find(kB), nullptr);
  publishers.Find(kC)->Accept({2, 0}, 10);
  EXPECT_EQ(publishers.FindOrAdd(kB, Second(3)), nullptr);
  publishers.Expire(Second(100));
  EXPECT_EQ(publishers.all().size(), 2u);
  TellAll(publishers.Find(kA));
  TellAll(publishers.Find(kC));
  publishers.Expire(Second(100));
  EXPECT_TRUE(publishers.all().empty());
}

TEST(PublishersTest, SilenceForTooLongIsForgotten) {
  Publishers publishers({.age_max = absl::Seconds(5)});
  publishers.FindOrAdd(kA, Second(0));
  publishers.FindOrAdd(kB, Second(1));
  publishers.Expire(Second(5));
  EXPECT_EQ(publishers.Find(kA), nullptr);
  EXPECT_NE(publishers.Find(kB), nullptr);
}

TEST(PublishersTest, TheBoundCountsWhenRecoveryIsOver) {
  Publishers publishers({.publishers_max = 1});
  publishers.Restore(kA, Second(0));
  publishers.Restore(kB, Second(1));
  EXPECT_EQ(publishers.all().size(), 2u);
  publishers.FinishRecovery();
  EXPECT_EQ(publishers.Find(kA), nullptr);
  EXPECT_NE(publishers.Find(kB), nullptr);
}

}  // namespace
}  // namespace groupcast::service
