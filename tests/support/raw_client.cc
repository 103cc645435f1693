#include "tests/support/raw_client.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace groupcast::tests {
namespace {

// Whether the socket is ready for `events` in time.
bool WaitFor(int fd, short events, absl::Time deadline) {
  for (;;) {
    const int64_t left_ms = absl::ToInt64Milliseconds(deadline - absl::Now());
    pollfd entry{.fd = fd, .events = events, .revents = 0};
    const int count = poll(&entry, 1, static_cast<int>(left_ms > 0 ? left_ms : 0));
    if (count > 0) return true;
    if (count == 0 && left_ms <= 0) return false;
  }
}

}  // namespace

RawClient::RawClient(uint16_t port, int receive_buffer_bytes, const std::string& from)
    : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (receive_buffer_bytes != 0) {
    // Before connecting: it bounds the window that is offered.
    setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof(receive_buffer_bytes));
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  // Without a port: connect chooses it.
  setsockopt(fd_, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
  if (inet_pton(AF_INET, from.c_str(), &address.sin_addr) != 1 ||
      bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    Close();
    throw Failure(absl::StrCat("cannot connect from ", from));
  }
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    const std::string why = strerror(errno);
    Close();
    throw Failure(absl::StrCat("cannot connect to port ", port, ": ", why));
  }
  fcntl(fd_, F_SETFL, O_NONBLOCK);
}

RawClient::~RawClient() { Close(); }

RawClient::RawClient(RawClient&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      state_(other.state_),
      received_(std::move(other.received_)) {}

RawClient& RawClient::operator=(RawClient&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(state_, other.state_);
  std::swap(received_, other.received_);
  return *this;
}

bool RawClient::Write(absl::string_view bytes, absl::Duration patience) {
  const absl::Time deadline = absl::Now() + patience;
  while (!bytes.empty()) {
    const ssize_t count = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count >= 0) {
      bytes.remove_prefix(static_cast<size_t>(count));
    } else if (errno != EAGAIN) {
      return false;
    } else if (!WaitFor(fd_, POLLOUT, deadline)) {
      throw Failure("the peer does not read what is written to it");
    }
  }
  return true;
}

void RawClient::CloseWriting() { shutdown(fd_, SHUT_WR); }

void RawClient::Close() {
  if (fd_ >= 0) close(std::exchange(fd_, -1));
}

bool RawClient::ReadMore(absl::Duration patience) {
  const absl::Time deadline = absl::Now() + patience;
  while (state_ == State::kOpen) {
    if (!WaitFor(fd_, POLLIN, deadline)) return false;
    if (ReadOnce()) return true;
  }
  return false;
}

void RawClient::ReadAvailable() {
  while (state_ == State::kOpen && ReadOnce()) {
  }
}

void RawClient::ReadToEnd(absl::Duration patience) {
  const absl::Time deadline = absl::Now() + patience;
  while (state_ == State::kOpen) {
    if (!ReadMore(deadline - absl::Now()) && state_ == State::kOpen) {
      throw Failure(
          absl::StrCat("the peer does not close; it has sent ", received_.size(), " bytes"));
    }
  }
}

bool RawClient::ReadOnce() {
  char buffer[64 * 1024];
  const ssize_t count = recv(fd_, buffer, sizeof(buffer), 0);
  if (count > 0) {
    received_.append(buffer, static_cast<size_t>(count));
  } else if (count == 0) {
    state_ = State::kClosed;
  } else if (errno == EAGAIN || errno == EINTR) {
    return false;
  } else {
    state_ = State::kReset;
  }
  return true;
}

}  // namespace groupcast::tests
