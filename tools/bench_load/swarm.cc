#include "tools/bench_load/swarm.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
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

// How many joins wait for their answers when all connections are opened.
constexpr int64_t kJoinsAtOnce = 10'000;

// What a narrow socket holds, and the size of its segments, which makes the server's small too.
constexpr int kNarrowBytes = 8 * 1024;
constexpr int kNarrowSegmentBytes = 1'400;

absl::StatusOr<Fd> NewSocket(uint32_t number, bool narrow) {
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return ErrnoStatus("socket");
  const int on = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  // The port is chosen by connect, and no run leaves thousands of them in TIME_WAIT to the next.
  setsockopt(fd.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
  if (narrow) {
    setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &kNarrowBytes, sizeof(kNarrowBytes));
    setsockopt(fd.get(), IPPROTO_TCP, TCP_MAXSEG, &kNarrowSegmentBytes,
               sizeof(kNarrowSegmentBytes));
  }
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
  if (options.dialect->IsTls()) {
    tls_.reset(SSL_CTX_new(TLS_client_method()));
    SSL_CTX_set_mode(tls_.get(),
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(tls_.get(), 1);
  }
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
      const size_t before = scratch_.size();
      joins[i].watches ? options_.dialect->AppendWatch(joins[i].group, &scratch_)
                       : options_.dialect->AppendJoin(joins[i].group, &scratch_);
      if (scratch_.size() == before) continue;
      ++connections_[number].joins_pending;
      ++joins_pending_;
    }
    Write(number, scratch_);
    absl::Status status =
        PollUntil("joins are answered", [this] { return joins_pending_ < kJoinsAtOnce; });
    if (!status.ok()) return status;
  }
  return PollUntil("all joins are answered", [this] { return joins_pending_ == 0; });
}

void Swarm::Send(uint32_t connection, Group group, std::string_view message) {
  scratch_.clear();
  options_.dialect->AppendSend(group, message, &scratch_);
  Write(connection, scratch_);
}

void Swarm::StartToJoin(uint32_t connection, Group group) {
  if (connections_[connection].state != State::kOpen) return;
  scratch_.clear();
  options_.dialect->AppendJoin(group, &scratch_);
  if (scratch_.empty()) {  // the handshake has joined it
    if (listener_ != nullptr) listener_->OnJoined(connection, MonotonicNs());
    return;
  }
  ++connections_[connection].joins_pending;
  ++joins_pending_;
  Write(connection, scratch_);
}

void Swarm::StartToMove(uint32_t connection, Group from, Group to) {
  if (connections_[connection].state != State::kOpen) return;
  scratch_.clear();
  options_.dialect->AppendLeave(from, &scratch_);
  options_.dialect->AppendJoin(to, &scratch_);
  ++connections_[connection].joins_pending;
  ++joins_pending_;
  Write(connection, scratch_);
}

void Swarm::Leave(uint32_t connection, Group group) {
  if (connections_[connection].state != State::kOpen) return;
  scratch_.clear();
  options_.dialect->AppendLeave(group, &scratch_);
  Write(connection, scratch_);
}

void Swarm::Disconnect(uint32_t connection) {
  if (connections_[connection].state != State::kOpen) return;
  scratch_.clear();
  AppendClientFrame(Opcode::kClose, "\x03\xe8", &scratch_);  // 1000: it has finished
  Write(connection, scratch_);
  if (connections_[connection].state == State::kOpen) {
    connections_[connection].state = State::kClosing;
  }
}

void Swarm::Connect(uint32_t connection) {
  if (connections_[connection].state != State::kClosed) return;
  if (absl::Status status = StartToConnect(connection); !status.ok()) Fail(std::move(status));
}

void Swarm::SetReading(uint32_t connection, bool reading) {
  if (connections_[connection].state != State::kOpen) return;
  Watch(connection, EPOLL_CTL_MOD, reading ? uint32_t{EPOLLIN} : 0);
}

void Swarm::Poll(int64_t until_ns, Listener* listener) {
  listener_ = listener;
  epoll_event events[kEventsAtOnce];
  const int64_t wait_ns = std::max<int64_t>(0, until_ns - MonotonicNs());
  const timespec timeout{.tv_sec = wait_ns / 1'000'000'000, .tv_nsec = wait_ns % 1'000'000'000};
  const int count = epoll_pwait2(epoll_.get(), events, kEventsAtOnce, &timeout, nullptr);
  if (count < 0 && errno != EINTR) Fail(ErrnoStatus("epoll_pwait2"));
  for (int i = 0; i < count; ++i) OnEvent(events[i].data.u32, events[i].events, listener);
}

absl::Status Swarm::StartToConnect(uint32_t number) {
  absl::StatusOr<Fd> fd = NewSocket(options_.first_number + number, options_.narrow(number));
  if (!fd.ok()) return fd.status();
  Connection& connection = connections_[number];
  connection = Connection();
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
  if (connection.state == State::kTls) {
    ContinueTls(number);
    return;
  }
  if ((events & EPOLLOUT) != 0) {
    if (connection.state == State::kConnecting) OnConnected(number);
    if (connection.state == State::kTls) return;
    WriteUnsent(number);
  }
  if ((events & ~static_cast<uint32_t>(EPOLLOUT)) != 0 && connection.state != State::kClosed) {
    Read(number, listener);
  }
}

void Swarm::OnConnected(uint32_t number) {
  Connection& connection = connections_[number];
  if (tls_ != nullptr) {
    connection.ssl.reset(SSL_new(tls_.get()));
    SSL_set_fd(connection.ssl.get(), connection.fd.get());
    SSL_set_connect_state(connection.ssl.get());
    connection.state = State::kTls;
    ContinueTls(number);
    return;
  }
  StartHandshake(number);
}

void Swarm::ContinueTls(uint32_t number) {
  Connection& connection = connections_[number];
  ERR_clear_error();
  const int result = SSL_do_handshake(connection.ssl.get());
  if (result == 1) {
    StartHandshake(number);
    connection.wants_to_write = true;
    WriteUnsent(number);
    return;
  }
  if (SSL_get_error(connection.ssl.get(), result) != SSL_ERROR_WANT_READ) return Close(number);
  Watch(number, EPOLL_CTL_MOD, EPOLLIN);
}

ssize_t Swarm::Receive(Connection* connection, char* bytes, size_t size) {
  if (connection->ssl == nullptr) {
    const ssize_t count = recv(connection->fd.get(), bytes, size, 0);
    connection->plain_bytes += std::max<ssize_t>(count, 0);
    return count;
  }
  ERR_clear_error();
  size_t total = 0;
  while (total < size) {
    const int count =
        SSL_read(connection->ssl.get(), bytes + total, static_cast<int>(size - total));
    if (count <= 0) {
      if (total > 0) break;
      const int error = SSL_get_error(connection->ssl.get(), count);
      errno = error == SSL_ERROR_WANT_READ ? EAGAIN : ECONNRESET;
      return error == SSL_ERROR_ZERO_RETURN ? 0 : -1;
    }
    total += static_cast<size_t>(count);
  }
  return static_cast<ssize_t>(total);
}

ssize_t Swarm::Transmit(Connection* connection, std::string_view bytes) {
  if (bytes.empty()) return 0;  // SSL_write(3) has no meaning for it
  if (connection->ssl == nullptr) {
    return send(connection->fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
  ERR_clear_error();
  const int count = SSL_write(connection->ssl.get(), bytes.data(), static_cast<int>(bytes.size()));
  if (count > 0) return count;
  const int error = SSL_get_error(connection->ssl.get(), count);
  errno = error == SSL_ERROR_WANT_WRITE ? EAGAIN : ECONNRESET;
  return -1;
}

void Swarm::StartHandshake(uint32_t number) {
  Connection& connection = connections_[number];
  const std::string handshake = options_.dialect->Handshake(options_.first_group(number));
  if (handshake.empty()) {
    OnOpen(number);
    return;
  }
  if (options_.dialect->Deflates()) connection.reader.AllowDeflated();
  if (options_.dialect->IsNats()) connection.operations = std::make_unique<NatsReader>();
  connection.state = State::kShakingHands;
  connection.unsent = handshake;
}

void Swarm::Read(uint32_t number, Listener* listener) {
  // What OpenSSL has read already is not seen by epoll.
  while (ReadOnce(number, listener) && tls_ != nullptr) {
  }
}

bool Swarm::ReadOnce(uint32_t number, Listener* listener) {
  Connection& connection = connections_[number];
  if (connection.state == State::kClosed) return false;
  const ssize_t count = Receive(&connection, buffer_.data(), buffer_.size());
  if (count < 0 && errno == EAGAIN) return false;
  if (count <= 0) {
    Close(number);
    return false;
  }
  std::string_view bytes(buffer_.data(), static_cast<size_t>(count));
  if (connection.state == State::kShakingHands) TakeResponse(number, &bytes);
  const int64_t now_ns = MonotonicNs();
  const bool understood = connection.operations == nullptr
                              ? TakeFrames(number, bytes, now_ns, listener)
                              : TakeNats(number, bytes, now_ns, listener);
  if (!understood) {
    Fail(absl::InvalidArgumentError("the server sends frames that this client has not asked for"));
    Close(number);
  }
  return static_cast<size_t>(count) == buffer_.size();
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
  // Without server_no_context_takeover, each payload would depend on those before.
  const std::string response = absl::AsciiStrToLower(connection.response);
  if (options_.dialect->Deflates() &&
      (!absl::StrContains(response, "\r\nsec-websocket-extensions: permessage-deflate") ||
       !absl::StrContains(response, "server_no_context_takeover"))) {
    Fail(absl::FailedPreconditionError(
        "the server does not take permessage-deflate with server_no_context_takeover"));
    Close(number);
    return;
  }
  connection.response = std::string();
  if (options_.dialect->ServerGreets()) {
    connection.state = State::kGreeting;
  } else {
    OnOpen(number);
  }
}

bool Swarm::TakeFrames(uint32_t number, std::string_view bytes, int64_t now_ns,
                       Listener* listener) {
  if (options_.dialect->Deflates()) {
    std::string& deflated = connections_[number].deflated;
    return connections_[number].reader.Take(
        bytes,
        [&](const FrameReader::Payload& payload) {
          if (payload.is_deflated) {
            OnDeflated(number, now_ns, listener);
          } else {
            OnPayload(number, payload, now_ns, listener);
          }
          deflated.clear();
        },
        [&](Opcode, std::string_view part) { deflated.append(part); });
  }
  return connections_[number].reader.Take(bytes, [&](const FrameReader::Payload& payload) {
    OnPayload(number, payload, now_ns, listener);
  });
}

bool Swarm::TakeNats(uint32_t number, std::string_view bytes, int64_t now_ns, Listener* listener) {
  Connection& connection = connections_[number];
  bool understood = true;
  const bool frames_understood = connection.reader.Take(
      bytes, [&](const FrameReader::Payload& payload) { OnControl(number, payload); },
      [&](Opcode opcode, std::string_view part) {
        if (opcode != Opcode::kText && opcode != Opcode::kBinary) return;
        understood &= connection.operations->Take(
            part, [&](std::string_view head) { OnHead(number, opcode, head, now_ns, listener); });
      });
  return frames_understood && understood;
}

void Swarm::OnPayload(uint32_t number, const FrameReader::Payload& payload, int64_t now_ns,
                      Listener* listener) {
  if (payload.opcode == Opcode::kText || payload.opcode == Opcode::kBinary) {
    OnHead(number, payload.opcode, payload.head, now_ns, listener);
  } else {
    OnControl(number, payload);
  }
}

void Swarm::OnDeflated(uint32_t number, int64_t now_ns, Listener* listener) {
  const std::optional<std::string_view> text = inflater_.Inflate(connections_[number].deflated);
  if (!text.has_value()) {
    Fail(absl::DataLossError("a compressed message is malformed"));
    return;
  }
  if (options_.dialect->Read(*text).kind == Received::Kind::kMessage &&
      text->find(options_.message_tail) == std::string_view::npos) {
    Fail(absl::DataLossError("a compressed message has another text than it was sent with"));
    return;
  }
  OnHead(number, Opcode::kText, *text, now_ns, listener);
}

int64_t Swarm::ReceivedBytes() const {
  int64_t bytes = 0;
  for (const Connection& connection : connections_) {
    bytes += connection.ssl == nullptr
                 ? connection.plain_bytes
                 : static_cast<int64_t>(BIO_number_read(SSL_get_rbio(connection.ssl.get())));
  }
  return bytes;
}

void Swarm::OnControl(uint32_t number, const FrameReader::Payload& payload) {
  // After a close the end of the connection follows. The others are pongs.
  if (payload.opcode == Opcode::kClose) connections_[number].told = true;
  if (payload.opcode != Opcode::kPing) return;
  std::string pong;
  AppendClientFrame(Opcode::kPong, payload.head, &pong);
  Write(number, pong);
}

void Swarm::OnHead(uint32_t number, Opcode opcode, std::string_view head, int64_t now_ns,
                   Listener* listener) {
  const Received received = options_.dialect->Read(head);
  if (!received.answer.empty()) {
    std::string answer;
    AppendClientFrame(opcode, received.answer, &answer);
    Write(number, answer);
  }
  switch (received.kind) {
    case Received::Kind::kReady:
      if (connections_[number].state == State::kGreeting) OnOpen(number);
      return;
    case Received::Kind::kMessage:
      if (listener != nullptr) listener->OnMessage(number, received.stamp, now_ns);
      return;
    case Received::Kind::kJoined:
      if (connections_[number].joins_pending == 0) return;
      --connections_[number].joins_pending;
      --joins_pending_;
      if (listener != nullptr) listener->OnJoined(number, now_ns);
      return;
    case Received::Kind::kError:
      Fail(absl::FailedPreconditionError(
          absl::StrCat("the server says ", absl::string_view(head.data(), head.size()))));
      return;
    case Received::Kind::kOther:
      return;
  }
}

void Swarm::OnOpen(uint32_t number) {
  connections_[number].state = State::kOpen;
  ++open_;
  if (listener_ != nullptr) listener_->OnOpen(number, MonotonicNs());
}

void Swarm::Write(uint32_t number, std::string_view bytes) {
  Connection& connection = connections_[number];
  if (connection.state != State::kOpen && connection.state != State::kGreeting) return;
  if (connection.unsent.empty()) {
    const ssize_t count = Transmit(&connection, bytes);
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
    const ssize_t count = Transmit(&connection, connection.unsent);
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
  if (connection.state == State::kOpen) {
    ++closed_;
  } else if (connection.state != State::kClosing) {
    Fail(absl::UnavailableError("the server closes connections that are being opened"));
  }
  joins_pending_ -= connection.joins_pending;
  connection.joins_pending = 0;
  connection.state = State::kClosed;
  connection.ssl.reset();
  connection.fd.Reset();
  if (listener_ != nullptr) listener_->OnClosed(number, connection.told);
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
