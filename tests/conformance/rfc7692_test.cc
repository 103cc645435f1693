// RFC 7692: permessage-deflate, in raw bytes against a live service that has it.

#include <zlib.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gtest/gtest.h"
#include "tests/support/deflate.h"
#include "tests/support/event.h"
#include "tests/support/raw_client.h"
#include "tests/support/services.h"
#include "tests/support/test_client.h"
#include "tests/support/wait.h"
#include "tests/support/wire.h"

namespace groupcast::tests {
namespace {

using namespace std::string_literals;

constexpr FrameShape kCompressed{.reserved_bits = 4};
constexpr int kFrameBytesMax = 100'000;
constexpr int kThreshold = 200;

// Section 7.2.2. Each payload is inflated on its own.
std::string Inflate(std::string payload) {
  payload += "\x00\x00\xff\xff"s;
  z_stream stream{};
  inflateInit2(&stream, -15);
  std::string output(1 << 20, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(payload.data());
  stream.avail_in = static_cast<uInt>(payload.size());
  stream.next_out = reinterpret_cast<Bytef*>(output.data());
  stream.avail_out = static_cast<uInt>(output.size());
  const int result = inflate(&stream, Z_SYNC_FLUSH);
  if (result != Z_OK && result != Z_BUF_ERROR) throw Failure("the service compresses badly");
  output.resize(output.size() - stream.avail_out);
  inflateEnd(&stream);
  return output;
}

std::string Request(absl::string_view offers, absl::string_view subprotocol = "") {
  return absl::StrReplaceAll(
      HandshakeRequest(subprotocol),
      {{"\r\n\r\n", absl::StrCat("\r\nSec-WebSocket-Extensions: ", offers, "\r\n\r\n")}});
}

class DeflateTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    groupcast_ = std::make_unique<Groupcast>(
        /*workers=*/1, Flags{"--deflate", absl::StrCat("--deflate_threshold=", kThreshold),
                             absl::StrCat("--max_frame_bytes=", kFrameBytesMax)});
  }
  static void TearDownTestSuite() { groupcast_.reset(); }

  static uint16_t port() { return groupcast_->service.port(); }
  static WebSocketService& service() { return groupcast_->service; }

  // A connection with the extension, after its handshake.
  class Client {
   public:
    explicit Client(absl::string_view subprotocol = "") : raw_(port()) {
      raw_.Write(Request("permessage-deflate; client_max_window_bits", subprotocol));
      for (;;) {
        if (const std::optional<HttpResponse> response = TakeResponse(&raw_.received())) {
          EXPECT_EQ(response->status, 101);
          EXPECT_EQ(response->Header("sec-websocket-extensions"),
                    "permessage-deflate; server_no_context_takeover; client_no_context_takeover");
          break;
        }
        if (!raw_.ReadMore()) throw Failure("no answer to the handshake");
      }
    }
    void Write(const std::string& bytes) { raw_.Write(bytes); }
    // A compressed text frame.
    void SendDeflated(absl::string_view text) {
      Write(MakeFrame(kText, Deflate(text), kCompressed));
    }
    Frame NextFrame() {
      for (;;) {
        if (std::optional<Frame> frame = TakeFrame(&raw_.received(), /*may_deflate=*/true)) {
          return *std::move(frame);
        }
        if (!raw_.ReadMore()) throw Failure("no frame came");
      }
    }
    std::string NextText() {
      Frame frame = NextFrame();
      EXPECT_EQ(frame.opcode, kText) << frame.payload;
      return frame.is_deflated ? Inflate(frame.payload) : frame.payload;
    }
    int CloseCode() {
      const Frame frame = NextFrame();
      EXPECT_EQ(frame.opcode, kClose) << frame.payload;
      return frame.close_code();
    }
    // Whether the answer to a compressed ping command is the next text.
    bool IsQuiet() {
      SendDeflated(Ping("\"quiet\""));
      return absl::StrContains(NextText(), "\"quiet\"");
    }

   private:
    RawClient raw_;
  };

  static std::unique_ptr<Groupcast> groupcast_;
};

std::unique_ptr<Groupcast> DeflateTest::groupcast_;

TEST_F(DeflateTest, Section5_OffersThatCannotBeServedLeaveThePlainProtocol) {
  for (const char* offers : {"permessage-deflate; server_max_window_bits=9",
                             "permessage-deflate; nonsense", "x-deflate", ";;;,,=\""}) {
    RawClient raw(port());
    raw.Write(Request(offers));
    while (!absl::StrContains(raw.received(), "\r\n\r\n")) ASSERT_TRUE(raw.ReadMore());
    const HttpResponse response = *TakeResponse(&raw.received());
    EXPECT_EQ(response.status, 101) << offers;
    EXPECT_EQ(response.Header("sec-websocket-extensions"), "") << offers;
    raw.Write(MakeFrame(kText, Deflate("{}"), kCompressed));
    std::optional<Frame> frame;
    while (!(frame = TakeFrame(&raw.received()))) ASSERT_TRUE(raw.ReadMore());
    EXPECT_EQ(frame->close_code(), 1002) << offers;
  }
}

TEST_F(DeflateTest, Section6_2_CompressedAndPlainMessagesMayAlternate) {
  Client client;
  for (int i = 0; i < 5; ++i) {
    client.Write(TextFrame(Ping(absl::StrCat(i))));
    client.SendDeflated(Ping(absl::StrCat(100 + i)));
    EXPECT_TRUE(absl::StrContains(client.NextText(), absl::StrCat("\"id\":", i, ",")));
    EXPECT_TRUE(absl::StrContains(client.NextText(), absl::StrCat("\"id\":", 100 + i, ",")));
  }
}

TEST_F(DeflateTest, Section6_2_AFragmentedMessageIsInflatedAsAWhole) {
  const std::string payload = Deflate(Ping("\"in pieces\""));
  for (size_t cut = 0; cut <= payload.size(); ++cut) {
    Client client;
    std::string bytes =
        MakeFrame(kText, payload.substr(0, cut), {.fin = false, .reserved_bits = 4}) +
        MakeFrame(kPing, "between") + MakeFrame(kContinuation, payload.substr(cut));
    for (const char byte : bytes) client.Write(std::string(1, byte));
    EXPECT_EQ(client.NextFrame().payload, "between");
    EXPECT_TRUE(absl::StrContains(client.NextText(), "in pieces")) << cut;
  }
}

TEST_F(DeflateTest, Section6_1_ReservedBitsElsewhereAreErrors) {
  for (const std::string& bytes :
       {MakeFrame(kPing, "p", kCompressed), MakeFrame(kClose, "", kCompressed),
        MakeFrame(kText, "a", {.reserved_bits = 6}), MakeFrame(kText, "a", {.reserved_bits = 5}),
        MakeFrame(kText, "a", {.fin = false}) + MakeFrame(kContinuation, "b", kCompressed)}) {
    Client client;
    client.Write(bytes);
    EXPECT_EQ(client.CloseCode(), 1002) << Printable(bytes);
  }
}

TEST_F(DeflateTest, Section7_2_2_WhatIsNotCompressedTextIsRefused) {
  for (const std::string& payload :
       {std::string("\xff\xff\xff"), Deflate(Ping("1")).substr(0, 10),
        Deflate("{\"cmd\":\"\xff\"}"), Deflate("\xe2\x82"), std::string()}) {
    Client client;
    client.Write(MakeFrame(kText, payload, kCompressed));
    EXPECT_EQ(client.CloseCode(), 1007) << absl::CHexEscape(payload);
  }
}

TEST_F(DeflateTest, Section7_2_3_6_AnEmptyMessageIsAnEmptyText) {
  Client client;
  client.Write(MakeFrame(kText, "\0"s, kCompressed));
  EXPECT_TRUE(absl::StrContains(client.NextText(), "bad_json"));
}

TEST_F(DeflateTest, Section7_2_3_4_BlocksMarkedAsTheLastAreRead) {
  Client client;
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
  const std::string text = Ping("\"last block\"");
  std::string payload(200, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(payload.data());
  stream.avail_out = static_cast<uInt>(payload.size());
  deflate(&stream, Z_FINISH);
  payload.resize(payload.size() - stream.avail_out);
  deflateEnd(&stream);
  client.Write(MakeFrame(kText, payload + "\0"s, kCompressed));
  EXPECT_TRUE(absl::StrContains(client.NextText(), "last block"));
}

TEST_F(DeflateTest, ABombIsClosedWith1009BeforeItIsInflated) {
  TestClient neighbour(port());
  Client client;
  client.SendDeflated(std::string(kFrameBytesMax, ' '));
  EXPECT_TRUE(absl::StrContains(client.NextText(), "bad_json")) << "at the bound it is read";
  const int64_t before = service().Limits()["inflated"];
  client.SendDeflated(std::string(kFrameBytesMax + 1, ' '));
  EXPECT_EQ(client.CloseCode(), 1009);
  Client bomber;
  bomber.SendDeflated(std::string(50 << 20, ' '));
  EXPECT_EQ(bomber.CloseCode(), 1009);
  WaitUntil("both are counted", [&] { return service().Limits()["inflated"] == before + 2; });
  EXPECT_TRUE(neighbour.IsQuiet());
}

// A publication is compressed for those that have the extension, and plain for the others.
TEST_F(DeflateTest, MembersOfAllKindsGetTheSameMessages) {
  Client bare;
  Client v1("groupcast.v1.json");
  TestClient plain(port());
  EXPECT_TRUE(absl::StrContains(v1.NextText(), "welcome"));
  for (Client* client : {&bare, &v1}) {
    client->SendDeflated(AddGroup("\"all kinds\"", "1"));
    EXPECT_TRUE(absl::StrContains(client->NextText(), "reply"));
  }
  plain.Join("all kinds");
  for (const size_t bytes :
       {size_t{10}, size_t{kThreshold - 1}, size_t{kThreshold}, size_t{60'000}}) {
    const std::string text(bytes, 'm');
    v1.SendDeflated(SendToGroup("\"all kinds\"", Quoted(text)));
    const Frame frame = bare.NextFrame();
    EXPECT_EQ(frame.is_deflated, bytes >= kThreshold) << bytes;
    EXPECT_EQ(frame.is_deflated ? Inflate(frame.payload) : frame.payload, text);
    EXPECT_TRUE(!frame.is_deflated || frame.payload.size() < bytes / 5) << bytes;
    EXPECT_TRUE(absl::StrContains(v1.NextText(), Quoted(text)));
    EXPECT_EQ(plain.NextText(), text);
  }
  // A history is not: each reader would cost a compression of all of it.
  bare.SendDeflated(R"({"cmd":"group_history","group_id":"all kinds","limit":1,"id":"history"})");
  const Frame history = bare.NextFrame();
  EXPECT_FALSE(history.is_deflated);
  EXPECT_TRUE(absl::StrContains(history.payload, "\"id\":\"history\""));
  EXPECT_TRUE(bare.IsQuiet());
  EXPECT_TRUE(v1.IsQuiet());
}

// A compressed command that must wait is held as its text.
TEST_F(DeflateTest, CompressedCommandsWaitLikeOthers) {
  Client client;
  client.Write(MakeFrame(kText, Deflate(AddGroup("\"waits\"")), kCompressed) +
               MakeFrame(kText, Deflate(SendToGroup("\"waits\"", "\"own\"")), kCompressed) +
               TextFrame(SendToGroup("\"waits\"", "\"plain\"")));
  EXPECT_EQ(client.NextText(), "own");
  EXPECT_EQ(client.NextText(), "plain");
}

}  // namespace
}  // namespace groupcast::tests
