#include "services/process/socket_loan.h"

#include <sys/socket.h>
#include <unistd.h>

#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

class SocketLoanTest : public testing::Test {
 protected:
  SocketLoanTest() {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    supervisor_ = Fd(ends[0]);
    worker_ = Fd(ends[1]);
  }

  Fd supervisor_;
  Fd worker_;
};

TEST_F(SocketLoanTest, ASocketIsLentAndTakenBack) {
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  const Fd reading(pipe_ends[0]);
  const Fd writing(pipe_ends[1]);
  LendSocket(supervisor_.get(), 254, writing.get());
  TakeSocketBack(supervisor_.get(), 254);

  const SocketMessage adopt = ReceiveSocketMessage(worker_.get());
  EXPECT_EQ(adopt.kind, SocketMessage::Kind::kAdopt);
  EXPECT_EQ(adopt.index, 254);
  ASSERT_TRUE(adopt.socket.valid());
  EXPECT_NE(adopt.socket.get(), writing.get());
  ASSERT_EQ(write(adopt.socket.get(), "x", 1), 1);
  char byte = 0;
  ASSERT_EQ(read(reading.get(), &byte, 1), 1);
  EXPECT_EQ(byte, 'x');

  const SocketMessage release = ReceiveSocketMessage(worker_.get());
  EXPECT_EQ(release.kind, SocketMessage::Kind::kRelease);
  EXPECT_EQ(release.index, 254);
  EXPECT_FALSE(release.socket.valid());
}

TEST_F(SocketLoanTest, WhatIsNoMessageIsNone) {
  EXPECT_EQ(ReceiveSocketMessage(worker_.get()).kind, SocketMessage::Kind::kNone);
  ASSERT_EQ(write(supervisor_.get(), "a", 1), 1);
  ASSERT_EQ(write(supervisor_.get(), "a\0", 2), 2);  // without its socket
  ASSERT_EQ(write(supervisor_.get(), "?\0", 2), 2);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(ReceiveSocketMessage(worker_.get()).kind, SocketMessage::Kind::kNone);
  }
  supervisor_.Reset();
  EXPECT_EQ(ReceiveSocketMessage(worker_.get()).kind, SocketMessage::Kind::kClosed);
}

}  // namespace
}  // namespace groupcast::service
