#include "services/http_gateway/dashboard/fake_admin_port.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"

namespace groupcast::service {

class FakeAdminPort::Connection final : public EventHandler {
 public:
  Connection(FakeAdminPort* port, Fd socket) : port_(port), socket_(std::move(socket)) {
    EXPECT_TRUE(port_->loop_->Add(socket_.get(), EPOLLIN, this).ok());
  }
  ~Connection() { Close(); }

  void OnEvents(uint32_t) override {
    char buffer[4096];
    const ssize_t count = read(socket_.get(), buffer, sizeof(buffer));
    if (count <= 0) return Close();
    request_.append(buffer, static_cast<size_t>(count));
    if (!absl::EndsWith(request_, "\r\n\r\n")) return;
    port_->requests_.push_back(request_);
    const std::vector<std::string> words = absl::StrSplit(request_, ' ');
    const auto answer = port_->answers_.find(words[1]);
    if (answer == port_->answers_.end()) return;
    // What does not fit into the socket was for a peer that is gone.
    static_cast<void>(
        send(socket_.get(), answer->second.data(), answer->second.size(), MSG_NOSIGNAL));
    Close();
  }

 private:
  void Close() {
    if (!socket_.valid()) return;
    port_->loop_->Remove(socket_.get(), this);
    socket_.Reset();
  }

  FakeAdminPort* const port_;
  Fd socket_;
  std::string request_;
};

FakeAdminPort::FakeAdminPort(EventLoop* loop)
    : loop_(loop), listener_(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  EXPECT_EQ(bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
  EXPECT_EQ(listen(listener_.get(), 16), 0);
  EXPECT_EQ(getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  port_ = {.address = *IpAddress::Parse("127.0.0.1"),
           .port = ntohs(address.sin_port),
           .text = absl::StrCat("127.0.0.1:", ntohs(address.sin_port))};
  EXPECT_TRUE(loop_->Add(listener_.get(), EPOLLIN, this).ok());
}

FakeAdminPort::~FakeAdminPort() { Close(); }

void FakeAdminPort::Close() {
  if (!listener_.valid()) return;
  loop_->Remove(listener_.get(), this);
  listener_.Reset();
  connections_.clear();
}

void FakeAdminPort::Answer(const std::string& path, int status, absl::string_view body) {
  AnswerBytes(path, absl::StrCat("HTTP/1.1 ", status,
                                 " Some words\r\nContent-Length: ", body.size(), "\r\n\r\n", body));
}

void FakeAdminPort::OnEvents(uint32_t) {
  Fd socket(accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (socket.valid()) connections_.push_back(std::make_unique<Connection>(this, std::move(socket)));
}

}  // namespace groupcast::service
