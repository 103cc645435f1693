// Small runs against the real binaries: what is counted, and that nothing is left behind. No times.

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <string>

#include "gtest/gtest.h"
#include "tools/bench_load/contestants.h"
#include "tools/bench_load/process_tree.h"
#include "tools/bench_load/scenario.h"
#include "tools/bench_load/server_process.h"

namespace groupcast::bench {
namespace {

Installation BuiltHere() {
  const std::string root =
      std::string(std::getenv("TEST_SRCDIR")) + "/" + std::getenv("TEST_WORKSPACE") + "/";
  return {.channel_server = root + "services/channel_server/channel_server",
          .websocket_service = root + "services/websocket_service/websocket_service",
          .raw_probe = root + "tools/bench_load/raw_probe",
          .directory = std::getenv("TEST_TMPDIR"),
          .workers = 2};
}

const Contestant& Named(const std::string& name) {
  for (const Contestant& contestant : Contestants()) {
    if (contestant.name == name) return contestant;
  }
  ADD_FAILURE() << "there is no " << name;
  std::abort();
}

// For a fraction of a second.
RunResult RunSmall(const std::string& contestant_name, Scenario scenario) {
  const Contestant& contestant = Named(contestant_name);
  const absl::StatusOr<RunningServer> server = contestant.start(BuiltHere());
  EXPECT_TRUE(server.ok()) << server.status();
  if (!server.ok()) return {};
  scenario.in_flight = std::max(scenario.in_flight, contestant.in_flight_min);
  absl::StatusOr<RunResult> result =
      RunScenario(scenario, {server->port(), contestant.dialect.get(), server->roots()},
                  {.warm_up = absl::Milliseconds(50),
                   .measured = absl::Milliseconds(200),
                   .patience = absl::Seconds(20)});
  EXPECT_TRUE(result.ok()) << result.status();
  return result.ok() ? *result : RunResult{};
}

// Each of the messages came to each of so many members, once and in order.
void ExpectAllCame(const RunResult& run, int64_t members) {
  EXPECT_GT(run.sent, 0);
  EXPECT_EQ(run.counts, (DeliveryCheck::Counts{.received = run.sent * members}));
  EXPECT_EQ(run.unanswered, 0);
  EXPECT_EQ(run.closed, 0u);
  EXPECT_GT(run.deliveries, 0);
  EXPECT_LE(run.deliveries, run.counts.received);
  EXPECT_EQ(run.latency.count(), run.deliveries);
}

const Scenario kFanOut = {.name = "small fan_out", .connections = 30, .in_flight = 16};
const Scenario kRooms = {.name = "small rooms",
                         .pace = Scenario::Pace::kOwnCame,
                         .connections = 20,
                         .groups = 4,
                         .senders_per_group = 5};

class Servers : public testing::TestWithParam<const char*> {};

TEST_P(Servers, FanOutReachesAll) { ExpectAllCame(RunSmall(GetParam(), kFanOut), 30); }

TEST_P(Servers, RoomsReachTheirOwnMembers) { ExpectAllCame(RunSmall(GetParam(), kRooms), 5); }

TEST_P(Servers, LargeMessagesReachAll) {
  Scenario large = kFanOut;
  large.message_bytes = 64 * 1024;
  large.in_flight = 2;
  ExpectAllCame(RunSmall(GetParam(), large), 30);
}

INSTANTIATE_TEST_SUITE_P(All, Servers,
                         testing::Values("groupcast", "groupcast_v1", "groupcast_log", "raw",
                                         "raw_8", "raw_32"),
                         [](const auto& info) { return std::string(info.param); });

TEST(Scenario, ARateIsKept) {
  Scenario rate = kFanOut;
  rate.pace = Scenario::Pace::kRate;
  rate.per_second = 100;
  const RunResult run = RunSmall("groupcast", rate);
  ExpectAllCame(run, 30);
  // 50 and 200 ms of it: no more than that, however slow the machine is.
  EXPECT_LE(run.sent, 5 + 20 + 2);
}

TEST(Scenario, WeighsTheServer) {
  Scenario idle = kFanOut;
  idle.groups = 15;
  const RunResult run = RunSmall("groupcast", idle);
  ExpectAllCame(run, 2);
  EXPECT_GT(run.pss_bare, 1 << 20);
  EXPECT_GT(run.pss_joined, 1 << 20);
}

TEST(Run, SaysWhatTheServerRefuses) {
  const absl::StatusOr<RunningServer> server = Named("groupcast").start(BuiltHere());
  ASSERT_TRUE(server.ok()) << server.status();
  Scenario too_large = kFanOut;
  too_large.message_bytes = 64 * 1024 + 1;
  const absl::StatusOr<RunResult> result = RunScenario(
      too_large, {server->port(), Named("groupcast").dialect.get(), server->roots()}, RunOptions{});
  ASSERT_FALSE(result.ok());
  EXPECT_NE(std::string(result.status().message()).find("message_too_large"), std::string::npos)
      << result.status();
}

TEST(RunningServer, LeavesNoProcessBehind) {
  std::vector<pid_t> pids;
  {
    const absl::StatusOr<RunningServer> server = Named("groupcast").start(BuiltHere());
    ASSERT_TRUE(server.ok()) << server.status();
    pids = ProcessTree(server->roots());
    EXPECT_EQ(pids.size(), 1u + 1 + 2);
  }
  for (const pid_t pid : pids) EXPECT_NE(kill(pid, 0), 0) << pid;
}

TEST(ServerProcess, SaysWhyItDidNotBecomeReady) {
  const auto server = ServerProcess::Start(std::getenv("TEST_TMPDIR"), "refuses",
                                           {BuiltHere().raw_probe, "--gather=0"});
  ASSERT_FALSE(server.ok());
  EXPECT_NE(std::string(server.status().message()).find("--gather must be from 1 to 64"),
            std::string::npos)
      << server.status();
}

}  // namespace
}  // namespace groupcast::bench
