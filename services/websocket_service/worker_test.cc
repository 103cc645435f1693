// A worker with real connections, on a channel in memory.

#include "services/websocket_service/worker.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "services/channel/memory/memory_channel.h"
#include "services/common/listener.h"

namespace groupcast::service {
namespace {

constexpr int kMessages = 5'000;

// A text frame of a client (RFC 6455 section 5.2) with a mask of zeros, and space after the text so
// that its length takes two bytes.
std::string ClientFrame(std::string text) {
  text.resize(200, ' ');
  std::string frame = {'\x81', static_cast<char>(0x80 | 126), static_cast<char>(text.size() >> 8),
                       static_cast<char>(text.size() & 0xff)};
  return frame + std::string(4, '\0') + text;
}

// What a client that joins with `since` 0 receives, until it has had the last message or its
// connection ends. Its receive buffer is small, so that the worker's outbox fills.
std::string ReceiveAll(uint16_t port) {
  const Fd client(socket(AF_INET, SOCK_STREAM, 0));
  const int receive_buffer = 2'048;
  setsockopt(client.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
  const timeval patience{.tv_sec = 20};
  setsockopt(client.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  sockaddr_in address{.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) return "";
  const std::string request = absl::StrCat(
      "GET /?session=s HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
      "Sec-WebSocket-Protocol: groupcast.v1.json\r\n\r\n",
      ClientFrame(R"({"cmd":"add_group","group_id":"g","id":1,)"
                  R"("since":{"epoch":"0000000000000001","offset":0}})"));
  if (write(client.get(), request.data(), request.size()) < 0) return "";
  const std::string last = absl::StrCat("\"offset\":", kMessages, ",");
  std::string received;
  char bytes[4'096];
  for (size_t searched = 0; received.find(last, searched) == std::string::npos;) {
    searched = received.size() - std::min(received.size(), last.size());
    const ssize_t count = read(client.get(), bytes, sizeof(bytes));
    if (count <= 0) break;
    received.append(bytes, static_cast<size_t>(count));
  }
  return received;
}

// A recovery that is many times larger than the outbox neither makes its member a slow consumer nor
// stops on the way.
TEST(WorkerTest, RecoveryIsPacedByTheOutbox) {
  absl::StatusOr<Listeners> listeners = OpenListeners("127.0.0.1", 0, 1);
  ASSERT_TRUE(listeners.ok()) << listeners.status();
  int control[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control), 0);
  const Fd supervisor(control[0]);

  MemoryHub hub(Epoch{1});
  hub.SetAnswerMax(50);
  std::atomic<bool> done = false;
  const auto make_channel = [&](EventLoop* loop, ChannelListener* listener) {
    auto channel = std::make_unique<MemoryChannel>(&hub, listener);
    channel->SetConnected(true);
    for (int i = 0; i < kMessages; ++i) {
      const std::string text(1'000, 'm');
      channel->Publish({.group_id = "g", .content = {.data = text}}, [](const auto&) {});
    }
    loop->AddTurnHook(
        [&hub] { return hub.Pump() ? absl::InfinitePast() : absl::InfiniteFuture(); });
    loop->RunEvery(absl::Milliseconds(5), [loop, &done] {
      if (done) loop->Stop();
    });
    return absl::StatusOr<std::unique_ptr<Channel>>(std::move(channel));
  };
  WorkerOptions options;
  options.session.outbox_bytes_max = 8'192;
  SharedSlot slot;
  absl::StatusOr<std::unique_ptr<Worker>> worker = Worker::Create(
      options, make_channel, std::move(listeners->sockets[0]), Fd(control[1]), {.slot = &slot});
  ASSERT_TRUE(worker.ok()) << worker.status();

  std::string received;
  std::thread client([&] {
    received = ReceiveAll(listeners->port);
    done = true;
  });
  EXPECT_TRUE((*worker)->Run().ok());
  client.join();

  EXPECT_NE(received.find(R"("offset":0,"recovered":true})"), std::string::npos);
  size_t at = 0;
  for (int offset = 1; offset <= kMessages; ++offset) {
    at = received.find(absl::StrCat("\"offset\":", offset, ",\"previous\":", offset - 1, ","), at);
    ASSERT_NE(at, std::string::npos) << offset;
  }
}

}  // namespace
}  // namespace groupcast::service
