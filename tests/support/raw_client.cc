#include "tests/support/raw_client.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
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

bool TestsUseTls() {
  static const bool kUse = std::getenv("GROUPCAST_TEST_TLS") != nullptr;
  return kUse;
}

RawClient::RawClient(uint16_t port, int receive_buffer_bytes, const std::string& from,
                     Transport transport) {
  Connect(port, receive_buffer_bytes, from);
  if (transport == Transport::kTls || (transport == Transport::kDefault && TestsUseTls())) {
    ConnectTls({});
  }
}

RawClient::RawClient(uint16_t port, const TlsClientOptions& tls) {
  Connect(port, 0, "127.0.0.1");
  ConnectTls(tls);
}

void RawClient::ConnectTls(const TlsClientOptions& options) {
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()),
                                                                  &SSL_CTX_free);
  SSL_CTX_set_mode(context.get(),
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_security_level(context.get(), 0);  // tests also try what is too old
  SSL_CTX_set_min_proto_version(context.get(), options.version_min);
  SSL_CTX_set_max_proto_version(context.get(), options.version_max);
  if (!options.trusted.empty()) {
    SSL_CTX_load_verify_file(context.get(), options.trusted.c_str());
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  }
  ssl_.reset(SSL_new(context.get()));
  SSL_set_fd(ssl_.get(), fd_);
  SSL_set1_host(ssl_.get(), "localhost");
  if (options.session != nullptr) SSL_set_session(ssl_.get(), options.session);
  const absl::Time deadline = absl::Now() + kPatience;
  for (;;) {
    ERR_clear_error();
    const int result = SSL_connect(ssl_.get());
    if (result == 1) return;
    const short events = WantedEvents(result);
    if (events != 0 && WaitFor(fd_, events, deadline)) continue;
    const char* const reason = ERR_reason_error_string(ERR_peek_error());
    const std::string why = reason == nullptr ? "the peer has gone" : reason;
    // A close with unread input is a reset, and the peer might not get the alert before it.
    shutdown(fd_, SHUT_WR);
    char unread[4096];
    while (WaitFor(fd_, POLLIN, deadline) && recv(fd_, unread, sizeof(unread), 0) > 0) continue;
    Close();
    throw Failure(absl::StrCat("no TLS: ", why));
  }
}

short RawClient::WantedEvents(int result) {
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return POLLIN;
    case SSL_ERROR_WANT_WRITE:
      return POLLOUT;
    default:
      return 0;
  }
}

void RawClient::Connect(uint16_t port, int receive_buffer_bytes, const std::string& from) {
  fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
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
      ssl_(std::move(other.ssl_)),
      state_(other.state_),
      received_(std::move(other.received_)) {}

RawClient& RawClient::operator=(RawClient&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(ssl_, other.ssl_);
  std::swap(state_, other.state_);
  std::swap(received_, other.received_);
  return *this;
}

bool RawClient::Write(absl::string_view bytes, absl::Duration patience) {
  const absl::Time deadline = absl::Now() + patience;
  while (!bytes.empty()) {
    short events = POLLOUT;
    ssize_t count = -1;
    if (ssl_ == nullptr) {
      count = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count < 0 && errno != EAGAIN) return false;
    } else {
      ERR_clear_error();
      count = SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
      if (count <= 0 && (events = WantedEvents(static_cast<int>(count))) == 0) return false;
    }
    if (count > 0) {
      bytes.remove_prefix(static_cast<size_t>(count));
    } else if (!WaitFor(fd_, events, deadline)) {
      throw Failure("the peer does not read what is written to it");
    }
  }
  return true;
}

void RawClient::CloseWriting() {
  if (ssl_ != nullptr) SSL_shutdown(ssl_.get());
  shutdown(fd_, SHUT_WR);
}

void RawClient::Close() {
  ssl_.reset();
  if (fd_ >= 0) close(std::exchange(fd_, -1));
}

bool RawClient::ReadMore(absl::Duration patience) {
  const absl::Time deadline = absl::Now() + patience;
  while (state_ == State::kOpen) {
    if (ssl_ != nullptr && ReadOnce()) return true;  // OpenSSL may have it already
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
  if (ssl_ != nullptr && (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) == 0) {
    ERR_clear_error();
    const int bytes = SSL_read(ssl_.get(), buffer, sizeof(buffer));
    if (bytes > 0) {
      received_.append(buffer, static_cast<size_t>(bytes));
      return true;
    }
    const int error = SSL_get_error(ssl_.get(), bytes);
    if (error == SSL_ERROR_WANT_READ) return false;
    if (error != SSL_ERROR_ZERO_RETURN) {
      state_ = State::kReset;
      return true;
    }
  }
  const ssize_t count = recv(fd_, buffer, sizeof(buffer), 0);
  if (ssl_ != nullptr && count > 0) return state_ = State::kReset, true;  // after the close_notify
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
