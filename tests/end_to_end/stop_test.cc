// How services end and reload, and what clients see of it.

#include <algorithm>
#include <csignal>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "tests/support/crowd.h"
#include "tests/support/services.h"
#include "tests/support/test_client.h"

namespace groupcast::tests {
namespace {

// What a supervisor may take beyond the drain time until its last worker is killed and it has
// noticed.
constexpr absl::Duration kGrace = absl::Seconds(3);

void ExpectGone(const std::vector<pid_t>& pids) {
  EXPECT_TRUE(std::none_of(pids.begin(), pids.end(), IsAlive)) << "a worker is left";
}

class StopTest : public ::testing::TestWithParam<int> {};

TEST_P(StopTest, TellsClientsAndLeavesNoProcess) {
  Groupcast groupcast(/*workers=*/4, {"--drain_time=2s"});
  std::vector<TestClient> bare = ConnectCrowd(&groupcast.service, 32);
  std::vector<TestClient> v1;
  for (int i = 0; i < 32; ++i) v1.emplace_back(groupcast.service.port(), Mode::kV1);
  for (TestClient& client : bare) client.Join("room");
  const std::vector<pid_t> workers = groupcast.service.WorkerPids();

  const absl::Time begin = absl::Now();
  groupcast.service.process().Signal(GetParam());
  for (TestClient& client : bare) {
    const TestClient::End end = client.WaitForEnd();
    EXPECT_EQ(end.close_code, 1001);
    EXPECT_TRUE(end.texts.empty());
    EXPECT_EQ(end.state, RawClient::State::kClosed);
  }
  for (TestClient& client : v1) {
    const TestClient::End end = client.WaitForEnd();
    EXPECT_EQ(end.close_code, 4000);
    ASSERT_EQ(end.texts.size(), 1u);
    const Event closing(end.texts[0]);
    EXPECT_EQ(
        closing.text(),
        absl::StrCat(R"({"event":"closing","code":4000,"reason":"draining","reconnect_after_ms":)",
                     closing.Number("reconnect_after_ms"), "}"));
    EXPECT_EQ(end.state, RawClient::State::kClosed);
  }
  EXPECT_EQ(groupcast.service.process().WaitForEnd(), 0);
  EXPECT_LT(absl::Now() - begin, absl::Seconds(2) + kGrace);
  ExpectGone(workers);
  EXPECT_THROW(RawClient(groupcast.service.port()), Failure) << "somebody still listens";
}

INSTANTIATE_TEST_SUITE_P(BySignal, StopTest, ::testing::Values(SIGTERM, SIGINT),
                         [](const auto& info) {
                           return std::string(info.param == SIGTERM ? "Sigterm" : "Sigint");
                         });

// Neither answers: one reads nothing, one has not even sent its handshake, one worker stands still.
TEST(StopTest, EndsWithinTheDrainTimeWhateverClientsDo) {
  Groupcast groupcast(/*workers=*/2, {"--drain_time=1s"});
  std::vector<TestClient> deaf = ConnectCrowd(&groupcast.service, 8);
  RawClient silent(groupcast.service.port());
  const std::vector<pid_t> workers = groupcast.service.WorkerPids();
  kill(workers[0], SIGSTOP);
  const absl::Time begin = absl::Now();
  groupcast.service.process().Signal(SIGTERM);
  EXPECT_EQ(groupcast.service.process().WaitForEnd(), 0);
  EXPECT_LT(absl::Now() - begin, absl::Seconds(1) + kGrace);
  ExpectGone(workers);
}

TEST(StopTest, ASecondSignalStopsAtOnce) {
  Groupcast groupcast(/*workers=*/2, {"--drain_time=1h"});
  std::vector<TestClient> deaf = ConnectCrowd(&groupcast.service, 8);
  const std::vector<pid_t> workers = groupcast.service.WorkerPids();
  groupcast.service.process().Signal(SIGTERM);
  groupcast.service.process().WaitForOutput("SIGTERM: stopping 2 workers");
  groupcast.service.process().Signal(SIGTERM);
  EXPECT_EQ(groupcast.service.process().WaitForEnd(), 0);
  ExpectGone(workers);
}

TEST(StopTest, WorkersDieWithTheirSupervisor) {
  Groupcast groupcast(/*workers=*/4);
  std::vector<TestClient> clients = ConnectCrowd(&groupcast.service, 16);
  const std::vector<pid_t> workers = groupcast.service.WorkerPids();
  groupcast.service.process().Signal(SIGKILL);
  EXPECT_EQ(groupcast.service.process().WaitForEnd(), -SIGKILL);
  WaitUntil("all workers are gone",
            [&] { return std::none_of(workers.begin(), workers.end(), IsAlive); });
  for (TestClient& client : clients) client.raw().ReadToEnd();
}

TEST(StopTest, TheChannelServerStopsToo) {
  for (const int signal : {SIGTERM, SIGINT}) {
    ChannelServer channel;
    channel.process().Signal(signal);
    EXPECT_EQ(channel.process().WaitForEnd(), 0);
  }
}

}  // namespace
}  // namespace groupcast::tests
