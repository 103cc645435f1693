// Small compressed messages that are large texts: they have the bounds of what they are.

#include <csignal>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "tests/support/deflate.h"
#include "tests/support/kernel_sockets.h"
#include "tests/support/raw_client.h"
#include "tests/support/services.h"
#include "tests/support/test_client.h"
#include "tests/support/wire.h"

namespace groupcast::tests {
namespace {

constexpr FrameShape kCompressed{.reserved_bits = 4};

TestClient ConnectDeflated(uint16_t port) {
  RawClient raw(port);
  raw.Write(absl::StrReplaceAll(
      HandshakeRequest(kV1),
      {{"\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"}}));
  return TestClient(std::move(raw), Mode::kV1);
}

// A ping of nearly 1 MiB in a frame of about a kilobyte. It has many fields, so it takes long to
// read.
std::string Bomb() {
  std::string text = R"({"cmd":"ping",)";
  while (text.size() < 1'000'000) text += R"("a":0,)";
  return MakeFrame(kText, Deflate(text + R"("x":0})", 9), kCompressed);
}

void Ping(TestClient* client, int id) {
  client->Send(absl::StrCat(R"({"cmd":"ping","id":)", id, "}"));
  EXPECT_EQ(client->NextEvent().Number("id"), id);
}

// The supervisor replaces a worker whose turns take too long.
TEST(DeflatedInputTest, ManyLargeTextsDoNotHoldTheWorkerUp) {
  constexpr int kClients = 50;
  constexpr int kBombs = 10;
  // Without pings, only answers come.
  Groupcast groupcast(/*workers=*/1, {"--deflate", "--stall_timeout=1s", "--ping_interval=1h"});
  const std::vector<pid_t> workers = groupcast.service.WorkerPids();
  TestClient neighbour(groupcast.service.port(), Mode::kV1);
  std::string bombs;
  for (int i = 0; i < kBombs; ++i) bombs += Bomb();
  const std::string last = MakeFrame(kText, Deflate(R"({"cmd":"ping","id":1})"), kCompressed);
  std::vector<TestClient> clients;
  for (int i = 0; i < kClients; ++i) clients.push_back(ConnectDeflated(groupcast.service.port()));
  for (TestClient& client : clients) client.raw().Write(bombs + last);
  for (int id = 1; id <= 10; ++id) Ping(&neighbour, id);
  // All of it is carried out in the end.
  for (TestClient& client : clients) {
    while (client.raw().received().empty() && client.raw().ReadMore(absl::Seconds(120))) {
    }
    EXPECT_EQ(client.NextEvent().Number("id"), 1);
  }
  EXPECT_EQ(groupcast.service.WorkerPids(), workers);
}

// While commands wait for the channel up to the bound, the worker reads only what is small.
TEST(DeflatedInputTest, TheyDoNotPassAClosedGate) {
  constexpr int kClients = 40;
  Groupcast groupcast(/*workers=*/1, {"--deflate", "--held_bytes=1000000"});
  const uint16_t port = groupcast.service.port();
  TestClient neighbour(port, Mode::kV1);
  std::vector<TestClient> clients;
  for (int i = 0; i < kClients; ++i) clients.push_back(ConnectDeflated(port));
  groupcast.channel.process().Signal(SIGSTOP);
  for (TestClient& client : clients) {
    client.Send(R"({"cmd":"add_group","group_id":"g"})");  // what follows waits for its answer
  }
  Ping(&neighbour, 1);
  for (TestClient& client : clients) client.raw().Write(Bomb());
  for (int id = 2; id <= 5; ++id) Ping(&neighbour, id);  // the worker has seen them
  int unread = 0;
  for (const KernelSocket& socket : SocketsOfServer(port)) unread += socket.receive_bytes > 0;
  EXPECT_GT(unread, kClients - 5) << "each would take a megabyte";
  groupcast.channel.process().Signal(SIGCONT);
  for (TestClient& client : clients) {
    client.Send(R"({"cmd":"ping","id":9})");
    EXPECT_EQ(client.NextEvent().Number("id"), 9);
  }
}

}  // namespace
}  // namespace groupcast::tests
