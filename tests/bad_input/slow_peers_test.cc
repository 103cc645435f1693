// Peers that are too slow, or silent: each has its bound, and its neighbours are not delayed by it.

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "tests/support/crowd.h"
#include "tests/support/kernel_sockets.h"
#include "tests/support/raw_client.h"
#include "tests/support/services.h"
#include "tests/support/test_client.h"

namespace groupcast::tests {
namespace {

constexpr char kFlood[] = "\"flood\"";

int64_t Memberships(WebSocketService* service) {
  int64_t sum = 0;
  for (const WebSocketService::WorkerRow& row : service->Table()) sum += row.memberships;
  return sum;
}

int64_t SlowConsumers(WebSocketService* service) {
  int64_t sum = 0;
  for (const WebSocketService::WorkerRow& row : service->Table()) sum += row.slow;
  return sum;
}

TEST(HandshakeTimeoutTest, WhoDoesNotFinishItIsDropped) {
  Groupcast groupcast(/*workers=*/1, {"--handshake_timeout=1s"});
  TestClient neighbour(groupcast.service.port());
  const absl::Time begin = absl::Now();
  RawClient silent(groupcast.service.port());
  RawClient unfinished(groupcast.service.port());
  unfinished.Write(HandshakeRequest().substr(0, 60));
  // The time is for all of it: a byte now and then does not buy more.
  RawClient dribbling(groupcast.service.port());
  const std::string endless = absl::StrCat("GET / HTTP/1.1\r\nX: ", std::string(5'000, 'x'));
  for (size_t i = 0; i < endless.size() && dribbling.state() == RawClient::State::kOpen; ++i) {
    dribbling.Write(endless.substr(i, 1));
    dribbling.ReadMore(absl::Milliseconds(10));
  }
  for (RawClient* client : {&silent, &unfinished, &dribbling}) {
    client->ReadToEnd();
    EXPECT_EQ(client->received(), "");
  }
  EXPECT_GE(absl::Now() - begin, absl::Seconds(1));
  EXPECT_LT(absl::Now() - begin, absl::Seconds(30));  // its 5,000 bytes take more than 50 s
  EXPECT_TRUE(neighbour.IsQuiet());
}

TEST(SlowReaderTest, IsClosedWith4001AndItsNeighboursGetEverything) {
  Groupcast groupcast(/*workers=*/2, {"--outbox_bytes=65536"});
  WebSocketService& service = groupcast.service;
  std::vector<TestClient> neighbours = ConnectCrowd(&service, 8);
  std::vector<TestClient> slow;
  for (const Mode mode : {Mode::kBare, Mode::kV1})
    slow.emplace_back(service.port(), mode, /*receive_buffer_bytes=*/4'096);
  for (TestClient& client : neighbours) client.Join("flood");
  for (TestClient& client : slow) client.Join("flood");
  const std::vector<pid_t> workers = service.WorkerPids();

  const std::string filling(50'000, 'f');
  int sent = 0;
  for (; sent < 2'000 && (sent % 20 != 0 || Memberships(&service) != 8); ++sent) {
    neighbours[0].Send(SendToGroup(kFlood, absl::StrCat("\"", sent, " ", filling, "\"")));
    for (TestClient& client : neighbours)
      ASSERT_EQ(client.NextText(), absl::StrCat(sent, " ", filling));
  }
  ASSERT_LT(sent, 2'000) << "the slow ones are still members";

  // What they get is what came first, without a hole, and then the reason.
  for (TestClient& client : slow) {
    TestClient::End end = client.WaitForEnd();
    EXPECT_EQ(end.close_code, 4001);
    if (&client == &slow[1]) {
      EXPECT_EQ(Event(end.texts.back()).name(), "closing");
      end.texts.pop_back();
    }
    ASSERT_LT(end.texts.size(), static_cast<size_t>(sent));
    for (size_t i = 0; i < end.texts.size(); ++i) {
      const std::string text =
          &client == &slow[0] ? end.texts[i] : Event(end.texts[i]).Text("message");
      ASSERT_EQ(text, absl::StrCat(i, " ", filling));
    }
  }
  WaitUntil("both are counted", [&] { return SlowConsumers(&service) == 2; });
  for (TestClient& client : neighbours) EXPECT_TRUE(client.IsQuiet());
  EXPECT_EQ(service.WorkerPids(), workers);
}

// Nobody sends to it: what it does not read are the answers to its own commands and pings.
TEST(SlowReaderTest, WhoAsksAndNeverListensIsClosedToo) {
  Groupcast groupcast(/*workers=*/1, {"--outbox_bytes=65536"});
  TestClient neighbour(groupcast.service.port());
  for (const std::string& frame :
       {MakeFrame(kPing, std::string(125, 'p')), TextFrame("no command"), TextFrame(Ping("1"))}) {
    std::string bytes;
    // More than the kernel takes for a connection whose peer does not read.
    while (bytes.size() < 12'000'000) bytes += frame;
    TestClient deaf(groupcast.service.port(), Mode::kBare, /*receive_buffer_bytes=*/4'096);
    deaf.raw().Write(bytes);
    EXPECT_EQ(deaf.WaitForEnd().close_code, 4001);
    EXPECT_TRUE(neighbour.IsQuiet());
  }
}

// The largest send queue of the service's sockets in the kernel.
int64_t LargestKernelQueue(uint16_t port) {
  int64_t largest = 0;
  for (const KernelSocket& socket : SocketsOfServer(port)) {
    largest = std::max(largest, socket.send_bytes);
  }
  return largest;
}

class KernelQueueTest : public testing::Test {
 protected:
  KernelQueueTest() { sender_.Join("flood"); }

  // The sender gets each of its messages before it sends the next one.
  void Flood(int messages) {
    const std::string filling(50'000, 'f');
    for (int i = 0; i < messages; ++i) {
      sender_.Send(SendToGroup(kFlood, Quoted(filling)));
      ASSERT_EQ(sender_.NextText(), filling);
      largest_ = std::max(largest_, LargestKernelQueue(port_));
    }
  }

  Groupcast groupcast_{/*workers=*/1, {"--outbox_bytes=524288", "--burst_bytes=1"}};
  const uint16_t port_ = groupcast_.service.port();
  TestClient sender_{port_};
  int64_t largest_ = 0;
};

// The kernel holds little for a member that does not read, and the worker holds its outbox. In the
// end it is cut off, and the kernel's memory is free.
TEST_F(KernelQueueTest, IsShortForAMemberThatNeverReadsAndGoesWithIt) {
  TestClient deaf(port_, Mode::kBare, /*receive_buffer_bytes=*/4'096);
  deaf.Join("flood");
  Flood(40);
  EXPECT_GT(largest_, 0);
  EXPECT_LE(largest_, (128 + 64) * 1'024) << "--unsent_bytes and one buffer of the kernel";
  WaitForConnections(&groupcast_.service, 1);
  EXPECT_EQ(SlowConsumers(&groupcast_.service), 1);
  EXPECT_EQ(LargestKernelQueue(port_), 0) << "a socket without an owner keeps its queue";
}

// It has closed its side and may still read. The kernel does not wait for long.
TEST_F(KernelQueueTest, IsGivenUpForAMemberThatHasClosedItsSideAndNeverReads) {
  TestClient deaf(port_, Mode::kBare, /*receive_buffer_bytes=*/4'096);
  deaf.Join("flood");
  Flood(10);
  deaf.raw().CloseWriting();
  WaitForConnections(&groupcast_.service, 1);
  WaitUntil("the kernel has given up", [&] { return LargestKernelQueue(port_) == 0; });
}

TEST(PongTimeoutTest, WhoAnswersNoPingIsClosedWith4002) {
  Groupcast groupcast(/*workers=*/1, {"--ping_interval=300ms", "--pong_timeout=600ms"});
  for (const Mode mode : {Mode::kBare, Mode::kV1}) {
    TestClient silent(groupcast.service.port(), mode);
    EXPECT_EQ(silent.NextFrame(), (Frame{.opcode = kPing, .payload = ""}));
    if (mode == Mode::kV1) {
      const Event closing = silent.NextEvent();
      EXPECT_EQ(closing.name(), "closing");
      EXPECT_EQ(closing.Number("code"), 4002);
    }
    const Frame last = silent.NextFrame();
    EXPECT_EQ(last.opcode, kClose);
    EXPECT_EQ(last.close_code(), 4002);
    silent.raw().ReadToEnd();
    EXPECT_EQ(silent.raw().received(), "");
  }
}

TEST(PongTimeoutTest, WhoAnswersOrSendsAnythingStays) {
  Groupcast groupcast(/*workers=*/1, {"--ping_interval=300ms", "--pong_timeout=600ms"});
  TestClient answering(groupcast.service.port());
  TestClient talking(groupcast.service.port());
  for (int i = 0; i < 5; ++i) {
    ASSERT_EQ(answering.NextFrame().opcode, kPing);
    answering.raw().Write(MakeFrame(kPong, ""));
    ASSERT_EQ(talking.NextFrame().opcode, kPing);
    talking.Send(R"({"cmd":"ping"})");
  }
  EXPECT_TRUE(answering.IsQuiet());
  EXPECT_TRUE(talking.IsQuiet());
}

TEST(ConnectionLimitTest, AboveItHandshakesAreAnsweredWith503) {
  Groupcast groupcast(/*workers=*/1, {"--max_connections_per_worker=3"});
  std::vector<TestClient> clients;
  for (int i = 0; i < 3; ++i) clients.emplace_back(groupcast.service.port());
  RawClient one_more(groupcast.service.port());
  one_more.Write(HandshakeRequest());
  one_more.ReadToEnd();
  EXPECT_EQ(TakeResponse(&one_more.received())->status, 503);
  clients.pop_back();
  WaitUntil("there is room again", [&] {
    RawClient client(groupcast.service.port());
    client.Write(HandshakeRequest());
    client.ReadMore();
    return TakeResponse(&client.received())->status == 101;
  });
}

}  // namespace
}  // namespace groupcast::tests
