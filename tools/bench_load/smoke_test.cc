// Small runs against the real binaries: what is counted, and that nothing is left behind. No times.

#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "tools/bench_load/contestants.h"
#include "tools/bench_load/crowd.h"
#include "tools/bench_load/process_tree.h"
#include "tools/bench_load/scenario.h"
#include "tools/bench_load/server_process.h"
#include "tools/bench_load/stamp.h"
#include "tools/bench_load/swarm.h"

namespace groupcast::bench {
namespace {

// Where servers write files: the path of a Unix socket in it must be short, unlike TEST_TMPDIR.
class ShortDirectory : public testing::Environment {
 public:
  static const std::string& path() {
    static const auto& path = *new std::string([] {
      char name[] = "/tmp/bench_smoke.XXXXXX";
      return mkdtemp(name) == nullptr ? std::string() : std::string(name);
    }());
    return path;
  }
  void TearDown() override { std::filesystem::remove_all(path()); }
};
[[maybe_unused]] const auto* const kShortDirectory =
    testing::AddGlobalTestEnvironment(new ShortDirectory);

Installation BuiltHere() {
  const std::string root =
      std::string(std::getenv("TEST_SRCDIR")) + "/" + std::getenv("TEST_WORKSPACE") + "/";
  return {.channel_server = root + "services/channel_server/channel_server",
          .websocket_service = root + "services/websocket_service/websocket_service",
          .raw_probe = root + "tools/bench_load/raw_probe",
          .directory = ShortDirectory::path(),
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
                         testing::Values("groupcast", "groupcast_v1", "groupcast_log",
                                         "groupcast_tls", "raw", "raw_8", "raw_32"),
                         [](const auto& info) { return std::string(info.param); });

TEST(Scenario, AConnectionIsInSeveralGroups) {
  Scenario many = kFanOut;
  many.groups_per_connection = 10;
  many.groups = 100;
  ExpectAllCame(RunSmall("groupcast", many), 3);
}

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

TEST(Beside, JoinsGoOnAndTheLoadDoesNotNotice) {
  Scenario joins = kFanOut;
  joins.beside = Scenario::Beside::kJoins;
  joins.beside_connections = 20;
  joins.beside_groups = 4;
  joins.beside_per_second = 1'000;
  const RunResult run = RunSmall("groupcast", joins);
  ExpectAllCame(run, 30);
  EXPECT_GT(run.beside.done, 0);
  EXPECT_EQ(run.beside.latency.count(), run.beside.done);
}

TEST(Beside, JoinsNeedADialectThatCanLeave) {
  const absl::StatusOr<RunningServer> server = Named("raw").start(BuiltHere());
  ASSERT_TRUE(server.ok()) << server.status();
  Scenario joins = kFanOut;
  joins.beside = Scenario::Beside::kJoins;
  const absl::StatusOr<RunResult> result = RunScenario(
      joins, {server->port(), Named("raw").dialect.get(), server->roots()}, RunOptions{});
  EXPECT_EQ(result.status().code(), absl::StatusCode::kFailedPrecondition) << result.status();
}

TEST(Beside, MembersComeAndGoAndAreWatchedAndTheLoadDoesNotNotice) {
  Scenario members = kFanOut;
  members.beside = Scenario::Beside::kComeAndGo;
  members.beside_connections = 21;
  members.beside_per_second = 1'000;
  members.beside_watchers = 1;
  const RunResult run = RunSmall("groupcast_v1", members);
  ExpectAllCame(run, 30);
  EXPECT_GT(run.beside.done, 0);
  EXPECT_EQ(run.beside.latency.count(), run.beside.done);
}

TEST(Beside, WatchersNeedADialectThatCanWatch) {
  const absl::StatusOr<RunningServer> server = Named("groupcast").start(BuiltHere());
  ASSERT_TRUE(server.ok()) << server.status();
  Scenario members = kFanOut;
  members.beside = Scenario::Beside::kComeAndGo;
  members.beside_connections = 2;
  members.beside_watchers = 1;
  const absl::StatusOr<RunResult> result = RunScenario(
      members, {server->port(), Named("groupcast").dialect.get(), server->roots()}, RunOptions{});
  EXPECT_EQ(result.status().code(), absl::StatusCode::kFailedPrecondition) << result.status();
}

TEST(Beside, ConnectionsComeAndGoAndTheLoadDoesNotNotice) {
  Scenario churn = kFanOut;
  churn.beside = Scenario::Beside::kChurn;
  churn.beside_connections = 20;
  churn.beside_groups = 4;
  churn.beside_per_second = 500;
  const RunResult run = RunSmall("groupcast", churn);
  ExpectAllCame(run, 30);
  EXPECT_GT(run.beside.done, 0);
}

TEST(Beside, MembersThatStopToReadAreToldAndTheOthersGetAll) {
  Scenario stall = kFanOut;
  stall.pace = Scenario::Pace::kRate;
  stall.per_second = 100;
  stall.message_bytes = 64 * 1'024;  // sixteen of them fill an outbox
  stall.beside = Scenario::Beside::kStall;
  stall.beside_connections = 3;
  stall.measured_min = absl::Seconds(2);
  const RunResult run = RunSmall("groupcast", stall);
  EXPECT_EQ(run.beside.told, 3);
  EXPECT_EQ(run.beside.cut, 0);
  EXPECT_EQ(run.closed, 0);
  EXPECT_TRUE(run.counts.clean());
  EXPECT_GE(run.counts.received, run.sent * 27);
  EXPECT_LT(run.counts.received, run.sent * 30);
  EXPECT_LE(run.deliveries, run.sent * 27);
  EXPECT_GE(run.peak, run.peak_joined);
}

TEST(Beside, AnIdleCrowdIsThereAndGetsNothing) {
  Scenario crowd = kFanOut;
  crowd.beside = Scenario::Beside::kIdleCrowd;
  crowd.beside_connections = 40;
  crowd.beside_groups = 4;
  ExpectAllCame(RunSmall("groupcast", crowd), 30);
}

TEST(Beside, ABusyCrowdGetsEachMessage) {
  Scenario crowd = kFanOut;
  crowd.beside = Scenario::Beside::kBusyCrowd;
  crowd.beside_connections = 40;
  const RunResult run = RunSmall("groupcast", crowd);
  EXPECT_TRUE(run.counts.clean());
  const int64_t crowd_received = run.counts.received - 30 * run.sent;
  EXPECT_GT(run.beside.done, 0);
  EXPECT_GE(crowd_received, run.beside.done);
  EXPECT_EQ(crowd_received % 40, 0);
  EXPECT_EQ(run.unanswered, 0);
}

TEST(Crowd, SpreadsOverProcessesAndChecksWhatComes) {
  const absl::StatusOr<RunningServer> server = Named("groupcast").start(BuiltHere());
  ASSERT_TRUE(server.ok()) << server.status();
  const Dialect& dialect = *Named("groupcast").dialect;
  const auto crowd = Crowd::Start({.port = server->port(),
                                   .dialect = &dialect,
                                   .connections = 10,
                                   .connections_per_process = 4,
                                   .first_number = 1,
                                   .group = [](uint32_t) { return Group{7}; },
                                   .stream = 5});
  ASSERT_TRUE(crowd.ok()) << crowd.status();
  const std::vector<pid_t> processes = (*crowd)->processes();
  EXPECT_EQ(processes.size(), 3u);

  Swarm swarm({.port = server->port(), .dialect = &dialect, .connections = 1});
  ASSERT_TRUE(swarm.Open().ok());
  std::string message(kStampBytes, 'x');
  const auto send = [&](const Stamp& stamp) {
    WriteStamp(stamp, message.data());
    swarm.Send(0, Group{7}, message);
  };
  for (int i = 0; i < 3; ++i) send({5, (*crowd)->Send(), 0});
  const absl::Time deadline = absl::Now() + absl::Seconds(20);
  while ((*crowd)->Has() < 30 && absl::Now() < deadline)
    swarm.Poll(MonotonicNs() + 1'000'000, nullptr);
  EXPECT_EQ((*crowd)->Has(), 30);
  EXPECT_TRUE((*crowd)->status().ok()) << (*crowd)->status();
  // One that is announced and does not come, and a later one.
  (*crowd)->Send();
  send({5, (*crowd)->Send(), 0});
  while ((*crowd)->Has() < 40 && absl::Now() < deadline)
    swarm.Poll(MonotonicNs() + 1'000'000, nullptr);
  const absl::StatusOr<Crowd::Result> result = (*crowd)->Finish();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->counts, (DeliveryCheck::Counts{.received = 40, .lost = 10}));
  for (const pid_t pid : processes) EXPECT_NE(kill(pid, 0), 0) << pid;
}

TEST(Crowd, SaysThatItsServerIsGone) {
  absl::StatusOr<RunningServer> server = Named("groupcast").start(BuiltHere());
  ASSERT_TRUE(server.ok()) << server.status();
  const auto crowd = Crowd::Start({.port = server->port(),
                                   .dialect = Named("groupcast").dialect.get(),
                                   .connections = 2,
                                   .group = [](uint32_t) { return Group{7}; }});
  ASSERT_TRUE(crowd.ok()) << crowd.status();
  server->processes.clear();
  // Its process ends; who it was is still to be asked.
  siginfo_t end{};
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>((*crowd)->processes()[0]), &end, WEXITED | WNOWAIT), 0);
  EXPECT_EQ((*crowd)->status().code(), absl::StatusCode::kUnavailable) << (*crowd)->status();
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
    EXPECT_EQ(pids.size(), 1u + 1 + 1 + 2);
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
