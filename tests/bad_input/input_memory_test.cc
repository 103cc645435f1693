// The memory of a worker for input: messages that do not come to their end, and commands that wait
// for the channel. Each has a bound, and no honest client is closed for it.

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/support/crowd.h"
#include "tests/support/kernel_sockets.h"
#include "tests/support/raw_client.h"
#include "tests/support/services.h"
#include "tests/support/test_client.h"

namespace groupcast::tests {
namespace {

TestClient ConnectFrom(const std::string& address, uint16_t port) {
  RawClient raw(port, /*receive_buffer_bytes=*/0, address);
  raw.Write(HandshakeRequest(kV1));
  return TestClient(std::move(raw), Mode::kV1);
}

// A frame of a send of 60 KB.
std::string LargeSend(int id) {
  return TextFrame(SendToGroup("\"large\"", Quoted(std::string(60'000, 'x')), absl::StrCat(id)));
}

// The beginning of a message.
std::string Unfinished(size_t bytes) {
  return MakeFrame(kText, std::string(bytes, ' '), {.fin = false});
}

// The bytes that clients have written and the worker has not read.
int64_t Unread(uint16_t port) {
  int64_t bytes = 0;
  for (const KernelSocket& socket : SocketsOfClients(port)) bytes += socket.send_bytes;
  for (const KernelSocket& socket : SocketsOfServer(port)) bytes += socket.receive_bytes;
  return bytes;
}

void WaitUntilRead(uint16_t port) {
  WaitUntil("the worker has read everything", [&] { return Unread(port) == 0; });
}

class UnfinishedMessagesTest : public testing::Test {
 protected:
  // Honest clients send 60 KB in two segments. None is closed, whatever others do meanwhile.
  void ExpectHonestSendsSucceed(const std::string& address) {
    for (int id = 1; id <= 5; ++id) {
      TestClient honest = ConnectFrom(address, port_);
      const std::string frame = LargeSend(id);
      honest.raw().Write(frame.substr(0, 50'000));
      WaitUntilRead(port_);
      honest.raw().Write(frame.substr(50'000));
      EXPECT_EQ(honest.NextEvent().Number("id"), id);
    }
  }

  Groupcast groupcast_{/*workers=*/1, {"--unfinished_bytes=1000000"}};
  const uint16_t port_ = groupcast_.service.port();
};

// From the same address, each with much less than an honest client. The oldest of them go.
TEST_F(UnfinishedMessagesTest, ManySmallOnesDoNotPushOutAnHonestLargeOne) {
  std::vector<TestClient> attackers;
  for (int i = 0; i < 100; ++i) {
    attackers.emplace_back(port_);
    attackers.back().raw().Write(Unfinished(9'900));
  }
  WaitUntilRead(port_);
  ExpectHonestSendsSucceed("127.0.0.1");
  EXPECT_EQ(attackers.front().WaitForEnd().close_code, 1009);
  EXPECT_TRUE(SocketsOfServer(port_).size() > 90) << "no more are closed than necessary";
}

// The honest message is the oldest of all, but its address has taken little.
TEST_F(UnfinishedMessagesTest, TheAddressThatTookTheMemoryIsClosedFirst) {
  TestClient honest = ConnectFrom("127.0.0.2", port_);
  const std::string frame = LargeSend(1);
  honest.raw().Write(frame.substr(0, 50'000));
  WaitUntilRead(port_);
  std::vector<TestClient> attackers;
  for (int i = 0; i < 40; ++i) {
    attackers.emplace_back(port_);
    attackers.back().raw().Write(Unfinished(50'000));
    WaitUntilRead(port_);
  }
  honest.raw().Write(frame.substr(50'000));
  EXPECT_EQ(honest.NextEvent().Number("id"), 1);
  for (int i = 0; i < 20; ++i)
    EXPECT_EQ(attackers[static_cast<size_t>(i)].WaitForEnd().close_code, 1009);
  for (int i = 21; i < 40; ++i) {
    attackers[static_cast<size_t>(i)].raw().ReadAvailable();
    EXPECT_EQ(attackers[static_cast<size_t>(i)].raw().received(), "") << "it is closed too";
  }
}

// They take memory as unfinished messages do.
TEST(UnfinishedRequestsTest, TheyCountAsUnfinishedMessages) {
  constexpr int kClients = 200;
  Groupcast groupcast(/*workers=*/1, {"--unfinished_bytes=1000000", "--handshake_timeout=1h"});
  const uint16_t port = groupcast.service.port();
  std::vector<RawClient> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.emplace_back(port);
    clients.back().Write(absl::StrCat("GET / HTTP/1.1\r\nX: ", std::string(7'000, 'x')));
  }
  const auto closed = [&] {
    return std::count_if(clients.begin(), clients.end(), [](RawClient& client) {
      client.ReadAvailable();
      return client.state() != RawClient::State::kOpen;
    });
  };
  WaitUntil("some are closed", [&] { return closed() > 20; });
  WaitUntilRead(port);
  EXPECT_LT(closed(), kClients / 2) << "no more than necessary";
}

// While the channel is away, sends wait. The worker holds what it has read, within its bound, and
// leaves the rest to the kernel. Nobody is closed, and everything is sent in the end. A client that
// asks for little is served all the time.
TEST(HeldInputTest, ClientsThatWaitForTheChannelAreNotClosed) {
  constexpr int kClients = 200;
  constexpr int kSends = 4;
  constexpr int64_t kBound = 1'000'000;  // of the window, of held input and of unfinished messages
  Groupcast groupcast(/*workers=*/1, {absl::StrCat("--window_bytes=", kBound),
                                      absl::StrCat("--held_bytes=", kBound),
                                      absl::StrCat("--unfinished_bytes=", kBound)});
  const uint16_t port = groupcast.service.port();
  std::vector<TestClient> clients;
  for (int i = 0; i < kClients; ++i) clients.emplace_back(port, Mode::kV1);
  groupcast.channel.Kill();
  groupcast.service.process().WaitForOutput("the channel is away");
  int64_t written = 0;
  for (TestClient& client : clients) {
    for (int id = 1; id <= kSends; ++id) {
      const std::string frame = LargeSend(id);
      written += static_cast<int64_t>(frame.size());
      client.raw().Write(frame);
    }
  }
  const auto taken = [&] { return written - Unread(port); };
  WaitUntil("the worker has taken what it may", [&] { return taken() > kBound + kBound / 2; });
  RawClient newcomer(port);
  newcomer.Write(HandshakeRequest(kV1) + TextFrame(Ping("1")));
  EXPECT_EQ(TestClient(std::move(newcomer), Mode::kV1).NextEvent().Number("id"), 1);
  // Besides the three bounds, one read and one publication.
  EXPECT_LE(taken(), 3 * kBound + 256 * 1'024);

  groupcast.channel.StartAgain();
  for (TestClient& client : clients) {
    for (int id = 1; id <= kSends; ++id) {
      const Event answer = client.NextEvent();
      EXPECT_EQ(answer.Number("id"), id);
      EXPECT_EQ(answer.Text("event"), "reply");
    }
  }
}

}  // namespace
}  // namespace groupcast::tests
