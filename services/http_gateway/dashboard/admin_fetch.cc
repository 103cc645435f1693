#include "services/http_gateway/dashboard/admin_fetch.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace groupcast::service {
namespace {

namespace http = boost::beast::http;

constexpr uint32_t kHeadBytesMax = 8 * 1024;

absl::Status Unreachable(int error) {
  if (error == ECONNREFUSED) return absl::UnavailableError("nothing listens there");
  return absl::UnavailableError(absl::StrCat("it cannot be reached: ", strerror(error)));
}

}  // namespace

AdminFetch::AdminFetch(EventLoop* loop, const ServiceAddress& to, absl::string_view path,
                       size_t body_bytes_max, std::function<void()> on_done)
    : loop_(loop),
      body_bytes_max_(body_bytes_max),
      on_done_(std::move(on_done)),
      request_(absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: ", to.text,
                            "\r\nUser-Agent: groupcast\r\nConnection: close\r\n\r\n")) {
  parser_.header_limit(kHeadBytesMax);
  parser_.body_limit(body_bytes_max_);
  Connect(to);
}

AdminFetch::~AdminFetch() {
  if (registered_) loop_->Remove(socket_.get(), this);
}

void AdminFetch::Connect(const ServiceAddress& to) {
  // An IPv4 address has its form in IPv6, so one kind of socket serves both. Where the kernel has
  // no IPv6, an address of IPv4 needs its own.
  socket_ = Fd(socket(to.address.is_v4() ? AF_INET : AF_INET6,
                      SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_storage address{};
  socklen_t size = 0;
  if (to.address.is_v4()) {
    auto* const v4 = reinterpret_cast<sockaddr_in*>(&address);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(to.port);
    std::memcpy(&v4->sin_addr, to.address.bytes.data() + 12, sizeof(v4->sin_addr));
    size = sizeof(*v4);
  } else {
    auto* const v6 = reinterpret_cast<sockaddr_in6*>(&address);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(to.port);
    std::memcpy(&v6->sin6_addr, to.address.bytes.data(), sizeof(v6->sin6_addr));
    size = sizeof(*v6);
  }
  if (!socket_.valid() ||
      (connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0 &&
       errno != EINPROGRESS)) {
    answer_ = Unreachable(errno);
    return;
  }
  if (absl::Status status = loop_->Add(socket_.get(), EPOLLOUT, this); !status.ok()) {
    answer_ = std::move(status);
    return;
  }
  registered_ = true;
}

void AdminFetch::OnEvents(uint32_t events) {
  if ((events & (EPOLLERR | EPOLLHUP)) != 0 && !request_.empty()) {
    int error = 0;
    socklen_t size = sizeof(error);
    getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    return Finish(Unreachable(error != 0 ? error : ECONNRESET));
  }
  if (!request_.empty()) return Write();
  Read();
}

void AdminFetch::Write() {
  const ssize_t count = send(socket_.get(), request_.data(), request_.size(), MSG_NOSIGNAL);
  if (count < 0) {
    if (errno == EAGAIN || errno == EINTR) return;
    return Finish(Unreachable(errno));
  }
  request_.erase(0, static_cast<size_t>(count));
  if (request_.empty()) loop_->Modify(socket_.get(), EPOLLIN, this);
}

void AdminFetch::Read() {
  std::array<char, 16 * 1024> buffer;
  const ssize_t count = read(socket_.get(), buffer.data(), buffer.size());
  if (count < 0) {
    if (errno == EAGAIN || errno == EINTR) return;
    return Finish(Unreachable(errno));
  }
  if (count > 0) return Parse({buffer.data(), static_cast<size_t>(count)});
  boost::system::error_code error;
  if (parser_.got_some()) parser_.put_eof(error);
  if (error || !parser_.is_done()) {
    return Finish(absl::UnavailableError("it ended the connection before its answer was whole"));
  }
  TakeAnswer();
}

void AdminFetch::Parse(absl::string_view bytes) {
  head_.append(bytes.data(), bytes.size());
  absl::string_view rest = head_;
  boost::system::error_code error;
  while (!rest.empty() && !parser_.is_done()) {
    const size_t size = parser_.put(boost::asio::buffer(rest.data(), rest.size()), error);
    rest.remove_prefix(size);
    if (error || size == 0) break;
  }
  if (error == http::error::body_limit) {
    return Finish(absl::ResourceExhaustedError(
        absl::StrCat("its answer has more than ", body_bytes_max_, " bytes")));
  }
  if ((error && error != http::error::need_more) || rest.size() > 2 * kHeadBytesMax) {
    return Finish(absl::InvalidArgumentError("its answer is not HTTP"));
  }
  if (parser_.is_done()) return TakeAnswer();
  head_.erase(0, head_.size() - rest.size());
}

void AdminFetch::TakeAnswer() {
  Answer answer;
  answer.status = static_cast<int>(parser_.get().result_int());
  answer.body = std::move(parser_.get().body());
  Finish(std::move(answer));
}

void AdminFetch::Finish(absl::StatusOr<Answer> answer) {
  answer_ = std::move(answer);
  loop_->Remove(socket_.get(), this);
  registered_ = false;
  socket_.Reset();
  on_done_();
}

}  // namespace groupcast::service
