#include "services/channel_server/broker/retention.h"

#include <malloc.h>

#include <array>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

constexpr PublisherId kA{1};
constexpr PublisherId kB{2};

absl::Time Second(int second) { return absl::FromUnixSeconds(second); }

class RetentionTest : public testing::Test, protected Retention::Listener {
 protected:
  static RetentionOptions Options() {
    return {.history_messages_max = 3,
            .history_age_max = absl::Seconds(30),
            .repair_retention = absl::Seconds(10),
            .bytes_max = 1'000'000,
            .page_bytes_max = 25};
  }
  void OnEmptied(Retention::Chain*) override { ++emptied_; }

  // Messages of 10 bytes, at offsets 10, 20 and so on, one in each second.
  void Fill(Retention* retention, int count) {
    for (int i = 1; i <= count; ++i) Add(retention, &chain_, i);
  }
  static void Add(Retention* retention, Retention::Chain* chain, int i) {
    const std::string frame = absl::StrCat("message ", i % 10, i % 10);
    retention->Add(chain, retention->Copy(kA, {frame.data(), frame.size()}, 2),
                   static_cast<uint64_t>(10 * i), Second(i));
  }
  static void AddFrame(Retention* retention, Retention::Chain* chain, int i,
                       const std::string& frame, size_t body_bytes, PublisherId publisher = kA) {
    retention->Add(chain, retention->Copy(publisher, {frame.data(), frame.size()}, body_bytes),
                   static_cast<uint64_t>(10 * i), Second(i));
  }
  static void AddFrame(Retention* retention, Retention::Chain* chain, int i,
                       const std::string& body) {
    AddFrame(retention, chain, i, body, body.size());
  }
  // "20 30 from 10": the offsets of the page and its floor.
  std::string Words(const Retention::Page& page) const {
    std::string words;
    for (size_t i = page.begin; i < page.end; ++i) {
      absl::StrAppend(&words, chain_.at(i).offset(), " ");
    }
    return absl::StrCat(words, "from ", page.floor);
  }
  std::string All() const {
    return Words({.begin = 0, .end = chain_.count(), .floor = chain_.floor()});
  }

  int emptied_ = 0;
  Retention::Chain chain_;
};

TEST_F(RetentionTest, APageBeginsAfterItsOffsetAndHasAsManyAsFit) {
  Retention retention(Options(), this);
  Fill(&retention, 5);
  EXPECT_EQ(Words(retention.PageAfter(chain_, 0)), "10 20 from 0");
  EXPECT_EQ(Words(retention.PageAfter(chain_, 10)), "20 30 from 0");
  EXPECT_EQ(Words(retention.PageAfter(chain_, 15)), "20 30 from 0");
  EXPECT_EQ(Words(retention.PageAfter(chain_, 40)), "50 from 0");
  EXPECT_EQ(Words(retention.PageAfter(chain_, 50)), "from 0");
  EXPECT_EQ(Words(retention.PageAfter(chain_, 1'000)), "from 0");
  EXPECT_EQ(absl::StrCat(chain_.at(1).head(), "|", chain_.at(1).body()), "message |22");
}

TEST_F(RetentionTest, TheNewestAreWithinTheBoundsOfHistory) {
  RetentionOptions options = Options();
  options.page_bytes_max = 1'000;
  Retention retention(options, this);
  Fill(&retention, 5);
  EXPECT_EQ(Words(retention.NewestPage(chain_, 0, 2, Second(6))), "40 50 from 30");
  EXPECT_EQ(Words(retention.NewestPage(chain_, 0, 100, Second(6))), "30 40 50 from 20");
  EXPECT_EQ(Words(retention.NewestPage(chain_, 30, 100, Second(6))), "40 50 from 0");
  // The fourth is too old in second 34.
  EXPECT_EQ(Words(retention.NewestPage(chain_, 0, 100, Second(34))), "50 from 40");
  EXPECT_EQ(Words(retention.NewestPage(chain_, 0, 100, Second(35))), "from 50");
  EXPECT_EQ(Words(retention.NewestPage(chain_, 50, 100, Second(35))), "from 0");
}

TEST_F(RetentionTest, APageMayReachItsBoundOfBytes) {
  RetentionOptions options = Options();
  options.page_bytes_max = 20;
  Retention retention(options, this);
  Fill(&retention, 3);
  EXPECT_EQ(Words(retention.PageAfter(chain_, 0)), "10 20 from 0");
  EXPECT_EQ(Words(retention.NewestPage(chain_, 0, 100, Second(4))), "20 30 from 10");
}

TEST_F(RetentionTest, ASingleMessageFitsOnEachPage) {
  RetentionOptions options = Options();
  options.page_bytes_max = 1;
  Retention retention(options, this);
  Fill(&retention, 3);
  EXPECT_EQ(Words(retention.PageAfter(chain_, 0)), "10 from 0");
  EXPECT_EQ(Words(retention.NewestPage(chain_, 0, 100, Second(4))), "30 from 20");
}

TEST_F(RetentionTest, WhatRepairsNeedStaysAndThenOnlyAHistory) {
  Retention retention(Options(), this);
  Fill(&retention, 5);
  retention.Expire(Second(10));
  EXPECT_EQ(All(), "10 20 30 40 50 from 0");
  retention.Expire(Second(11));
  EXPECT_EQ(All(), "20 30 40 50 from 10");
  retention.Expire(Second(20));
  EXPECT_EQ(All(), "30 40 50 from 20");
  // A new one pushes an old one out at once.
  Add(&retention, &chain_, 21);
  EXPECT_EQ(All(), "40 50 210 from 30");
  retention.Expire(Second(50));
  EXPECT_EQ(All(), "210 from 50");
  EXPECT_EQ(emptied_, 0);
  retention.Expire(Second(51));
  EXPECT_EQ(All(), "from 210");
  EXPECT_EQ(emptied_, 1);
  EXPECT_EQ(retention.bytes(), 0u);
}

TEST_F(RetentionTest, OverTheBytesTheLargestGroupLosesItsOldestAndTheNewestStays) {
  RetentionOptions options = Options();
  options.bytes_max = 1'050;  // three
  Retention::Chain other;
  Retention retention(options, this);
  Add(&retention, &other, 1);
  Add(&retention, &chain_, 2);
  Add(&retention, &chain_, 3);
  Add(&retention, &chain_, 4);
  EXPECT_EQ(All(), "30 40 from 20");
  EXPECT_EQ(other.count(), 1u);
  AddFrame(&retention, &chain_, 5, std::string(500, 'x'));
  EXPECT_EQ(All(), "50 from 40");
  EXPECT_EQ(other.count(), 1u);
  // All others go before the newest, also the smaller ones.
  AddFrame(&retention, &chain_, 6, std::string(2'000, 'x'));
  EXPECT_EQ(All(), "60 from 50");
  EXPECT_EQ(other.floor(), 10u);
  EXPECT_EQ(emptied_, 1);
  Add(&retention, &other, 7);
  EXPECT_EQ(All(), "from 60");
  EXPECT_EQ(other.count(), 1u);
}

TEST_F(RetentionTest, AMessageToManyGroupsIsThereOnce) {
  std::array<Retention::Chain, 10> groups;
  Retention retention(Options(), this);
  const std::string body(10'000, 'x');
  for (size_t i = 0; i < groups.size(); ++i) {
    AddFrame(&retention, &groups[i], static_cast<int>(i + 1), absl::StrCat("to ", i, body),
             body.size());
  }
  EXPECT_LT(retention.bytes(), body.size() + groups.size() * 300);
  for (size_t i = 0; i < groups.size(); ++i) {
    EXPECT_EQ(groups[i].at(0).head(), absl::StrCat("to ", i));
    EXPECT_EQ(groups[i].at(0).body(), body);
    EXPECT_EQ(groups[i].at(0).bytes(), 4 + body.size());
    EXPECT_GT(groups[i].bytes(), body.size());
  }
  // Whichever goes first, the others keep the body, and the last one takes it away.
  for (const size_t i : {3, 0, 9, 1, 2, 4, 5, 6, 7}) retention.Clear(&groups[i]);
  EXPECT_EQ(groups[8].at(0).body(), body);
  EXPECT_GT(retention.bytes(), body.size());
  retention.Clear(&groups[8]);
  EXPECT_EQ(retention.bytes(), 0u);
}

// Two workers send to many groups at the same time.
TEST_F(RetentionTest, AMessageToManyGroupsIsThereOnceWhenOthersComeBetween) {
  std::array<Retention::Chain, 20> groups;
  Retention retention(Options(), this);
  const std::string of_a(10'000, 'x');
  const std::string of_b(10'000, 'y');
  for (int i = 0; i < 20; ++i) {
    const bool is_a = i % 2 == 0;
    AddFrame(&retention, &groups[static_cast<size_t>(i)], i + 1, is_a ? of_a : of_b, of_a.size(),
             is_a ? kA : kB);
  }
  EXPECT_LT(retention.bytes(), 2 * of_a.size() + groups.size() * 300);
  EXPECT_EQ(groups[18].at(0).body(), of_a);
  EXPECT_EQ(groups[19].at(0).body(), of_b);
  // The next body of one publisher ends nothing for the other.
  AddFrame(&retention, &chain_, 21, std::string(1'000, 'z'), 1'000, kA);
  const size_t before = retention.bytes();
  AddFrame(&retention, &chain_, 22, of_b, of_b.size(), kB);
  EXPECT_LT(retention.bytes(), before + 300);
  // A body that has left is not remembered.
  retention.ClearAll();
  for (Retention::Chain& group : groups) EXPECT_TRUE(group.empty());
  EXPECT_EQ(retention.bytes(), 0u);
  AddFrame(&retention, &chain_, 23, of_b, of_b.size(), kB);
  EXPECT_EQ(chain_.at(0).body(), of_b);
  EXPECT_GT(retention.bytes(), of_b.size());
  retention.ClearAll();
}

TEST_F(RetentionTest, AMessageCostsItsFrameAnd256Bytes) {
  Retention retention(Options(), this);
  Add(&retention, &chain_, 1);
  EXPECT_EQ(retention.bytes(), 10u + 256);
  EXPECT_EQ(chain_.bytes(), 10u + 256);
  Add(&retention, &chain_, 2);
  EXPECT_EQ(retention.bytes(), 2 * (10u + 256));
  // What is not retained costs nothing.
  { const Retention::MessagePtr unused = retention.Copy(kA, {"frame", 5}, 2); }
  EXPECT_EQ(retention.bytes(), 2 * (10u + 256));
}

TEST_F(RetentionTest, BodiesFrom256BytesOnAreShared) {
  for (const size_t size : {255u, 256u}) {
    Retention retention(Options(), this);
    Retention::Chain chain;
    const std::string body(size, 'x');
    AddFrame(&retention, &chain, 1, "1" + body, size);
    AddFrame(&retention, &chain, 2, "2" + body, size);
    EXPECT_EQ(chain.at(1).shares_body_with(chain.at(0)), size == 256) << size;
    EXPECT_EQ(retention.bytes(), 2 * (1u + 256) + (size == 256 ? size : 2 * size));
    EXPECT_EQ(chain.bytes(), 2 * (1 + size + 256));
    retention.ClearAll();
  }
}

TEST_F(RetentionTest, TheBoundOfBytesItselfIsAllowed) {
  RetentionOptions options = Options();
  options.bytes_max = 3 * (10 + 256);
  Retention retention(options, this);
  Fill(&retention, 3);
  EXPECT_EQ(All(), "10 20 30 from 0");
  options.bytes_max -= 1;
  Retention smaller(options, this);
  Retention::Chain chain;
  for (int i = 1; i <= 3; ++i) Add(&smaller, &chain, i);
  EXPECT_EQ(chain.floor(), 10u);
  smaller.ClearAll();
}

TEST_F(RetentionTest, MessagesComeInTheOrderInWhichTheyWereAdded) {
  Retention::Chain other;
  Retention retention(Options(), this);
  EXPECT_EQ(retention.oldest(), nullptr);
  Add(&retention, &chain_, 1);
  Add(&retention, &other, 2);
  Add(&retention, &chain_, 3);
  std::string offsets;
  for (const auto* message = retention.oldest(); message != nullptr;
       message = retention.next(*message)) {
    absl::StrAppend(&offsets, message->offset(), " ");
  }
  EXPECT_EQ(offsets, "10 20 30 ");
}

// Figures of the allocator. (With a sanitizer they are 0, and it reports leaks itself.)
TEST_F(RetentionTest, CountsTheMessagesOfAllGroups) {
  const std::string body(300, 'b');  // which they share
  RetentionOptions options = Options();
  options.bytes_max = 3'000;
  Retention retention(options, this);
  Retention::Chain other;
  const auto is_right = [&] {
    size_t count = 0;
    for (const auto* message = retention.oldest(); message != nullptr;
         message = retention.next(*message)) {
      ++count;
    }
    return retention.message_count() == count && count == chain_.count() + other.count();
  };
  for (int i = 1; i <= 12; ++i) {
    AddFrame(&retention, i % 3 == 0 ? &other : &chain_, i, body);
    EXPECT_TRUE(is_right()) << i;
  }
  EXPECT_LT(retention.message_count(), 12u) << "the bound of bytes counts";
  EXPECT_GT(retention.message_count(), 3u);
  for (int second = 12; second <= 60; ++second) {
    retention.Expire(Second(second));
    EXPECT_TRUE(is_right()) << second;
  }
  EXPECT_EQ(retention.message_count(), 0u);
  AddFrame(&retention, &chain_, 61, body);
  EXPECT_EQ(retention.message_count(), 1u);
  retention.ClearAll();
  EXPECT_EQ(retention.message_count(), 0u);
}

TEST_F(RetentionTest, GivesAllItsMemoryBack) {
  const auto in_use = [] {
    const auto memory = mallinfo2();
    return memory.uordblks + memory.hblkhd;
  };
  const std::string body(100'000, 'x');
  const size_t before = in_use();
  {
    RetentionOptions options = Options();
    options.bytes_max = 1u << 30;
    Retention retention(options, this);
    for (int i = 1; i <= 100; ++i) AddFrame(&retention, &chain_, i, absl::StrCat(i, body));
    retention.Clear(&chain_);
    EXPECT_LT(in_use(), before + 1'000'000);
    for (int i = 101; i <= 200; ++i) AddFrame(&retention, &chain_, i, absl::StrCat(i, body));
  }
  EXPECT_LT(in_use(), before + 1'000'000);
}

TEST_F(RetentionTest, BodiesThatDifferAreNotShared) {
  Retention retention(Options(), this);
  const std::string body(1'000, 'x');
  AddFrame(&retention, &chain_, 1, body);
  AddFrame(&retention, &chain_, 2, body.substr(1));
  AddFrame(&retention, &chain_, 3, body.substr(2) + "y");
  EXPECT_GT(retention.bytes(), 3'000u);
  EXPECT_EQ(chain_.at(2).body(), body.substr(2) + "y");
  // Nor is a body shared whose message was never added.
  {
    const Retention::MessagePtr unused =
        retention.Copy(kA, {body.data(), body.size()}, body.size());
  }
  AddFrame(&retention, &chain_, 4, body);
  EXPECT_GT(retention.bytes(), 4'000u);
}

TEST_F(RetentionTest, ClearRaisesTheFloors) {
  Retention::Chain other;
  Retention retention(Options(), this);
  Fill(&retention, 4);
  Add(&retention, &other, 5);
  retention.Clear(&chain_);
  EXPECT_EQ(All(), "from 40");
  EXPECT_EQ(other.count(), 1u);
  retention.ClearAll();
  EXPECT_EQ(other.floor(), 50u);
  EXPECT_EQ(retention.bytes(), 0u);
  EXPECT_EQ(emptied_, 2);
}

// The defaults are what the documents promise: 100 messages, 300 seconds, and all messages of the
// last 60 seconds.
TEST_F(RetentionTest, HistoryEndsAtExactlyItsNumberAndItsAge) {
  RetentionOptions options;
  Retention retention(options, this);
  for (int i = 0; i < 101; ++i) {
    retention.Add(&chain_, retention.Copy(kA, {"frame", 5}, 5), static_cast<uint64_t>(i + 1),
                  Second(0));
  }
  // The number, of what clients read.
  EXPECT_EQ(retention.NewestPage(chain_, 0, 1'000, Second(1)).floor, 1u);
  EXPECT_EQ(retention.NewestPage(chain_, 0, 100, Second(1)).begin, 1u);
  EXPECT_EQ(retention.NewestPage(chain_, 0, 99, Second(1)).begin, 2u);
  EXPECT_EQ(retention.NewestPage(chain_, 1, 1'000, Second(1)).floor, 0u);
  // The age, of what clients read.
  const absl::Time end = Second(300);
  const absl::Duration moment = absl::Nanoseconds(1);
  EXPECT_EQ(retention.NewestPage(chain_, 0, 1'000, end - moment).begin, 1u);
  EXPECT_EQ(retention.NewestPage(chain_, 0, 1'000, end).begin, 101u);
  EXPECT_EQ(retention.NewestPage(chain_, 0, 1'000, end).floor, 101u);
  // And of what is kept: all for the repair retention, then the number, then the age.
  retention.Expire(Second(60) - moment);
  EXPECT_EQ(chain_.count(), 101u);
  retention.Expire(Second(60));
  EXPECT_EQ(chain_.count(), 100u);
  EXPECT_EQ(chain_.floor(), 1u);
  retention.Expire(end - moment);
  EXPECT_EQ(chain_.count(), 100u);
  retention.Expire(end);
  EXPECT_TRUE(chain_.empty());
  EXPECT_EQ(chain_.floor(), 101u);
}

// Repairs may need messages for longer than clients read them.
TEST_F(RetentionTest, WhatIsTooOldForClientsStaysForRepairs) {
  RetentionOptions options = Options();
  options.history_age_max = absl::Seconds(5);
  Retention retention(options, this);
  Fill(&retention, 1);
  EXPECT_EQ(Words(retention.NewestPage(chain_, 0, 100, Second(6))), "from 10");
  retention.Expire(Second(11) - absl::Nanoseconds(1));
  EXPECT_EQ(All(), "10 from 0");
  EXPECT_EQ(Words(retention.PageAfter(chain_, 0)), "10 from 0");
  retention.Expire(Second(11));
  EXPECT_EQ(All(), "from 10");
}

// ---- Histories by prefix

// The bounds of a group with a prefix are as exact as the defaults.
TEST_F(RetentionTest, AGroupHasTheHistoryOfItsLongestPrefix) {
  RetentionOptions options = Options();
  options.page_bytes_max = 1'000;
  options.histories = {{"", {.messages_max = 1, .age_max = absl::Seconds(20)}},
                       {"news.", {.messages_max = 5, .age_max = absl::Seconds(100)}},
                       {"news.now.", {.messages_max = 5, .age_max = absl::Seconds(5)}}};
  Retention retention(options, this);
  Retention::Chain other;
  Retention::Chain now;
  retention.SetGroup(&chain_, "news.x");
  retention.SetGroup(&now, "news.now.x");
  retention.SetGroup(&other, "news");
  for (int i = 1; i <= 7; ++i) {
    for (Retention::Chain* const chain : {&chain_, &now, &other}) Add(&retention, chain, i);
  }
  const absl::Duration moment = absl::Nanoseconds(1);
  // What clients read.
  EXPECT_EQ(Words(retention.NewestPage(chain_, 0, 100, Second(8))), "30 40 50 60 70 from 20");
  EXPECT_EQ(Words(retention.NewestPage(chain_, 0, 100, Second(103) - moment)),
            "30 40 50 60 70 from 20");
  EXPECT_EQ(Words(retention.NewestPage(chain_, 0, 100, Second(103))), "40 50 60 70 from 30");
  EXPECT_EQ(retention.NewestPage(now, 0, 100, Second(12) - moment).floor, 60u);
  EXPECT_EQ(retention.NewestPage(now, 0, 100, Second(12)).floor, 70u);
  EXPECT_EQ(retention.NewestPage(other, 0, 100, Second(8)).floor, 60u);
  // What is kept: the number after the repair retention, and the longer of the two times.
  retention.Expire(Second(17) - moment);
  EXPECT_EQ(chain_.count(), 5u);
  EXPECT_EQ(now.count(), 1u);
  EXPECT_EQ(other.count(), 1u);
  retention.Expire(Second(17));
  EXPECT_EQ(chain_.count(), 5u);
  EXPECT_TRUE(now.empty());
  EXPECT_EQ(now.floor(), 70u);
  retention.Expire(Second(27) - moment);
  EXPECT_EQ(other.count(), 1u);
  retention.Expire(Second(27));
  EXPECT_TRUE(other.empty());
  retention.Expire(Second(103) - moment);
  EXPECT_EQ(All(), "30 40 50 60 70 from 20");
  retention.Expire(Second(103));
  EXPECT_EQ(All(), "40 50 60 70 from 30");
}

// Whatever the rules say. Repairs have their messages.
TEST_F(RetentionTest, TheGroupsOfTheServicesHaveNoHistory) {
  RetentionOptions options = Options();
  options.page_bytes_max = 1'000;
  options.histories = {{"", {.messages_max = 5, .age_max = absl::Seconds(100)}},
                       {"$groupcast.control", {.messages_max = 5, .age_max = absl::Seconds(100)}}};
  Retention retention(options, this);
  retention.SetGroup(&chain_, "$groupcast.control");
  Fill(&retention, 3);
  EXPECT_EQ(Words(retention.NewestPage(chain_, 0, 100, Second(3))), "from 30");
  EXPECT_EQ(Words(retention.PageAfter(chain_, 10)), "20 30 from 0");
  retention.Expire(Second(12) - absl::Nanoseconds(1));
  EXPECT_EQ(All(), "20 30 from 10");
  retention.Expire(Second(13));
  EXPECT_EQ(All(), "from 30");
}

// Together, groups have what each has alone in a store with its own bounds as the default.
TEST_F(RetentionTest, GroupsOfDifferentHistoriesDoNotDisturbEachOther) {
  const RetentionOptions::History histories[] = {{.messages_max = 1, .age_max = absl::Seconds(40)},
                                                 {.messages_max = 4, .age_max = absl::Seconds(0)},
                                                 {.messages_max = 2, .age_max = absl::Seconds(20)},
                                                 {.messages_max = 9, .age_max = absl::Seconds(40)}};
  constexpr int kGroups = 4;
  RetentionOptions options = Options();
  for (int g = 0; g < kGroups; ++g) {
    options.histories.emplace_back(absl::StrCat("g", g), histories[g]);
  }
  Retention together(options, this);
  std::vector<std::unique_ptr<Retention>> alone;
  std::array<Retention::Chain, kGroups> chains;
  std::array<Retention::Chain, kGroups> lone_chains;
  for (int g = 0; g < kGroups; ++g) {
    together.SetGroup(&chains[g], absl::StrCat("g", g));
    RetentionOptions own = Options();
    own.history_messages_max = histories[g].messages_max;
    own.history_age_max = histories[g].age_max;
    alone.emplace_back(new Retention(own, this));  // the listener is private
  }
  std::mt19937 random(1);
  for (int second = 1; second < 3'000; ++second) {
    for (int g = 0; g < kGroups; ++g) {
      if (random() % 5 == 0) {
        Add(&together, &chains[g], second);
        Add(alone[g].get(), &lone_chains[g], second);
      }
      if (random() % 200 == 0) {
        together.Clear(&chains[g]);
        alone[g]->Clear(&lone_chains[g]);
      }
    }
    if (random() % 3 != 0) continue;
    together.Expire(Second(second));
    for (int g = 0; g < kGroups; ++g) {
      alone[g]->Expire(Second(second));
      ASSERT_EQ(chains[g].count(), lone_chains[g].count()) << "group " << g << " at " << second;
      ASSERT_EQ(chains[g].floor(), lone_chains[g].floor()) << "group " << g << " at " << second;
      const Retention::Page page = together.NewestPage(chains[g], 0, 100, Second(second));
      const Retention::Page lone = alone[g]->NewestPage(lone_chains[g], 0, 100, Second(second));
      ASSERT_EQ(page.end - page.begin, lone.end - lone.begin) << "group " << g << " at " << second;
    }
  }
  together.ClearAll();
  for (int g = 0; g < kGroups; ++g) alone[g]->ClearAll();
}

TEST(LongestKeptTest, IsTheLongestOfAllTimes) {
  RetentionOptions options{.history_age_max = absl::Seconds(2),
                           .repair_retention = absl::Seconds(1)};
  EXPECT_EQ(LongestKept(options), absl::Seconds(2));
  options.repair_retention = absl::Seconds(3);
  EXPECT_EQ(LongestKept(options), absl::Seconds(3));
  options.histories = {{"a", {.age_max = absl::Seconds(5)}}, {"b", {.age_max = absl::Seconds(4)}}};
  EXPECT_EQ(LongestKept(options), absl::Seconds(5));
}

// The list of all and the young ones' mark survive every order of coming and going.
TEST_F(RetentionTest, GoesOnAfterABurst) {
  Retention retention(Options(), this);
  for (int round = 0; round < 3; ++round) {
    for (int i = 1; i <= 1'000; ++i) Add(&retention, &chain_, 1'000 * round + i);
    retention.Expire(Second(1'000 * round + 1'000 + 20));
    EXPECT_EQ(chain_.count(), 3u);
  }
}

}  // namespace
}  // namespace groupcast::service
