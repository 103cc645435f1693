// Workers that die, stall or cannot stay up: their clients come back at once, and nobody else
// notices.

#include <algorithm>
#include <csignal>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "tests/support/crowd.h"
#include "tests/support/services.h"
#include "tests/support/test_client.h"

namespace groupcast::tests {
namespace {

// Connections that the kernel has accepted for listeners of `port` and that no process has taken
// yet.
int64_t BacklogOf(uint16_t port) {
  std::ifstream table("/proc/net/tcp");
  const std::string listening = absl::StrFormat(":%04X 00000000:0000 0A ", port);
  int64_t backlog = 0;
  for (std::string line; std::getline(table, line);) {
    const size_t at = line.find(listening);
    if (at == std::string::npos) continue;
    // tx_queue:rx_queue; of a listener, the second is the length of its queue.
    backlog += std::stoll(line.substr(at + listening.size() + 9, 8), nullptr, 16);
  }
  return backlog;
}

std::vector<pid_t> Without(std::vector<pid_t> pids, pid_t one) {
  std::erase(pids, one);
  return pids;
}

std::vector<pid_t> Sorted(std::vector<pid_t> pids) {
  std::sort(pids.begin(), pids.end());
  return pids;
}

// The worker that has come beside those that were there, in `before`, or instead of one.
pid_t WaitForSuccessor(WebSocketService* service, const std::vector<pid_t>& before) {
  std::vector<pid_t> successor;
  WaitUntil("a successor", [&] {
    const std::vector<pid_t> now = service->WorkerPids();
    successor.clear();
    std::set_difference(now.begin(), now.end(), before.begin(), before.end(),
                        std::back_inserter(successor));
    return successor.size() == 1;
  });
  return successor.front();
}

TEST(WorkerDeathTest, ItsClientsComeBackAtOnceAndTheOthersNoticeNothing) {
  Groupcast groupcast(/*workers=*/4);
  std::vector<TestClient> clients = ConnectCrowd(&groupcast.service, 32, Mode::kV1);
  for (TestClient& client : clients) client.Join("room");
  const std::vector<pid_t> workers = groupcast.service.WorkerPids();
  const pid_t victim = workers[1];
  const auto lost = static_cast<size_t>(groupcast.service.RowOf(victim).connections);

  kill(victim, SIGKILL);
  std::vector<TestClient> survivors;
  WaitUntil("its clients lose their connections", [&] {
    size_t gone = 0;
    for (TestClient& client : clients) {
      client.raw().ReadAvailable();
      if (client.raw().state() != RawClient::State::kOpen) ++gone;
    }
    return gone == lost;
  });
  for (TestClient& client : clients) {
    if (client.raw().state() == RawClient::State::kOpen) survivors.push_back(std::move(client));
  }
  std::vector<TestClient> returned;
  for (size_t i = 0; i < lost; ++i) {
    returned.emplace_back(groupcast.service.port(), Mode::kV1);
    returned.back().Join("room");
  }

  returned.front().Send(SendToGroup("\"room\"", "\"back\""));
  for (std::vector<TestClient>* members : {&survivors, &returned}) {
    for (TestClient& member : *members) {
      const Event event = member.NextEvent();
      EXPECT_EQ(event.name(), "message");
      EXPECT_EQ(event.Text("message"), "back");
      EXPECT_TRUE(member.IsQuiet());
    }
  }
  WaitForSuccessor(&groupcast.service, workers);
  EXPECT_TRUE(std::ranges::includes(groupcast.service.WorkerPids(), Without(workers, victim)));
}

TEST(WorkerDeathTest, ConnectionsInItsBacklogAreServedByItsSuccessor) {
  Groupcast groupcast(/*workers=*/4);
  const std::vector<pid_t> workers = groupcast.service.WorkerPids();
  const pid_t victim = workers[2];
  kill(victim, SIGSTOP);
  std::vector<RawClient> waiting;
  for (int i = 0; i < 64; ++i) {
    waiting.emplace_back(groupcast.service.port());
    waiting.back().Write(HandshakeRequest() + TextFrame(AddGroup("\"patient\"", "1")));
  }
  int64_t backlog = 0;
  WaitUntil("all others are served", [&] {
    int64_t served = 0;
    for (RawClient& client : waiting) {
      client.ReadAvailable();
      if (!client.received().empty()) ++served;
    }
    backlog = BacklogOf(groupcast.service.port());
    return served + backlog == 64;
  });
  ASSERT_GT(backlog, 0);

  kill(victim, SIGKILL);
  for (RawClient& raw : waiting) {
    TestClient client(std::move(raw), Mode::kBare);
    EXPECT_EQ(client.NextEvent().Text("group_id"), "patient");
  }
  WaitForSuccessor(&groupcast.service, workers);
}

TEST(WorkerDeathTest, AStalledWorkerIsReplaced) {
  Groupcast groupcast(/*workers=*/2, {"--stall_timeout=1s"});
  std::vector<TestClient> clients = ConnectCrowd(&groupcast.service, 8);
  const std::vector<pid_t> workers = groupcast.service.WorkerPids();
  kill(workers[0], SIGSTOP);
  groupcast.service.process().WaitForOutput(absl::StrCat("(pid ", workers[0], ") has stalled"));
  const pid_t successor = WaitForSuccessor(&groupcast.service, workers);
  WaitUntil("the successor is ready",
            [&] { return groupcast.service.RowOf(successor).state == "ready"; });
  for (int i = 0; i < 16; ++i) TestClient(groupcast.service.port()).Join("after");
  EXPECT_EQ(groupcast.service.WorkerPids(), Sorted({workers[1], successor}));
}

// While the successor of a worker that ends again and again is held back, its socket is somebody
// else's.
TEST(WorkerDeathTest, AnotherWorkerServesForOneThatCannotStayUp) {
  Groupcast groupcast(/*workers=*/2);
  const std::vector<pid_t> workers = groupcast.service.WorkerPids();
  const pid_t steady = workers[0];
  pid_t failing = workers[1];
  const int number = groupcast.service.RowOf(failing).number;
  // The sixth early end in a row holds the successor back for 1.6 s.
  for (int i = 0; i < 6; ++i) {
    if (i > 0) failing = WaitForSuccessor(&groupcast.service, Sorted({steady, failing}));
    kill(failing, SIGKILL);
    WaitUntil("it is gone", [&] { return !IsAlive(failing); });
  }
  groupcast.service.process().WaitForOutput("its successor starts in 1.6s");
  groupcast.service.process().WaitForOutput(
      absl::StrCat("serves worker ", number, "'s connections meanwhile"));
  std::vector<TestClient> clients;
  for (int i = 0; i < 32; ++i) {
    clients.emplace_back(groupcast.service.port());
    clients.back().Join("lent");
  }
  ASSERT_EQ(groupcast.service.WorkerPids(), std::vector<pid_t>{steady})
      << "the successor came before the test had looked";
  WaitUntil("they are all its own",
            [&] { return groupcast.service.RowOf(steady).connections == 32; });

  const pid_t successor = WaitForSuccessor(&groupcast.service, Sorted({steady, failing}));
  WaitUntil("the successor is ready",
            [&] { return groupcast.service.RowOf(successor).state == "ready"; });
  WaitUntil("it has its socket back", [&] {
    clients.emplace_back(groupcast.service.port()).Join("lent");
    return groupcast.service.RowOf(successor).connections > 0;
  });
  clients.front().Send(SendToGroup("\"lent\"", "\"all\""));
  for (TestClient& client : clients) EXPECT_EQ(client.NextText(), "all");
}

}  // namespace
}  // namespace groupcast::tests
