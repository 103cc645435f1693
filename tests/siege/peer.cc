#include "tests/siege/peer.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
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

}  // namespace

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
  if (!options_.is_raw) unsent_ = HandshakeRequest(kV1);
  response_.clear();
  frames_ = bench::FrameReader();
  watched_ = EPOLLIN | EPOLLOUT | EPOLLRDHUP;
  if (!loop_->Add(socket_.get(), watched_, this).ok()) throw Failure("cannot watch a socket");
}

void Peer::Drop() {
  if (state_ == State::kClosed) return;
  loop_->Remove(socket_.get(), this);
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
  if ((events & EPOLLOUT) != 0) {
    if (state_ == State::kConnecting) OnConnected();
    Flush();
  }
  if (state_ != State::kClosed && reading_ && (events & (EPOLLIN | kEnds)) != 0) Read();
}

void Peer::OnConnected() {
  state_ = options_.is_raw ? State::kOpen : State::kHandshake;
  if (options_.is_raw) listener_->OnOpen(this);
}

void Peer::Read() {
  const ssize_t count = recv(socket_.get(), read_buffer.data(), read_buffer.size(), 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0) return End();
  if (options_.is_raw) return;
  absl::string_view bytes(read_buffer.data(), static_cast<size_t>(count));
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
    const ssize_t count = send(socket_.get(), unsent_.data(), unsent_.size(), MSG_NOSIGNAL);
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
