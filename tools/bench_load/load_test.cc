#include "tools/bench_load/load.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace groupcast::bench {
namespace {

using Pace = Scenario::Pace;

// What a load has sent, and a server that hands it to the members when the test says so.
class Server {
 public:
  struct Sent {
    uint32_t connection;
    uint32_t group;
    Stamp stamp;
    size_t bytes;
  };

  explicit Server(const Scenario& scenario)
      : scenario_(scenario),
        load_(Load::Create(
            scenario_, [this](uint32_t connection, Group group, std::string_view message) {
              const std::optional<Stamp> stamp = ReadStamp(message);
              ASSERT_TRUE(stamp.has_value());
              sent_.push_back({connection, static_cast<uint32_t>(group), *stamp, message.size()});
            })) {}

  Load& load() { return *load_; }
  const std::vector<Sent>& sent() const { return sent_; }

  void DeliverTo(uint32_t connection, size_t message, int64_t now_ns) {
    load_->OnMessage(connection, Stamp(sent_[message].stamp), now_ns);
  }
  void DeliverToAll(size_t message, int64_t now_ns) {
    const uint32_t first = scenario_.FirstMemberOf(sent_[message].group);
    for (uint32_t i = 0; i < scenario_.members_per_group(); ++i) {
      DeliverTo(first + i, message, now_ns);
    }
  }
  RunResult Result() const {
    RunResult result;
    load_->Report(&result);
    return result;
  }

 private:
  const Scenario scenario_;
  std::vector<Sent> sent_;
  std::unique_ptr<Load> load_;
};

TEST(AllHaveIt, SendsTheNextWhenTheLastMemberHasOne) {
  Server server({.connections = 3, .in_flight = 2});
  server.load().Start(100);
  ASSERT_EQ(server.sent().size(), 2u);
  EXPECT_EQ(server.sent()[1].stamp, (Stamp{0, 1, 100}));
  EXPECT_EQ(server.sent()[1].bytes, 128u);
  server.DeliverTo(0, 0, 110);
  server.DeliverTo(1, 0, 120);
  server.DeliverTo(1, 1, 120);
  EXPECT_EQ(server.sent().size(), 2u);
  EXPECT_FALSE(server.load().AllCame());
  server.DeliverTo(2, 0, 130);
  ASSERT_EQ(server.sent().size(), 3u);
  EXPECT_EQ(server.sent()[2].stamp, (Stamp{0, 2, 130}));
}

TEST(AllHaveIt, ADoubledCopyDoesNotStandForAnothers) {
  Server server({.connections = 2, .in_flight = 1});
  server.load().Start(100);
  server.DeliverTo(0, 0, 110);
  server.DeliverTo(0, 0, 110);
  EXPECT_EQ(server.sent().size(), 1u);
  EXPECT_FALSE(server.load().AllCame());
  EXPECT_EQ(server.Result().counts.doubled, 1);
  EXPECT_EQ(server.Result().counts.lost, 1);
}

TEST(AllHaveIt, GoesThroughGroupsAndTheirSendersInTurn) {
  Server server({.connections = 6, .groups = 2, .senders_per_group = 2, .in_flight = 5});
  server.load().Start(0);
  std::vector<uint32_t> connections;
  std::vector<uint32_t> groups;
  for (const Server::Sent& sent : server.sent()) {
    connections.push_back(sent.connection);
    groups.push_back(sent.group);
  }
  EXPECT_EQ(connections, (std::vector<uint32_t>{0, 3, 1, 4, 0}));
  EXPECT_EQ(groups, (std::vector<uint32_t>{0, 1, 0, 1, 0}));
}

TEST(AllHaveIt, AConnectionInSeveralGroupsGetsWhatIsSentToEach) {
  // Connections 0 and 1 are in groups 0 to 2, connections 2 and 3 in groups 3 to 5.
  Server server({.connections = 4, .groups_per_connection = 3, .groups = 6, .in_flight = 6});
  server.load().Start(0);
  std::vector<uint32_t> connections;
  for (const Server::Sent& sent : server.sent()) connections.push_back(sent.connection);
  EXPECT_EQ(connections, (std::vector<uint32_t>{0, 0, 0, 2, 2, 2}));
  server.load().Stop();
  // Groups may overtake each other.
  for (const size_t message : {2u, 0u, 1u, 4u, 3u}) server.DeliverToAll(message, 10);
  EXPECT_FALSE(server.load().AllCame());
  server.DeliverTo(1, 5, 10);  // of a group that it is not in
  EXPECT_FALSE(server.load().AllCame());
  server.DeliverToAll(5, 10);
  EXPECT_TRUE(server.load().AllCame());
  EXPECT_EQ(server.Result().counts, (DeliveryCheck::Counts{.received = 13, .stray = 1}));
}

TEST(AllHaveIt, GivesUpWhatDoesNotComeAndCountsIt) {
  Server server({.connections = 2, .in_flight = 1});
  server.load().Start(100);
  server.DeliverTo(0, 0, 110);
  server.load().GiveUpBefore(100, 150);
  EXPECT_EQ(server.sent().size(), 1u);
  server.load().GiveUpBefore(101, 151);
  ASSERT_EQ(server.sent().size(), 2u);
  EXPECT_EQ(server.Result().unanswered, 1);
  server.DeliverToAll(1, 160);
  EXPECT_EQ(server.sent().size(), 3u);
  EXPECT_EQ(server.Result().unanswered, 1);
}

TEST(AllHaveIt, SendsNothingAfterStop) {
  Server server({.connections = 1, .in_flight = 1});
  server.load().Start(100);
  server.load().Stop();
  server.DeliverToAll(0, 110);
  EXPECT_EQ(server.sent().size(), 1u);
  EXPECT_TRUE(server.load().AllCame());
  server.load().Start(200);
  EXPECT_EQ(server.sent().size(), 2u);
}

TEST(OwnCame, EachSenderWaitsForItsOwnMessageAlone) {
  Server server({.pace = Pace::kOwnCame, .connections = 4, .groups = 2, .senders_per_group = 2});
  server.load().Start(100);
  ASSERT_EQ(server.sent().size(), 4u);
  EXPECT_EQ(server.sent()[3].connection, 3u);
  EXPECT_EQ(server.sent()[3].group, 1u);
  server.DeliverTo(2, 3, 110);  // another's
  EXPECT_EQ(server.sent().size(), 4u);
  server.DeliverTo(3, 3, 120);  // its own
  ASSERT_EQ(server.sent().size(), 5u);
  EXPECT_EQ(server.sent()[4].connection, 3u);
  EXPECT_EQ(server.sent()[4].stamp, (Stamp{3, 1, 120}));
}

TEST(OwnCame, ASenderWaitsInEachOfItsGroupsByItself) {
  Server server({.pace = Pace::kOwnCame,
                 .connections = 4,
                 .groups_per_connection = 2,
                 .groups = 4,
                 .senders_per_group = 2});
  server.load().Start(100);
  ASSERT_EQ(server.sent().size(), 8u);
  EXPECT_EQ(server.sent()[7].connection, 3u);
  EXPECT_EQ(server.sent()[7].group, 3u);
  server.DeliverTo(3, 5, 110);  // its own, of its first group
  ASSERT_EQ(server.sent().size(), 9u);
  EXPECT_EQ(server.sent()[8].connection, 3u);
  EXPECT_EQ(server.sent()[8].group, 2u);
}

TEST(OwnCame, SendsAgainWhenItsOwnDoesNotCome) {
  Server server({.pace = Pace::kOwnCame, .connections = 2, .groups = 1, .senders_per_group = 2});
  server.load().Start(100);
  server.DeliverTo(0, 0, 150);
  ASSERT_EQ(server.sent().size(), 3u);
  server.load().GiveUpBefore(101, 200);
  ASSERT_EQ(server.sent().size(), 4u);
  EXPECT_EQ(server.sent()[3].connection, 1u);
  EXPECT_EQ(server.Result().unanswered, 1);
}

TEST(AtRate, SendsByTheClockAndStampsWhatIsLateWithWhenItWasDue) {
  Server server({.pace = Pace::kRate, .connections = 1, .per_second = 1'000});
  server.load().Start(5'000'000);
  EXPECT_EQ(server.load().NextTime(), 5'000'000);
  server.load().OnTime(5'000'000);
  ASSERT_EQ(server.sent().size(), 1u);
  EXPECT_EQ(server.load().NextTime(), 6'000'000);
  server.load().OnTime(5'999'999);
  EXPECT_EQ(server.sent().size(), 1u);
  server.load().OnTime(8'500'000);
  ASSERT_EQ(server.sent().size(), 4u);
  EXPECT_EQ(server.sent()[3].stamp, (Stamp{0, 3, 8'000'000}));
  server.load().Stop();
  EXPECT_EQ(server.load().NextTime(), Load::kNever);
  server.load().OnTime(20'000'000);
  EXPECT_EQ(server.sent().size(), 4u);
}

TEST(Load, AnExcusedMemberIsNotWaitedFor) {
  Server server({.pace = Pace::kRate, .connections = 3, .per_second = 1'000});
  server.load().Start(0);
  server.load().OnTime(1'000'000);
  ASSERT_EQ(server.sent().size(), 2u);
  server.DeliverToAll(0, 10);
  server.DeliverTo(0, 1, 10);
  server.DeliverTo(1, 1, 10);
  EXPECT_FALSE(server.load().AllCame());
  server.load().Excuse(2);
  EXPECT_TRUE(server.load().AllCame());
  server.load().OnTime(2'000'000);
  server.DeliverTo(0, 2, 20);
  EXPECT_FALSE(server.load().AllCame());
  server.DeliverTo(1, 2, 20);
  EXPECT_TRUE(server.load().AllCame());
  EXPECT_EQ(server.Result().counts, (DeliveryCheck::Counts{.received = 7}));
}

TEST(Load, WhatComesToMembersThatStallIsCheckedAndNotMeasured) {
  Server server({.connections = 3, .beside = Scenario::Beside::kStall, .beside_connections = 1});
  server.load().Start(0);
  server.load().Measure();
  server.DeliverToAll(0, 1'000);
  EXPECT_EQ(server.Result().deliveries, 2);
  EXPECT_EQ(server.Result().latency.count(), 2);
  EXPECT_EQ(server.Result().counts.received, 3);
}

TEST(Load, WhatComesToAConnectionBesideItIsStray) {
  Server server({.connections = 2, .beside = Scenario::Beside::kJoins, .beside_connections = 3});
  server.load().Start(0);
  server.DeliverTo(4, 0, 10);
  EXPECT_EQ(server.Result().counts.stray, 1);
}

TEST(Load, MeasuresFromMeasureOnAndChecksFromTheBeginning) {
  Server server({.connections = 2, .in_flight = 1});
  server.load().Start(0);
  server.DeliverToAll(0, 1'000);
  server.load().Measure();
  server.DeliverToAll(1, 6'000);
  server.load().Stop();
  const RunResult result = server.Result();
  EXPECT_EQ(result.deliveries, 2);
  EXPECT_EQ(result.counts.received, 4);
  EXPECT_EQ(result.sent, 3);
  EXPECT_EQ(result.counts.lost, 2);
  EXPECT_EQ(result.latency.count(), 2);
  EXPECT_NEAR(absl::ToDoubleNanoseconds(result.latency.Percentile(50)), 5'000, 100);
  EXPECT_EQ(server.load().last_came_ns(), 6'000);
}

}  // namespace
}  // namespace groupcast::bench
