#include "services/connections/peer_socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

constexpr size_t kBlockBytes = 1'000;

class Peer final : public PeerSocket {
 public:
  Peer(EventLoop* loop, Fd socket) : PeerSocket(loop, std::move(socket)) {}

  using PeerSocket::DropUndelivered;
  using PeerSocket::HasRoomFor;
  using PeerSocket::IgnoreInput;
  using PeerSocket::is_full;
  using PeerSocket::IsDrained;
  using PeerSocket::outbox;
  using PeerSocket::Push;
  using PeerSocket::ShutDown;
  using PeerSocket::StartWatching;
  using PeerSocket::StopWatching;

  bool Write() {
    const bool works = WriteOutbox([this] { return !outbox().empty(); },
                                   [this](absl::Span<iovec> blocks) { return SendBlocks(blocks); },
                                   [this](size_t bytes) { written_ += bytes; });
    SetFull(works && !outbox().empty());
    return works;
  }
  void OnEvents(uint32_t events) override {
    events_ |= events;
    if ((events & EPOLLOUT) != 0) OnRoom();
  }

  uint32_t TakeEvents() { return std::exchange(events_, 0); }
  size_t written() const { return written_; }

 private:
  uint32_t events_ = 0;
  size_t written_ = 0;
};

class PeerSocketTest : public testing::Test {
 protected:
  void SetUp() override {
    loop_ = *EventLoop::Create();
    const Fd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {}, .sin_zero = {}};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    ASSERT_EQ(bind(listener.get(), generic, size), 0);
    ASSERT_EQ(listen(listener.get(), 1), 0);
    ASSERT_EQ(getsockname(listener.get(), generic, &size), 0);
    client_ = Fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(connect(client_.get(), generic, size), 0);
    fcntl(client_.get(), F_SETFL, O_NONBLOCK);
    Fd accepted(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    ASSERT_GE(accepted.get(), 0);
    peer_ = std::make_unique<Peer>(loop_.get(), std::move(accepted));
    ASSERT_TRUE(peer_->StartWatching(options_).ok());
  }

  // A block that nobody else has.
  absl::Status PushOwn() {
    return peer_->Push(SharedBytes::Copy(std::string(kBlockBytes, 'a')), options_);
  }
  // A block that another connection has too.
  absl::Status PushShared() { return peer_->Push(shared_, options_); }

  // Writes until the kernel takes no more. Returns the number of bytes that it took.
  size_t FillKernel() {
    while (!peer_->is_full()) {
      while (PushOwn().ok()) {
      }
      EXPECT_TRUE(peer_->Write());
    }
    return peer_->written();
  }
  // Afterwards errno is EAGAIN, unless the connection has ended.
  size_t ReadAll() {
    size_t bytes = 0;
    char part[65'536];
    errno = 0;
    for (ssize_t count; (count = read(client_.get(), part, sizeof(part))) > 0;) {
      bytes += static_cast<size_t>(count);
    }
    return bytes;
  }
  // Reads until all that was written has come.
  void ReadUpTo(size_t bytes) {
    for (size_t have = 0; have < bytes;) have += ReadAll();
  }

  PeerSocketOptions options_{.outbox_bytes_max = 100'000, .burst_bytes_max = 50'000};
  const SharedBytes shared_ = SharedBytes::Copy(std::string(kBlockBytes, 's'));
  const SharedBytes of_another_connection_ = shared_;
  std::unique_ptr<EventLoop> loop_;
  Fd client_;
  std::unique_ptr<Peer> peer_;
};

TEST_F(PeerSocketTest, WritesWhatIsQueuedInOrder) {
  ASSERT_TRUE(peer_->Push(SharedBytes::Copy("first "), options_).ok());
  ASSERT_TRUE(peer_->Push(SharedBytes::Copy("second"), options_).ok());
  EXPECT_TRUE(peer_->Write());
  EXPECT_FALSE(peer_->is_full());
  std::string received(12, ' ');
  ASSERT_EQ(read(client_.get(), received.data(), received.size()), 12);
  EXPECT_EQ(received, "first second");
  EXPECT_EQ(peer_->written(), 12u);
}

TEST_F(PeerSocketTest, AFullSocketIsWatchedForRoom) {
  loop_->RunOnce(absl::ZeroDuration());
  EXPECT_EQ(peer_->TakeEvents(), 0u) << "nobody has asked for room";
  const size_t written = FillKernel();
  loop_->RunOnce(absl::ZeroDuration());
  EXPECT_EQ(peer_->TakeEvents() & EPOLLOUT, 0u);
  ReadUpTo(written);
  while (peer_->is_full()) loop_->RunOnce(absl::Seconds(1));
  EXPECT_NE(peer_->TakeEvents() & EPOLLOUT, 0u);
}

TEST_F(PeerSocketTest, BytesThatTheKernelHasNotSentCountForTheBound) {
  ASSERT_TRUE(PushOwn().ok());
  ASSERT_TRUE(peer_->Write());
  size_t room_before = 0;
  while (PushOwn().ok()) ++room_before;
  const size_t written = FillKernel();
  while (PushOwn().ok()) {
  }
  EXPECT_LT(peer_->outbox().frames(), room_before);
  EXPECT_GE(peer_->outbox().frames(), room_before / 2) << "half of the bound remains";
  EXPECT_FALSE(peer_->HasRoomFor(kBlockBytes, options_));
  ReadUpTo(written);
  while (peer_->is_full()) loop_->RunOnce(absl::Seconds(1));
  ASSERT_TRUE(peer_->Write());
  ReadUpTo(peer_->written() - written);
  while (peer_->is_full()) loop_->RunOnce(absl::Seconds(1));
  ASSERT_TRUE(peer_->Write());
  ASSERT_TRUE(peer_->outbox().empty());
  EXPECT_TRUE(peer_->IsDrained(options_));
  size_t room_after = 0;
  while (PushOwn().ok()) ++room_after;
  EXPECT_EQ(room_after, room_before);
}

TEST_F(PeerSocketTest, OnlySharedBlocksOfAPeerThatTakesBytesExceedTheBound) {
  while (PushOwn().ok()) {
  }
  EXPECT_FALSE(PushShared().ok()) << "the peer has taken nothing yet";
  ASSERT_TRUE(peer_->Write());
  EXPECT_TRUE(peer_->takes_bytes());
  while (PushOwn().ok()) {
  }
  EXPECT_FALSE(PushOwn().ok());
  size_t burst = 0;
  while (PushShared().ok()) burst += kBlockBytes;
  EXPECT_GT(burst, options_.burst_bytes_max / 2);
  EXPECT_LE(burst, options_.burst_bytes_max);
}

TEST_F(PeerSocketTest, WithoutWatchingNoEventComes) {
  ASSERT_EQ(write(client_.get(), "x", 1), 1);
  peer_->IgnoreInput();
  loop_->RunOnce(absl::ZeroDuration());
  EXPECT_EQ(peer_->TakeEvents() & EPOLLIN, 0u);
  peer_->StopWatching();
  client_ = Fd();
  loop_->RunOnce(absl::ZeroDuration());
  EXPECT_EQ(peer_->TakeEvents(), 0u);
}

TEST_F(PeerSocketTest, ShutDownIsToldOnceAndLosesNothing) {
  ASSERT_TRUE(PushOwn().ok());
  ASSERT_TRUE(peer_->Write());
  EXPECT_TRUE(peer_->ShutDown());
  EXPECT_FALSE(peer_->ShutDown());
  EXPECT_EQ(ReadAll(), kBlockBytes);
  char byte;
  EXPECT_EQ(read(client_.get(), &byte, 1), 0) << "an orderly end";
}

TEST_F(PeerSocketTest, WhatWasNotDeliveredIsDroppedWithAReset) {
  FillKernel();
  peer_->DropUndelivered();
  peer_.reset();
  ReadAll();
  EXPECT_EQ(errno, ECONNRESET);
}

TEST_F(PeerSocketTest, AFailedSocketIsTold) {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  setsockopt(client_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  client_ = Fd();
  ASSERT_TRUE(PushOwn().ok());
  EXPECT_FALSE(peer_->Write());
}

}  // namespace
}  // namespace groupcast::service
