#include "tools/load/websocket_load.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <functional>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "services/common/posix.h"
#include "tools/load/process_cost.h"
#include "tools/load/websocket_client.h"

namespace groupcast::load {
namespace {

using service::Fd;

constexpr absl::Duration kPatience = absl::Seconds(60);
constexpr int kIdleSends = 1'000;  // one in each group

// Connects and joins; each join's reply is waited for.
absl::StatusOr<std::vector<WebSocketClient>> ConnectAll(
    const WebSocketLoadOptions& options, const std::function<std::string(int)>& group_of) {
  std::vector<WebSocketClient> clients;
  clients.reserve(static_cast<size_t>(options.connections));
  for (int i = 0; i < options.connections; ++i) {
    absl::StatusOr<WebSocketClient> client = WebSocketClient::Connect(options.port, i);
    if (!client.ok()) return client.status();
    if (absl::Status status = client->Write(ClientFrame(
            absl::StrCat(R"({"cmd":"add_group","id":1,"group_id":")", group_of(i), "\"}")));
        !status.ok()) {
      return status;
    }
    clients.push_back(*std::move(client));
  }
  for (WebSocketClient& client : clients) {
    for (bool joined = false; !joined;) {
      client.TakeFrames([&](absl::string_view) { joined = true; });
      if (joined) break;
      if (absl::Status status = client.Read(0); !status.ok()) return status;
    }
  }
  return clients;
}

std::vector<pid_t> AllProcesses(const WebSocketLoadOptions& options) {
  std::vector<pid_t> all;
  for (const pid_t root : options.servers) {
    for (const pid_t pid : ProcessTree(root)) all.push_back(pid);
  }
  return all;
}

}  // namespace

absl::StatusOr<IdleResult> MeasureIdle(const WebSocketLoadOptions& options) {
  IdleResult result;
  result.pss_before = PssBytes(AllProcesses(options));
  const absl::Time began = absl::Now();
  absl::StatusOr<std::vector<WebSocketClient>> clients =
      ConnectAll(options, [](int i) { return absl::StrCat("idle ", i % 1'000); });
  if (!clients.ok()) return clients.status();
  result.wall = absl::Now() - began;
  result.pss_after = PssBytes(AllProcesses(options));
  std::vector<absl::Duration> latencies;
  for (int i = 0; i < kIdleSends; ++i) {
    const absl::Time sent_at = absl::Now();
    WebSocketClient& client = (*clients)[static_cast<size_t>(i) % clients->size()];
    if (absl::Status status = client.Write(ClientFrame(absl::StrCat(
            R"({"cmd":"send_to_group","group_id":"idle )", i % 1'000, R"(","message":"x"})")));
        !status.ok()) {
      return status;
    }
    for (bool came = false; !came;) {
      if (absl::Status status = client.Read(0); !status.ok()) return status;
      client.TakeFrames([&](absl::string_view) { came = true; });
    }
    latencies.push_back(absl::Now() - sent_at);
  }
  std::sort(latencies.begin(), latencies.end());
  result.p50 = latencies[latencies.size() / 2];
  return result;
}

absl::StatusOr<FanOutResult> MeasureFanOut(const WebSocketLoadOptions& options) {
  absl::StatusOr<std::vector<WebSocketClient>> clients =
      ConnectAll(options, [](int) { return "fan out"; });
  if (!clients.ok()) return clients.status();
  Fd epoll(epoll_create1(EPOLL_CLOEXEC));
  for (uint32_t i = 0; i < clients->size(); ++i) {
    epoll_event event{.events = EPOLLIN, .data = {.u32 = i}};
    epoll_ctl(epoll.get(), EPOLL_CTL_ADD, (*clients)[i].fd(), &event);
  }
  // Each message begins with its number.
  const std::string padding(options.message_bytes > 10 ? options.message_bytes - 10 : 0, 'x');
  std::vector<int> next(clients->size(), 0);
  std::vector<int> copies(static_cast<size_t>(options.messages), 0);
  std::vector<absl::Time> sent_at(static_cast<size_t>(options.messages));
  std::vector<absl::Duration> latencies;
  FanOutResult result;
  int sent = 0;
  int answered = 0;
  const std::vector<pid_t> servers = AllProcesses(options);
  const absl::Duration cpu_before = CpuTime(servers);
  const absl::Time began = absl::Now();
  while (answered < options.messages && absl::Now() - began < kPatience) {
    for (; sent < options.messages && sent - answered < options.in_flight; ++sent) {
      std::string number = absl::StrCat(sent);
      number.insert(0, 10 - number.size(), '0');
      sent_at[static_cast<size_t>(sent)] = absl::Now();
      const absl::Status status = (*clients)[static_cast<size_t>(sent) % clients->size()].Write(
          ClientFrame(absl::StrCat(R"({"cmd":"send_to_group","group_id":"fan out","message":")",
                                   number, padding, "\"}")));
      if (!status.ok()) return status;
    }
    epoll_event events[256];
    const int count = epoll_wait(epoll.get(), events, 256, 1'000);
    for (int i = 0; i < count; ++i) {
      const uint32_t index = events[i].data.u32;
      WebSocketClient& client = (*clients)[index];
      if (absl::Status status = client.Read(MSG_DONTWAIT); !status.ok()) return status;
      client.TakeFrames([&](absl::string_view payload) {
        int number = -1;
        if (!absl::SimpleAtoi(payload.substr(0, 10), &number) || number < 0 ||
            number >= options.messages)
          return;
        ++result.deliveries;
        // With several in flight the first client's commands may be overtaken by another's: order
        // is what the other members saw, so each member must see the same; here it is checked that
        // none comes twice.
        if (options.in_flight == 1 && number != next[index]++) ++result.out_of_order;
        if (++copies[static_cast<size_t>(number)] == static_cast<int>(clients->size())) {
          ++answered;
          latencies.push_back(absl::Now() - sent_at[static_cast<size_t>(number)]);
        }
      });
    }
  }
  result.wall = absl::Now() - began;
  result.server_cpu = CpuTime(servers) - cpu_before;
  result.missing = static_cast<int64_t>(options.messages) * static_cast<int64_t>(clients->size()) -
                   result.deliveries;
  if (latencies.empty()) return absl::DeadlineExceededError("no message reached all members");
  std::sort(latencies.begin(), latencies.end());
  result.p50 = latencies[latencies.size() / 2];
  result.p99 = latencies[latencies.size() * 99 / 100];
  return result;
}

}  // namespace groupcast::load
