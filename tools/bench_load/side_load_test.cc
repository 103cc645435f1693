#include "tools/bench_load/side_load.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace groupcast::bench {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Beside = Scenario::Beside;

constexpr int64_t kMs = 1'000'000;

// Writes down what is done to connections.
class Fake : public SideLoad::Connections {
 public:
  explicit Fake(const Scenario& scenario)
      : scenario_(scenario), side_(SideLoad::Create(scenario_, this)) {}

  SideLoad& side() { return *side_; }
  int64_t crowd_has = 0;
  // Since the last call.
  std::vector<std::string> Done() { return std::exchange(done_, {}); }

 private:
  void Join(uint32_t connection, Group group) override {
    done_.push_back(absl::StrCat(connection, " joins ", static_cast<uint32_t>(group)));
  }
  void Move(uint32_t connection, Group from, Group to) override {
    done_.push_back(absl::StrCat(connection, " moves ", static_cast<uint32_t>(from), " to ",
                                 static_cast<uint32_t>(to)));
  }
  void Leave(uint32_t connection, Group group) override {
    done_.push_back(absl::StrCat(connection, " leaves ", static_cast<uint32_t>(group)));
  }
  void Disconnect(uint32_t connection) override {
    done_.push_back(absl::StrCat(connection, " disconnects"));
  }
  void Connect(uint32_t connection) override {
    done_.push_back(absl::StrCat(connection, " connects"));
  }
  void SetReading(uint32_t connection, bool reading) override {
    done_.push_back(absl::StrCat(connection, reading ? " reads" : " stops"));
  }
  void SendToCrowd(int64_t sent_ns) override {
    done_.push_back(absl::StrCat("crowd at ", sent_ns / kMs));
  }
  int64_t CrowdHas() const override { return crowd_has; }

  const Scenario scenario_;
  std::unique_ptr<SideLoad> side_;
  std::vector<std::string> done_;
};

Scenario WithJoins() {
  return {.connections = 10,
          .groups = 2,
          .beside = Beside::kJoins,
          .beside_connections = 2,
          .beside_groups = 2,
          .beside_per_second = 1'000};
}

TEST(Nothing, IsAlwaysFinished) {
  Fake fake(Scenario{});
  fake.side().Start(0);
  EXPECT_EQ(fake.side().NextTime(), SideLoad::kNever);
  EXPECT_EQ(fake.side().Unfinished(), 0);
}

TEST(Joins, TakeTurnsByTheClockToTheNextGroup) {
  Fake fake(WithJoins());
  fake.side().Start(5 * kMs);
  EXPECT_EQ(fake.side().NextTime(), 5 * kMs);
  fake.side().OnTime(5 * kMs);
  EXPECT_THAT(fake.Done(), ElementsAre("10 moves 2 to 3"));
  EXPECT_EQ(fake.side().NextTime(), 6 * kMs);
  fake.side().OnJoined(10, 5 * kMs);
  fake.side().OnTime(7 * kMs);
  EXPECT_THAT(fake.Done(), ElementsAre("11 moves 3 to 2", "10 moves 3 to 2"));
}

TEST(ComeAndGo, ATenthIsAwayAndWatchersStay) {
  Fake fake({.connections = 10,
             .groups = 2,
             .beside = Beside::kComeAndGo,
             .beside_connections = 21,
             .beside_per_second = 1'000,
             .beside_watchers = 1});
  fake.side().Start(0);
  fake.side().Measure();
  fake.side().OnTime(kMs);
  EXPECT_THAT(fake.Done(), ElementsAre("10 leaves 2", "11 leaves 2"));
  EXPECT_EQ(fake.side().Unfinished(), 0) << "who is away is not waited for";
  fake.side().OnTime(2 * kMs);
  EXPECT_THAT(fake.Done(), ElementsAre("12 leaves 2", "10 joins 2"));
  EXPECT_EQ(fake.side().Unfinished(), 1);
  fake.side().OnJoined(10, 5 * kMs);
  EXPECT_EQ(fake.side().Unfinished(), 0);
  EXPECT_EQ(fake.side().result().done, 1);
  EXPECT_GE(fake.side().result().latency.Percentile(50), absl::Milliseconds(3));
  fake.side().OnTime(20 * kMs);
  EXPECT_THAT(fake.Done(), testing::AllOf(testing::Contains("29 leaves 2"),
                                          testing::Not(testing::Contains("30 leaves 2"))));
}

TEST(Joins, ComeInBurstsThatKeepTheRate) {
  Scenario scenario = WithJoins();
  scenario.beside_connections = 100;
  scenario.beside_per_second = 2'500;
  Fake fake(scenario);
  fake.side().Start(0);
  fake.side().OnTime(0);
  EXPECT_EQ(fake.Done().size(), 2u);
  fake.side().OnTime(kMs);
  EXPECT_EQ(fake.Done().size(), 3u);
  fake.side().OnTime(9 * kMs);
  EXPECT_EQ(fake.Done().size(), 20u);
}

TEST(Joins, TakeFromWhenTheyWereDueUntilTheAnswer) {
  Fake fake(WithJoins());
  fake.side().Start(0);
  fake.side().OnTime(0);
  fake.side().OnJoined(10, 3 * kMs);
  EXPECT_EQ(fake.side().result().done, 0);  // not measured yet
  fake.side().Measure();
  fake.side().OnTime(3 * kMs);  // due at 1, 2 and 3
  fake.side().OnJoined(11, 4 * kMs);
  EXPECT_EQ(fake.side().result().done, 1);
  EXPECT_NEAR(absl::ToDoubleMilliseconds(fake.side().result().latency.Percentile(50)), 3, 0.1);
}

TEST(Joins, PassOverThoseThatHaveNoAnswerYet) {
  Fake fake(WithJoins());
  fake.side().Measure();
  fake.side().Start(0);
  fake.side().OnTime(2 * kMs);  // three times, with two connections
  EXPECT_EQ(fake.Done().size(), 2u);
  EXPECT_EQ(fake.side().result().undone, 1);
  EXPECT_EQ(fake.side().Unfinished(), 2);
  fake.side().Stop(3 * kMs);
  fake.side().OnTime(9 * kMs);
  EXPECT_THAT(fake.Done(), IsEmpty());
  EXPECT_EQ(fake.side().NextTime(), SideLoad::kNever);
  fake.side().OnJoined(10, 9 * kMs);
  fake.side().OnJoined(10, 9 * kMs);  // it was not asked for again
  EXPECT_EQ(fake.side().Unfinished(), 1);
  fake.side().OnJoined(11, 9 * kMs);
  EXPECT_EQ(fake.side().Unfinished(), 0);
}

TEST(Joins, DoNotCareAboutTheLoadsOwn) {
  Fake fake(WithJoins());
  fake.side().Start(0);
  fake.side().OnTime(0);
  fake.side().OnJoined(0, 1);
  EXPECT_FALSE(fake.side().OnClosed(10, true));
  EXPECT_EQ(fake.side().Unfinished(), 1);
}

TEST(Churn, ClosesComesAgainAndJoins) {
  Scenario scenario = WithJoins();
  scenario.beside = Beside::kChurn;
  Fake fake(scenario);
  fake.side().Start(0);
  fake.side().Measure();
  fake.side().OnTime(0);
  EXPECT_THAT(fake.Done(), ElementsAre("10 disconnects"));
  EXPECT_TRUE(fake.side().OnClosed(10, true));
  EXPECT_FALSE(fake.side().OnClosed(11, true));  // it was not its turn
  EXPECT_THAT(fake.Done(), IsEmpty());
  EXPECT_EQ(fake.side().NextTime(), 0);  // at once
  fake.side().Stop(kMs);
  fake.side().OnTime(2 * kMs);
  EXPECT_THAT(fake.Done(), ElementsAre("10 connects"));
  EXPECT_EQ(fake.side().NextTime(), SideLoad::kNever);
  fake.side().OnOpen(10, 3 * kMs);
  EXPECT_THAT(fake.Done(), ElementsAre("10 joins 2"));
  EXPECT_EQ(fake.side().Unfinished(), 1);
  fake.side().OnJoined(10, 6 * kMs);
  EXPECT_EQ(fake.side().Unfinished(), 0);
  EXPECT_EQ(fake.side().result().done, 1);
  EXPECT_NEAR(absl::ToDoubleMilliseconds(fake.side().result().latency.Percentile(50)), 4, 0.1);
}

TEST(Stall, TheLastOfTheFirstGroupStopWhileItIsMeasured) {
  Fake fake({.connections = 8, .groups = 2, .beside = Beside::kStall, .beside_connections = 2});
  fake.side().Start(0);
  fake.side().Stop(1);
  EXPECT_THAT(fake.Done(), IsEmpty());
  fake.side().Measure();
  EXPECT_THAT(fake.Done(), ElementsAre("2 stops", "3 stops"));
  fake.side().Start(2);
  EXPECT_TRUE(fake.side().OnClosed(2, true));
  EXPECT_FALSE(fake.side().OnClosed(1, true));
  EXPECT_FALSE(fake.side().OnClosed(4, true));
  fake.side().Stop(3);
  EXPECT_THAT(fake.Done(), ElementsAre("2 reads", "3 reads"));
  EXPECT_TRUE(fake.side().OnClosed(3, false));
  EXPECT_EQ(fake.side().result().told, 1);
  EXPECT_EQ(fake.side().result().cut, 1);
}

TEST(BusyCrowd, SendsWhenAllHaveTheLastOne) {
  Fake fake({.beside = Beside::kBusyCrowd, .beside_connections = 3});
  fake.side().Start(0);
  EXPECT_EQ(fake.side().NextTime(), 0);
  fake.side().OnTime(0);
  EXPECT_THAT(fake.Done(), ElementsAre("crowd at 0"));
  EXPECT_EQ(fake.side().Unfinished(), 3);
  EXPECT_EQ(fake.side().NextTime(), kMs);
  fake.crowd_has = 2;
  fake.side().OnTime(kMs);
  EXPECT_THAT(fake.Done(), IsEmpty());
  fake.crowd_has = 3;
  fake.side().OnTime(2 * kMs);
  EXPECT_THAT(fake.Done(), ElementsAre("crowd at 2"));
  fake.side().Stop(2 * kMs);
  fake.crowd_has = 6;
  fake.side().OnTime(3 * kMs);
  EXPECT_THAT(fake.Done(), IsEmpty());
  EXPECT_EQ(fake.side().NextTime(), SideLoad::kNever);
}

}  // namespace
}  // namespace groupcast::bench
