#include "tools/load/websocket_load.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <functional>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "services/common/posix.h"
#include "tools/load/process_cost.h"

namespace groupcast::load {
namespace {

using service::ErrnoStatus;
using service::Fd;

constexpr absl::Duration kPatience = absl::Seconds(60);
constexpr int kIdleSends = 1'000;  // one in each group

// A masked text frame; the mask is zero, which costs neither side anything and is a mask all the
// same.
std::string ClientFrame(absl::string_view text) {
  std::string frame = "\x81";
  if (text.size() < 126) {
    frame += static_cast<char>(0x80 | text.size());
  } else if (text.size() <= 0xffff) {
    frame += static_cast<char>(0x80 | 126);
    frame += static_cast<char>(text.size() >> 8);
    frame += static_cast<char>(text.size());
  } else {
    frame += static_cast<char>(0x80 | 127);
    for (int shift = 56; shift >= 0; shift -= 8) frame += static_cast<char>(text.size() >> shift);
  }
  frame.append(4, '\0');
  absl::StrAppend(&frame, text);
  return frame;
}

// One client connection: it cuts what comes into frames and hands their payloads out.
class Client {
 public:
  static absl::StatusOr<Client> Connect(uint16_t port, int number) {
    Client client;
    client.fd_ = Fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!client.fd_.valid()) return ErrnoStatus("socket");
    const int on = 1;
    setsockopt(client.fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    // The port is chosen by connect, and no run leaves thousands of them in TIME_WAIT to the next.
    setsockopt(client.fd_.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    const linger reset{.l_onoff = 1, .l_linger = 0};
    setsockopt(client.fd_.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    sockaddr_in from{};
    from.sin_family = AF_INET;
    // Loopback has more addresses than one, and one has too few ports for very many connections.
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + static_cast<uint32_t>(number / 20'000));
    if (bind(client.fd_.get(), reinterpret_cast<sockaddr*>(&from), sizeof(from)) != 0)
      return ErrnoStatus("bind");
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(client.fd_.get(), reinterpret_cast<sockaddr*>(&to), sizeof(to)) != 0)
      return ErrnoStatus("connect");
    if (absl::Status status = client.Write(
            "GET / HTTP/1.1\r\nHost: load\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");
        !status.ok()) {
      return status;
    }
    while (client.input_.find("\r\n\r\n") == std::string::npos) {
      if (absl::Status status = client.Read(0); !status.ok()) return status;
    }
    client.input_.erase(0, client.input_.find("\r\n\r\n") + 4);
    return client;
  }

  int fd() const { return fd_.get(); }

  absl::Status Write(absl::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t written = send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (written < 0) return ErrnoStatus("send");
      bytes.remove_prefix(static_cast<size_t>(written));
    }
    return absl::OkStatus();
  }

  absl::Status Read(int flags) {
    char buffer[64 * 1024];
    const ssize_t count = recv(fd_.get(), buffer, sizeof(buffer), flags);
    if (count == 0) return absl::AbortedError("the server closed the connection");
    if (count < 0) return ErrnoStatus("recv");
    input_.append(buffer, static_cast<size_t>(count));
    return absl::OkStatus();
  }

  // Calls `payload` with each whole frame's payload that has come.
  template <typename Payload>
  void TakeFrames(const Payload& payload) {
    size_t at = 0;
    for (;;) {
      const absl::string_view rest = absl::string_view(input_).substr(at);
      if (rest.size() < 2) break;
      uint64_t size = static_cast<uint8_t>(rest[1]);
      size_t header = 2;
      if (size >= 126) {
        header = size == 126 ? 4 : 10;
        if (rest.size() < header) break;
        size = 0;
        for (size_t i = 2; i < header; ++i) size = size << 8 | static_cast<uint8_t>(rest[i]);
      }
      if (rest.size() < header + size) break;
      payload(rest.substr(header, size));
      at += header + size;
    }
    input_.erase(0, at);
  }

 private:
  Fd fd_;
  std::string input_;
};

// Connects and joins; each join's reply is waited for.
absl::StatusOr<std::vector<Client>> ConnectAll(const WebSocketLoadOptions& options,
                                               const std::function<std::string(int)>& group_of) {
  std::vector<Client> clients;
  clients.reserve(static_cast<size_t>(options.connections));
  for (int i = 0; i < options.connections; ++i) {
    absl::StatusOr<Client> client = Client::Connect(options.port, i);
    if (!client.ok()) return client.status();
    if (absl::Status status = client->Write(ClientFrame(
            absl::StrCat(R"({"cmd":"add_group","id":1,"group_id":")", group_of(i), "\"}")));
        !status.ok()) {
      return status;
    }
    clients.push_back(*std::move(client));
  }
  for (Client& client : clients) {
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
  absl::StatusOr<std::vector<Client>> clients =
      ConnectAll(options, [](int i) { return absl::StrCat("idle ", i % 1'000); });
  if (!clients.ok()) return clients.status();
  result.wall = absl::Now() - began;
  result.pss_after = PssBytes(AllProcesses(options));
  std::vector<absl::Duration> latencies;
  for (int i = 0; i < kIdleSends; ++i) {
    const absl::Time sent_at = absl::Now();
    Client& client = (*clients)[static_cast<size_t>(i) % clients->size()];
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
  absl::StatusOr<std::vector<Client>> clients = ConnectAll(options, [](int) { return "fan out"; });
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
      Client& client = (*clients)[index];
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
