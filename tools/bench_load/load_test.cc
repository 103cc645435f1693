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
    const uint32_t first = sent_[message].group * scenario_.members_per_group();
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
