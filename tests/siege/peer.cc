#include "tests/siege/peer.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "tests/support/wait.h"
#include "tests/support/wire.h"

namespace groupcast::tests {
namespace {

// One buffer for all peers of the process.
std::array<char, 256 * 1024> read_buffer;

sockaddr_in Loopback(uint8_t address, uint16_t port) {
  sockaddr_in result{};
  result.sin_family = AF_INET;
  result.sin_port = htons(port);
  result.sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + address);
  return result;
}

// That of all peers of the process. It is never freed.
SSL_CTX* ClientContext() {
  static SSL_CTX* const context = [] {
    SSL_CTX* const made = SSL_CTX_new(TLS_client_method());
    if (made == nullptr) throw Failure("SSL_CTX_new");
    SSL_CTX_set_mode(made, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return made;
  }();
  return context;
}

}  // namespace

std::string ClientHello() {
  const std::unique_ptr<SSL, decltype(&SSL_free)> ssl(SSL_new(ClientContext()), &SSL_free);
  BIO* const in = BIO_new(BIO_s_mem());
  BIO* const out = BIO_new(BIO_s_mem());
  SSL_set_bio(ssl.get(), in, out);  // which takes both
  SSL_connect(ssl.get());
  ERR_clear_error();
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(out, &bytes);  // NOLINT(google-runtime-int): OpenSSL's type
  if (size <= 0) throw Failure("OpenSSL makes no ClientHello");
  return {bytes, static_cast<size_t>(size)};
}

Peer::Peer(service::EventLoop* loop, const PeerOptions& options, Listener* listener, size_t number)
    : loop_(loop), options_(options), listener_(listener), number_(number) {}

Peer::~Peer() { Drop(); }

void Peer::Connect() {
  Drop();
  socket_ = service::Fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket_.valid()) throw Failure("no more sockets");
  const int on = 1;
  setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  setsockopt(socket_.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
  if (options_.receive_buffer_bytes > 0) {
    setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUF, &options_.receive_buffer_bytes,
               sizeof(options_.receive_buffer_bytes));
  }
  // A run leaves no thousands of sockets in TIME_WAIT behind.
  const linger reset{.l_onoff = 1, .l_linger = 0};
  setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  const sockaddr_in from = Loopback(options_.address, 0);
  const sockaddr_in to = Loopback(1, options_.port);
  if (bind(socket_.get(), reinterpret_cast<const sockaddr*>(&from), sizeof(from)) != 0 ||
      (connect(socket_.get(), reinterpret_cast<const sockaddr*>(&to), sizeof(to)) != 0 &&
       errno != EINPROGRESS)) {
    throw Failure("cannot connect on the loopback");
  }
  state_ = State::kConnecting;
  reading_ = true;
  close_code_ = 0;
  response_.clear();
  frames_ = bench::FrameReader();
  watched_ = EPOLLIN | EPOLLOUT | EPOLLRDHUP;
  if (!loop_->Add(socket_.get(), watched_, this).ok()) throw Failure("cannot watch a socket");
}

void Peer::Drop() {
  if (state_ == State::kClosed) return;
  loop_->Remove(socket_.get(), this);
  ssl_.reset();
  socket_.Reset();
  state_ = State::kClosed;
  unsent_ = std::string();
}

void Peer::End() {
  Drop();
  listener_->OnClosed(this, close_code_);
}

void Peer::OnEvents(uint32_t events) {
  constexpr uint32_t kEnds = EPOLLERR | EPOLLHUP | EPOLLRDHUP;
  if ((events & kEnds) != 0 && (!reading_ || state_ == State::kConnecting)) return End();
  if (state_ == State::kTls) return ContinueTls();
  if ((events & EPOLLOUT) != 0) {
    if (state_ == State::kConnecting) OnConnected();
    if (state_ == State::kTls) return;
    Flush();
  }
  if (state_ != State::kClosed && reading_ && (events & (EPOLLIN | kEnds)) != 0) Read();
}

void Peer::OnConnected() {
  if (!options_.tls) return StartHandshake();
  state_ = State::kTls;
  ssl_.reset(SSL_new(ClientContext()));
  if (ssl_ == nullptr) throw Failure("SSL_new");
  SSL_set_fd(ssl_.get(), socket_.get());
  ContinueTls();
}

void Peer::ContinueTls() {
  ERR_clear_error();
  const int result = SSL_connect(ssl_.get());
  if (result == 1) {
    StartHandshake();
    Flush();
    return;
  }
  const int error = SSL_get_error(ssl_.get(), result);
  if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) return End();
  // Most of the time it can write, and waits for the service.
  const uint32_t wanted =
      EPOLLRDHUP | (error == SSL_ERROR_WANT_READ ? uint32_t{EPOLLIN} : uint32_t{EPOLLOUT});
  if (wanted == watched_) return;
  watched_ = wanted;
  loop_->Modify(socket_.get(), watched_, this);
}

void Peer::StartHandshake() {
  if (options_.is_raw) {
    state_ = State::kOpen;
    listener_->OnOpen(this);
  } else {
    state_ = State::kHandshake;
    unsent_ = HandshakeRequest(kV1);
  }
}

ssize_t Peer::Receive(char* bytes, size_t size) {
  if (ssl_ == nullptr) return recv(socket_.get(), bytes, size, 0);
  ERR_clear_error();
  const int count = SSL_read(ssl_.get(), bytes, static_cast<int>(size));
  if (count > 0) return count;
  const int error = SSL_get_error(ssl_.get(), count);
  if (error == SSL_ERROR_ZERO_RETURN) return 0;
  errno = error == SSL_ERROR_WANT_READ ? EAGAIN : ECONNRESET;
  return -1;
}

ssize_t Peer::Transmit(absl::string_view bytes) {
  if (ssl_ == nullptr) return send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  ERR_clear_error();
  const int count = SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
  if (count > 0) return count;
  errno = SSL_get_error(ssl_.get(), count) == SSL_ERROR_WANT_WRITE ? EAGAIN : ECONNRESET;
  return -1;
}

// Once for each event: OpenSSL reads one record, and leaves the others in the socket, which wakes
// the loop again.
void Peer::Read() {
  const ssize_t count = Receive(read_buffer.data(), read_buffer.size());
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0) return End();
  absl::string_view bytes(read_buffer.data(), static_cast<size_t>(count));
  if (options_.is_raw) return listener_->OnText(this, bytes);
  if (state_ == State::kHandshake) {
    const size_t had = response_.size();
    response_.append(bytes.data(), bytes.size());
    const size_t end = response_.find("\r\n\r\n");
    if (end == std::string::npos) return;
    if (response_.compare(0, 13, "HTTP/1.1 101 ") != 0) return End();
    bytes.remove_prefix(end + 4 - had);
    response_ = std::string();
    state_ = State::kOpen;
    listener_->OnOpen(this);
  }
  // The listener may drop the connection.
  const bool understood = frames_.Take(std::string_view(bytes.data(), bytes.size()),
                                       [this](const bench::FrameReader::Payload& payload) {
                                         if (state_ == State::kOpen) OnPayload(payload);
                                       });
  if (!understood && state_ == State::kOpen) {
    throw Failure("the service sends frames that it may not send");
  }
}

void Peer::OnPayload(const bench::FrameReader::Payload& payload) {
  switch (payload.opcode) {
    case bench::Opcode::kText:
      listener_->OnText(this, absl::string_view(payload.head.data(), payload.head.size()));
      break;
    case bench::Opcode::kPing: {
      std::string pong;
      bench::AppendClientFrame(bench::Opcode::kPong, payload.head, &pong);
      SendBytes(pong);
      break;
    }
    case bench::Opcode::kClose:
      if (payload.head.size() >= 2) {
        close_code_ =
            (static_cast<uint8_t>(payload.head[0]) << 8) | static_cast<uint8_t>(payload.head[1]);
      }
      break;
    default:
      break;
  }
}

void Peer::SendText(absl::string_view text) {
  std::string frame;
  bench::AppendClientFrame(bench::Opcode::kText, std::string_view(text.data(), text.size()),
                           &frame);
  SendBytes(frame);
}

void Peer::SendBytes(absl::string_view bytes) {
  if (state_ != State::kOpen) return;
  unsent_.append(bytes.data(), bytes.size());
  Flush();
}

void Peer::Flush() {
  if (state_ != State::kClosed && !unsent_.empty()) {
    const ssize_t count = Transmit(unsent_);
    // An error shows at the next read.
    if (count > 0) unsent_.erase(0, static_cast<size_t>(count));
  }
  Watch();
}

void Peer::SetReading(bool reading) {
  reading_ = reading;
  Watch();
}

void Peer::Watch() {
  uint32_t wanted = EPOLLRDHUP;
  if (reading_) wanted |= EPOLLIN;
  if (!unsent_.empty()) wanted |= EPOLLOUT;
  if (state_ == State::kClosed || wanted == watched_) return;
  watched_ = wanted;
  loop_->Modify(socket_.get(), watched_, this);
}

}  // namespace groupcast::tests
