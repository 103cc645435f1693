// Bytes that are neither HTTP nor frames, frames that are not text, and peers that go away in the
// middle of things.

#include <random>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/support/live_server.h"
#include "tests/support/raw_client.h"
#include "tests/support/test_client.h"
#include "tests/support/wire.h"

namespace groupcast::tests {
namespace {

constexpr size_t kMegabyte = 1 << 20;

std::string RandomBytes(uint32_t seed, size_t bytes) {
  std::mt19937 random(seed);
  std::string text(bytes, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

TEST(GarbageTest, InsteadOfHttpIsRefusedInHttp) {
  for (const std::string& garbage :
       {RandomBytes(1, kMegabyte), std::string(kMegabyte, '\0'), std::string(kMegabyte, 'x'),
        std::string(kMegabyte, '\n'), TextFrame(std::string(kMegabyte, 'x'))}) {
    RawClient client(LiveServer::port());
    client.Write(garbage);
    client.ReadToEnd();
    EXPECT_TRUE(absl::StartsWith(client.received(), "HTTP/1.1 4")) << Printable(client.received());
    EXPECT_EQ(client.state(), RawClient::State::kClosed);
  }
}

// A TLS client that took the port for another.
TEST(GarbageTest, ATlsHelloIsRefused) {
  RawClient client(LiveServer::port());
  client.Write(absl::string_view("\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03", 11));
  client.Write(RandomBytes(2, 200));
  client.ReadToEnd();
  EXPECT_TRUE(absl::StrContains(client.received(), "This port has no TLS")) << client.received();
}

TEST(GarbageTest, InsteadOfFramesIsAProtocolError) {
  for (const std::string& garbage : {std::string(kMegabyte, '\0'), std::string(kMegabyte, 'x'),
                                     std::string(kMegabyte, '\xff')}) {
    TestClient client(LiveServer::port());
    client.raw().Write(garbage);
    EXPECT_EQ(client.WaitForEnd().close_code, 1002);
  }
}

// Some of it may pass for frames, so what it is closed with depends on the seed.
TEST(GarbageTest, RandomBytesInsteadOfFramesAreSomeError) {
  for (uint32_t seed = 0; seed < 100; ++seed) {
    SCOPED_TRACE(seed);
    TestClient client(LiveServer::port());
    client.raw().Write(RandomBytes(seed, 100'000));
    client.raw().CloseWriting();
    const int code = client.WaitForEnd().close_code;
    EXPECT_TRUE(code == 1002 || code == 1003 || code == 1007 || code == 1009) << code;
  }
}

TEST(GarbageTest, InATextFrameOfAMegabyteIsNotUtf8) {
  TestClient client(LiveServer::port());
  client.Send(RandomBytes(3, kMegabyte));
  EXPECT_EQ(client.WaitForEnd().close_code, 1007);
}

TEST(GarbageTest, InBinaryFramesIsUnsupported) {
  for (const std::string& payload :
       {std::string(), Ping("1"), RandomBytes(4, 1'000), RandomBytes(5, kMegabyte)}) {
    TestClient client(LiveServer::port());
    client.raw().Write(MakeFrame(kBinary, payload));
    EXPECT_EQ(client.WaitForEnd().close_code, 1003);
  }
}

// A good conversation in which single bits flip, as no real network does but any attacker can.
TEST(GarbageTest, AFlippedBitHarmsNobodyElse) {
  const std::string good = HandshakeRequest(kV1) + TextFrame(AddGroup("\"flipped\"", "1")) +
                           TextFrame(SendToGroup("\"flipped\"", "\"m\"", "2")) +
                           MakeFrame(kPing, "p") + CloseFrame(1000, "bye");
  std::mt19937 random(6);
  for (int i = 0; i < 300; ++i) {
    std::string bytes = good;
    const size_t at = random() % bytes.size();
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << random() % 8));
    SCOPED_TRACE(absl::StrCat("round ", i, ", byte ", at));
    RawClient client(LiveServer::port());
    client.Write(bytes);
    client.CloseWriting();
    client.ReadToEnd();
  }
}

TEST(GarbageTest, ConnectionsThatAreCutAnywhereHarmNobodyElse) {
  const std::string whole = HandshakeRequest() + TextFrame(AddGroup("\"cut\"")) +
                            TextFrame(SendToGroup("\"cut\"", "\"m\""));
  for (size_t i = 0; i <= whole.size(); ++i) {
    RawClient client(LiveServer::port());
    client.Write(absl::string_view(whole).substr(0, i));
  }
}

// The limit on unfinished messages is each connection's own.
TEST(GarbageTest, UnfinishedMessagesOfManyAreHeldSideBySide) {
  std::vector<TestClient> clients;
  for (int i = 0; i < 20; ++i) {
    clients.emplace_back(LiveServer::port());
    clients.back().raw().Write(
        MakeFrame(kText, Ping(absl::StrCat(i)) + std::string(1'000'000, ' '), {.fin = false}));
  }
  for (int i = 0; i < 20; ++i) {
    clients[i].raw().Write(MakeFrame(kContinuation, ""));
    EXPECT_EQ(clients[i].NextEvent().Number("id"), i);
  }
}

}  // namespace
}  // namespace groupcast::tests
