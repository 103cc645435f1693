// What a worker has read it finishes before it ends: it publishes the sends, and answers them.

#include <algorithm>
#include <atomic>
#include <csignal>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/support/services.h"
#include "tests/support/test_client.h"

namespace groupcast::tests {
namespace {

constexpr int kClients = 200;
constexpr int kReloads = 20;
constexpr int kBurst = 4;  // sends without an answer
constexpr int kSendsOfConnection = 2'000;
// So that a group's history has all of them.
constexpr int kHistoryMessages = 100'000;

// A client that sends 1, 2, 3, … to a group of its own and connects again when it is closed.
struct Sender {
  std::string group;
  Mode mode{};
  // v1: the code of the answer to each send; "ok" is a reply. Bare: "ok" is known by the answer to
  // a later ping. A worker carries out the commands of a connection in order.
  std::map<int, std::string> answers;
  // The first number of each burst. A burst is one small write, which a worker reads whole.
  std::vector<int> bursts;
  int connections = 0;

  // Runs on a thread of its own, until `stop`.
  void Run(uint16_t port, const std::atomic<bool>& stop) {
    for (int next = 1; !stop;) {
      try {
        TestClient client(port, mode);
        ++connections;
        const int last = next + kSendsOfConnection;
        while (!stop && next < last) next = SendBurst(&client, next);
        while (!stop) client.NextTextWithin(absl::Milliseconds(50));
      } catch (const Failure&) {
        // It is closed. What has no answer by now will get none.
      }
      // Sends of the connection before are not sent again.
      next = std::max(next, first_unused);
    }
  }

  // Returns the next number. Throws Failure when the connection ends.
  int SendBurst(TestClient* client, int first) {
    std::string frames;
    for (int n = first; n < first + kBurst; ++n) {
      const std::string id = mode == Mode::kV1 ? absl::StrCat(n) : "";
      frames += TextFrame(SendToGroup(Quoted(group), Quoted(absl::StrCat(n)), id));
    }
    const int end = first + kBurst;
    first_unused = end;
    bursts.push_back(first);
    if (mode == Mode::kBare) frames += TextFrame(Ping(absl::StrCat(end)));
    client->raw().Write(frames);
    if (mode == Mode::kBare) {
      const Event pong = client->NextEvent();
      EXPECT_EQ(pong.Number("id"), end);
      for (int n = first; n < end; ++n) answers[n] = "ok";
      return end;
    }
    for (int n = first; n < end; ++n) {
      const Event answer = client->NextEvent();
      const std::string event = answer.Text("event");
      if (event == "closing") throw Failure("it is closing");
      answers[static_cast<int>(answer.Number("id"))] =
          event == "reply" ? "ok" : answer.Text("code");
    }
    return end;
  }

  int first_unused = 1;
};

// All messages of a group that the channel server has, as numbers in their order.
std::vector<int> Published(uint16_t port, const std::string& group) {
  TestClient reader(port, Mode::kV1);
  reader.Send(absl::StrCat(R"({"cmd":"group_history","group_id":")", group, R"(","id":1})"));
  const Event head = reader.NextEvent();
  reader.JoinSince(group, head.Text("epoch"), 0);
  std::vector<int> numbers;
  for (int64_t offset = 0; offset < head.Number("offset");) {
    const Event message = reader.NextEvent();
    offset = message.Number("offset");
    int number = 0;
    EXPECT_TRUE(absl::SimpleAtoi(message.Text("message"), &number));
    numbers.push_back(number);
  }
  return numbers;
}

// Each send that was read is published once, and in v1 answered or told, through any number of
// reloads. Clients do not send again what has no answer.
TEST(DrainTest, WhatWasReadIsPublishedAndAnsweredThroughReloads) {
  ChannelServer channel({absl::StrCat("--history_messages=", kHistoryMessages), "--history_age=1h",
                         "--retained_bytes=1500000000"});
  WebSocketService service(channel, /*workers=*/2, {"--drain_time=5s"});
  std::vector<Sender> senders(kClients);
  std::vector<std::thread> threads;
  std::atomic<bool> stop = false;
  for (int i = 0; i < kClients; ++i) {
    Sender& sender = senders[static_cast<size_t>(i)];
    sender.group = absl::StrCat("g", i);
    sender.mode = i % 2 == 0 ? Mode::kBare : Mode::kV1;
    threads.emplace_back([&] { sender.Run(service.port(), stop); });
  }
  try {
    for (int i = 0; i < kReloads; ++i) {
      const std::vector<pid_t> old_workers = service.WorkerPids();
      service.process().Signal(SIGHUP);
      WaitUntil("the old workers are gone",
                [&] { return std::none_of(old_workers.begin(), old_workers.end(), IsAlive); });
    }
  } catch (const Failure& failure) {
    ADD_FAILURE() << failure.what();
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();

  int connections = 0;
  int lost = 0;
  int untold = 0;
  for (const Sender& sender : senders) {
    SCOPED_TRACE(sender.group);
    connections += sender.connections;
    const std::vector<int> published = Published(service.port(), sender.group);
    const std::set<int> once(published.begin(), published.end());
    EXPECT_EQ(once.size(), published.size()) << "a send was published twice";
    EXPECT_TRUE(std::is_sorted(published.begin(), published.end()));
    for (const auto& [number, answer] : sender.answers) {
      if (answer == "ok" && !once.contains(number)) ++lost;
      if (answer == "unavailable") {
        EXPECT_FALSE(once.contains(number)) << number;
      }
    }
    if (sender.mode == Mode::kBare) continue;
    for (const int first : sender.bursts) {
      int answered = 0;
      bool was_read = false;
      for (int n = first; n < first + kBurst; ++n) {
        answered += sender.answers.contains(n) ? 1 : 0;
        was_read = was_read || sender.answers.contains(n) || once.contains(n);
      }
      if (was_read) untold += kBurst - answered;
    }
  }
  EXPECT_EQ(lost, 0) << "of those that were answered";
  EXPECT_EQ(untold, 0) << "v1 sends were read and neither answered nor told";
  EXPECT_GE(connections, kClients * 2) << "the reloads met no client";
}

// The window is full and the channel does not answer: the worker holds what it has read. It carries
// it out when the channel is back.
TEST(DrainTest, WhatIsHeldIsPublishedAndAnsweredWhenTheChannelComesBack) {
  constexpr int kHolders = 100;
  ChannelServer channel;
  auto service = std::make_unique<WebSocketService>(
      channel, /*workers=*/1, Flags{"--drain_time=20s", "--window_bytes=4096"});
  std::vector<std::unique_ptr<TestClient>> clients;
  for (int i = 0; i < kHolders; ++i) {
    clients.push_back(
        std::make_unique<TestClient>(service->port(), i % 2 == 0 ? Mode::kBare : Mode::kV1));
  }
  const auto group = [](int i) { return absl::StrCat("held ", i); };

  channel.process().Signal(SIGSTOP);
  for (int i = 0; i < kHolders; ++i) {
    std::string frames = TextFrame(Ping("0"));
    for (int n = 1; n <= kBurst; ++n) {
      const std::string id = i % 2 == 0 ? "" : absl::StrCat(n);
      frames += TextFrame(SendToGroup(Quoted(group(i)), Quoted(absl::StrCat(n)), id));
    }
    clients[static_cast<size_t>(i)]->raw().Write(frames);
  }
  // The answer to the ping shows that the worker has read the whole write.
  for (const auto& client : clients) EXPECT_EQ(client->NextEvent().Number("id"), 0);
  service->process().Signal(SIGTERM);
  service->process().WaitForOutput(absl::StrCat("draining ", kHolders, " connections"));
  channel.process().Signal(SIGCONT);

  std::vector<std::set<int>> replies(kHolders);
  for (int i = 1; i < kHolders; i += 2) {
    const auto at = static_cast<size_t>(i);
    for (;;) {
      const Event event = clients[at]->NextEvent();
      if (event.Text("event") != "reply") break;
      replies[at].insert(static_cast<int>(event.Number("id")));
    }
  }
  EXPECT_EQ(service->process().WaitForEnd(), 0);
  service = std::make_unique<WebSocketService>(channel, /*workers=*/1);
  const std::vector<int> all = {1, 2, 3, 4};
  for (int i = 0; i < kHolders; ++i) {
    SCOPED_TRACE(group(i));
    EXPECT_EQ(Published(service->port(), group(i)), all);
    if (i % 2 == 1) {
      EXPECT_EQ(replies[static_cast<size_t>(i)], std::set<int>(all.begin(), all.end()));
    }
  }
}

}  // namespace
}  // namespace groupcast::tests
