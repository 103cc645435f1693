// What the proxy does to connections.

#include "tests/faults/flaky_proxy.h"

#include <memory>
#include <string>

#include "absl/time/clock.h"
#include "boost/asio/io_context.hpp"
#include "boost/asio/ip/tcp.hpp"
#include "boost/asio/read.hpp"
#include "boost/asio/write.hpp"
#include "gtest/gtest.h"
#include "tests/support/raw_client.h"
#include "tests/support/wait.h"

namespace groupcast::tests {
namespace {

namespace asio = boost::asio;
using Tcp = asio::ip::tcp;

class FlakyProxyTest : public ::testing::Test {
 protected:
  // The connection as the target sees it.
  Tcp::socket AcceptTarget() { return target_.accept(); }

  void WaitFor(RawClient* client, RawClient::State state) {
    WaitUntil("the connection is broken", [&] {
      client->ReadAvailable();
      return client->state() == state;
    });
  }

  asio::io_context io_;
  Tcp::acceptor target_{io_, Tcp::endpoint(asio::ip::address_v4::loopback(), 0)};
  FlakyProxy proxy_{{target_.local_endpoint().port()}};
  RawClient client_{proxy_.port(0)};
};

std::string ReadText(Tcp::socket* socket, size_t size) {
  std::string text(size, '\0');
  asio::read(*socket, asio::buffer(text));
  return text;
}

TEST_F(FlakyProxyTest, CarriesBytesBothWays) {
  Tcp::socket target = AcceptTarget();
  client_.Write("to the target");
  EXPECT_EQ(ReadText(&target, 13), "to the target");
  const std::string much(1 << 20, 'x');
  std::thread writer([&] { asio::write(target, asio::buffer(much)); });
  while (client_.received().size() < much.size()) ASSERT_TRUE(client_.ReadMore());
  writer.join();
  EXPECT_EQ(client_.received(), much);
  target.close();
  client_.ReadToEnd();
}

TEST_F(FlakyProxyTest, CutClosesBothEnds) {
  Tcp::socket target = AcceptTarget();
  EXPECT_TRUE(proxy_.Cut(0, 0));
  WaitFor(&client_, RawClient::State::kClosed);
  boost::system::error_code error;
  char byte;
  asio::read(target, asio::buffer(&byte, 1), error);
  EXPECT_EQ(error, asio::error::eof);
  EXPECT_FALSE(proxy_.Cut(0, 0)) << "there is none any more";
}

TEST_F(FlakyProxyTest, ResetIsSeenByBothEnds) {
  Tcp::socket target = AcceptTarget();
  EXPECT_TRUE(proxy_.Reset(0, 0));
  WaitFor(&client_, RawClient::State::kReset);
  boost::system::error_code error;
  char byte;
  asio::read(target, asio::buffer(&byte, 1), error);
  EXPECT_EQ(error, asio::error::connection_reset);
}

TEST_F(FlakyProxyTest, AStallHoldsBytesAndLosesNone) {
  Tcp::socket target = AcceptTarget();
  const absl::Time begin = absl::Now();
  EXPECT_TRUE(proxy_.Stall(0, 0, absl::Milliseconds(200)));
  client_.Write("late");
  EXPECT_EQ(ReadText(&target, 4), "late");
  EXPECT_GE(absl::Now() - begin, absl::Milliseconds(190));
}

TEST_F(FlakyProxyTest, StallsCanBeEndedEarly) {
  Tcp::socket target = AcceptTarget();
  EXPECT_TRUE(proxy_.Stall(0, 0, absl::Hours(1)));
  client_.Write("soon");
  proxy_.EndStalls();
  EXPECT_EQ(ReadText(&target, 4), "soon");
}

TEST_F(FlakyProxyTest, ATargetThatIsAwayClosesTheConnection) {
  Tcp::socket first = AcceptTarget();
  target_.close();
  RawClient client(proxy_.port(0));
  client.ReadToEnd();
  first.close();
}

}  // namespace
}  // namespace groupcast::tests
