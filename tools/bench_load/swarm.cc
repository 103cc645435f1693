#include "tools/bench_load/swarm.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

namespace groupcast::bench {
namespace {

using service::ErrnoStatus;
using service::Fd;

// A read takes as much as there is, in a run with large messages too.
constexpr size_t kBufferBytes = 256 * 1024;

constexpr int kEventsAtOnce = 512;

// One address of the loopback has too few ports for very many connections.
constexpr uint32_t kConnectionsPerAddress = 20'000;

absl::StatusOr<Fd> NewSocket(uint32_t number) {
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return ErrnoStatus("socket");
  const int on = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  // The port is chosen by connect, and no run leaves thousands of them in TIME_WAIT to the next.
  setsockopt(fd.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
  const linger reset{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  sockaddr_in from{};
  from.sin_family = AF_INET;
  from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + number / kConnectionsPerAddress);
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&from), sizeof(from)) != 0) {
    return ErrnoStatus("bind");
  }
  return fd;
}

}  // namespace

int64_t MonotonicNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{1'000'000'000} * now.tv_sec + now.tv_nsec;
}

Swarm::Swarm(const Options& options)
    : options_(options),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      connections_(options.connections),
      buffer_(kBufferBytes) {
  if (!epoll_.valid()) Fail(ErrnoStatus("epoll_create1"));
}

absl::Status Swarm::Open() {
  return PollUntil("all connections are open", [this] {
    while (started_ < connections_.size() && started_ - open_ < options_.handshakes_at_once) {
      if (absl::Status status = StartToConnect(started_); !status.ok()) {
        Fail(std::move(status));
        return false;
      }
      ++started_;
    }
    return open_ == connections_.size();
  });
}

absl::Status Swarm::Join(const std::vector<Joining>& joins) {
  for (size_t i = 0; i < joins.size();) {
    const uint32_t number = joins[i].connection;
    scratch_.clear();
    for (; i < joins.size() && joins[i].connection == number; ++i) {
      options_.dialect->AppendJoin(joins[i].group, &scratch_);
      ++connections_[number].joins_pending;
      ++joins_pending_;
    }
    Write(number, scratch_);
  }
  return PollUntil("all joins are answered", [this] { return joins_pending_ == 0; });
}

void Swarm::Send(uint32_t connection, Group group, std::string_view message) {
  scratch_.clear();
  options_.dialect->AppendSend(group, message, &scratch_);
  Write(connection, scratch_);
}

void Swarm::Poll(int64_t until_ns, Listener* listener) {
  epoll_event events[kEventsAtOnce];
  const int64_t wait_ns = std::max<int64_t>(0, until_ns - MonotonicNs());
  const timespec timeout{.tv_sec = wait_ns / 1'000'000'000, .tv_nsec = wait_ns % 1'000'000'000};
  const int count = epoll_pwait2(epoll_.get(), events, kEventsAtOnce, &timeout, nullptr);
  if (count < 0 && errno != EINTR) Fail(ErrnoStatus("epoll_pwait2"));
  for (int i = 0; i < count; ++i) OnEvent(events[i].data.u32, events[i].events, listener);
}

absl::Status Swarm::StartToConnect(uint32_t number) {
  absl::StatusOr<Fd> fd = NewSocket(number);
  if (!fd.ok()) return fd.status();
  Connection& connection = connections_[number];
  connection.fd = *std::move(fd);
  connection.state = State::kConnecting;
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(options_.port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(connection.fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof(to)) != 0 &&
      errno != EINPROGRESS) {
    return ErrnoStatus("connect");
  }
  connection.wants_to_write = true;
  Watch(number, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
  return absl::OkStatus();
}

void Swarm::OnEvent(uint32_t number, uint32_t events, Listener* listener) {
  Connection& connection = connections_[number];
  if (connection.state == State::kClosed) return;
  if ((events & EPOLLOUT) != 0) {
    if (connection.state == State::kConnecting) OnConnected(number);
    WriteUnsent(number);
  }
  if ((events & ~static_cast<uint32_t>(EPOLLOUT)) != 0 && connection.state != State::kClosed) {
    Read(number, listener);
  }
}

void Swarm::OnConnected(uint32_t number) {
  Connection& connection = connections_[number];
  const std::string handshake = options_.dialect->Handshake();
  if (handshake.empty()) {
    OnOpen(&connection);
    return;
  }
  connection.state = State::kShakingHands;
  connection.unsent = handshake;
}

void Swarm::Read(uint32_t number, Listener* listener) {
  Connection& connection = connections_[number];
  const ssize_t count = recv(connection.fd.get(), buffer_.data(), buffer_.size(), 0);
  if (count < 0 && errno == EAGAIN) return;
  if (count <= 0) {
    Close(number);
    return;
  }
  std::string_view bytes(buffer_.data(), static_cast<size_t>(count));
  if (connection.state == State::kShakingHands) TakeResponse(number, &bytes);
  const int64_t now_ns = MonotonicNs();
  const bool understood = connection.reader.Take(bytes, [&](const FrameReader::Payload& payload) {
    OnPayload(number, payload, now_ns, listener);
  });
  if (!understood) {
    Fail(absl::InvalidArgumentError("the server sends frames that this client has not asked for"));
    Close(number);
  }
}

void Swarm::TakeResponse(uint32_t number, std::string_view* bytes) {
  Connection& connection = connections_[number];
  // The end of the response may lie across two reads.
  const size_t had = connection.response.size();
  connection.response.append(*bytes);
  const size_t end = connection.response.find("\r\n\r\n");
  if (end == std::string::npos) {
    bytes->remove_prefix(bytes->size());
    return;
  }
  bytes->remove_prefix(end + 4 - had);
  if (!connection.response.starts_with("HTTP/1.1 101 ")) {
    Fail(absl::FailedPreconditionError(
        absl::StrCat("the server answers ", connection.response.substr(0, end))));
    Close(number);
    return;
  }
  connection.response = std::string();
  OnOpen(&connection);
}

void Swarm::OnPayload(uint32_t number, const FrameReader::Payload& payload, int64_t now_ns,
                      Listener* listener) {
  switch (payload.opcode) {
    case Opcode::kText:
    case Opcode::kBinary:
      break;
    case Opcode::kPing: {
      std::string pong;
      AppendClientFrame(Opcode::kPong, payload.head, &pong);
      Write(number, pong);
      return;
    }
    default:  // a pong, or a close, which the end of the connection follows
      return;
  }
  const Received received = options_.dialect->Read(payload.head);
  switch (received.kind) {
    case Received::Kind::kMessage:
      if (listener != nullptr) listener->OnMessage(number, received.stamp, now_ns);
      return;
    case Received::Kind::kJoined:
      if (connections_[number].joins_pending == 0) return;
      --connections_[number].joins_pending;
      --joins_pending_;
      return;
    case Received::Kind::kError:
      Fail(absl::FailedPreconditionError(absl::StrCat(
          "the server says ", absl::string_view(payload.head.data(), payload.head.size()))));
      return;
    case Received::Kind::kOther:
      return;
  }
}

void Swarm::OnOpen(Connection* connection) {
  connection->state = State::kOpen;
  ++open_;
}

void Swarm::Write(uint32_t number, std::string_view bytes) {
  Connection& connection = connections_[number];
  if (connection.state != State::kOpen) return;
  if (connection.unsent.empty()) {
    const ssize_t count = send(connection.fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0 && errno != EAGAIN) {
      Close(number);
      return;
    }
    bytes.remove_prefix(static_cast<size_t>(std::max<ssize_t>(count, 0)));
    if (bytes.empty()) return;
  }
  if (connection.unsent.size() + bytes.size() > kUnsentMax) {
    Fail(absl::ResourceExhaustedError(
        absl::StrCat("the server does not read: ", kUnsentMax, " bytes wait for it")));
    return;
  }
  connection.unsent.append(bytes);
  if (!connection.wants_to_write) {
    connection.wants_to_write = true;
    Watch(number, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
  }
}

void Swarm::WriteUnsent(uint32_t number) {
  Connection& connection = connections_[number];
  if (!connection.unsent.empty()) {
    const ssize_t count =
        send(connection.fd.get(), connection.unsent.data(), connection.unsent.size(), MSG_NOSIGNAL);
    if (count < 0 && errno != EAGAIN) {
      Close(number);
      return;
    }
    connection.unsent.erase(0, static_cast<size_t>(std::max<ssize_t>(count, 0)));
  }
  if (!connection.unsent.empty() || !connection.wants_to_write) return;
  connection.unsent = std::string();
  connection.wants_to_write = false;
  Watch(number, EPOLL_CTL_MOD, EPOLLIN);
}

void Swarm::Watch(uint32_t number, int operation, uint32_t events) {
  epoll_event event{.events = events, .data = {.u32 = number}};
  if (epoll_ctl(epoll_.get(), operation, connections_[number].fd.get(), &event) != 0) {
    Fail(ErrnoStatus("epoll_ctl"));
  }
}

void Swarm::Close(uint32_t number) {
  Connection& connection = connections_[number];
  if (connection.state != State::kOpen) {
    Fail(absl::UnavailableError("the server closes connections that are being opened"));
  }
  joins_pending_ -= connection.joins_pending;
  connection.joins_pending = 0;
  connection.state = State::kClosed;
  connection.fd.Reset();
  ++closed_;
}

void Swarm::Fail(absl::Status status) { status_.Update(std::move(status)); }

absl::Status Swarm::PollUntil(const char* what, const std::function<bool()>& done) {
  const int64_t end_ns = MonotonicNs() + absl::ToInt64Nanoseconds(options_.patience);
  while (!done() && status_.ok()) {
    if (MonotonicNs() > end_ns) {
      Fail(absl::DeadlineExceededError(
          absl::StrCat("waited ", absl::FormatDuration(options_.patience), " until ", what)));
    }
    Poll(end_ns, nullptr);
  }
  return status_;
}

}  // namespace groupcast::bench
