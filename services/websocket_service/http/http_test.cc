#include "services/websocket_service/http/http.h"

#include <string>

#include "absl/strings/match.h"
#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

constexpr char kHandshake[] =
    "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: "
    "Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";

HttpAnswer Answer(const std::string& head, const HttpContext& context = {}) {
  return AnswerRequest(head + "\r\n", context);
}

int Status(const HttpAnswer& answer) { return std::stoi(answer.bytes.substr(9, 3)); }

TEST(HttpTest, AnswersTheHandshakeOfTheRfc) {
  // RFC 6455 section 1.3.
  const HttpAnswer answer = Answer(kHandshake);
  EXPECT_TRUE(answer.upgraded);
  EXPECT_FALSE(answer.v1);
  EXPECT_EQ(Status(answer), 101);
  EXPECT_TRUE(
      absl::StrContains(answer.bytes, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
  EXPECT_FALSE(absl::StrContains(answer.bytes, "Sec-WebSocket-Protocol"));
  EXPECT_TRUE(absl::EndsWith(answer.bytes, "\r\n\r\n"));
}

TEST(HttpTest, ChoosesItsSubprotocolAmongOthers) {
  const HttpAnswer answer =
      Answer(std::string(kHandshake) + "Sec-WebSocket-Protocol: other, groupcast.v1.json\r\n");
  EXPECT_TRUE(answer.v1);
  EXPECT_TRUE(absl::StrContains(answer.bytes, "Sec-WebSocket-Protocol: groupcast.v1.json\r\n"));
  EXPECT_FALSE(Answer(std::string(kHandshake) + "Sec-WebSocket-Protocol: other\r\n").v1);
  EXPECT_FALSE(
      Answer(std::string(kHandshake) + "Sec-WebSocket-Protocol: Groupcast.V1.json\r\n").v1);
}

TEST(HttpTest, SaysWhatIsWrongWithAHandshake) {
  const auto with = [](const std::string& from, const std::string& to) {
    std::string head = kHandshake;
    head.replace(head.find(from), from.size(), to);
    return Status(Answer(head));
  };
  EXPECT_EQ(with("GET", "POST"), 400);
  EXPECT_EQ(with("HTTP/1.1", "HTTP/1.0"), 400);
  EXPECT_EQ(with("Host: server.example.com\r\n", ""), 400);
  EXPECT_EQ(with("Upgrade: websocket\r\n", ""), 400);
  EXPECT_EQ(with("Connection: Upgrade\r\n", "Connection: keep-alive\r\n"), 400);
  EXPECT_EQ(with("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZQ=="), 400);
  EXPECT_EQ(with("dGhlIHNhbXBsZSBub25jZQ==", "!!!!IHNhbXBsZSBub25jZQ=="), 400);
  EXPECT_EQ(with("Version: 13", "Version: 8"), 426);
  EXPECT_EQ(with("Sec-WebSocket-Version: 13\r\n", ""), 426);
  EXPECT_EQ(Status(Answer(std::string(kHandshake) + "Content-Length: 5\r\n")), 400);
  EXPECT_EQ(
      Status(Answer(std::string(kHandshake) + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")),
      400);
}

TEST(HttpTest, ReadsTheSessionFromTheTarget) {
  const auto with = [](const std::string& target) {
    std::string head = kHandshake;
    head.replace(head.find("/chat"), 5, target);
    return Answer(head);
  };
  const std::string longest(64, 's');
  EXPECT_EQ(with("/?session=aZ_9-").session, FingerprintOf({"aZ_9-"}));
  EXPECT_EQ(with("/chat?x=1&session=a&y").session, FingerprintOf({"a"}));
  EXPECT_EQ(with("/?session=" + longest).session, FingerprintOf({longest}));
  for (const char* target : {"/", "/?", "/?sessions=a", "/?x=session=a", "/session=a"}) {
    EXPECT_TRUE(with(target).upgraded) << target;
    EXPECT_TRUE(with(target).session.empty()) << target;
  }
  for (const std::string& target :
       {std::string("/?session"), std::string("/?session="), std::string("/?session=a%20"),
        std::string("/?session=a.b"), std::string("/?session=a&session=a"),
        std::string("/?session=&session=a"), "/?session=" + longest + "s"}) {
    EXPECT_EQ(Status(with(target)), 400) << target;
  }
}

TEST(HttpTest, TellsClientsOfOtherVersionsWhichOneItSpeaks) {
  std::string head = kHandshake;
  head.replace(head.find("13"), 2, "12");
  EXPECT_TRUE(absl::StrContains(Answer(head).bytes, "Sec-WebSocket-Version: 13\r\n"));
}

TEST(HttpTest, RefusesWhatIsNotHttp) {
  EXPECT_EQ(Status(AnswerRequest("\x16\x03\x01 nonsense\r\n\r\n", {})), 400);
  EXPECT_EQ(Status(AnswerTooLarge()), 431);
}

TEST(HttpTest, HealthFollowsTheChannel) {
  const std::string head = "GET /healthz HTTP/1.1\r\nHost: x\r\n";
  EXPECT_EQ(Status(Answer(head, {.channel_connected = true})), 200);
  EXPECT_EQ(Status(Answer(head, {.channel_connected = false})), 503);
}

TEST(HttpTest, WithoutPagesSaysWhatThisIs) {
  const HttpAnswer answer = Answer("GET / HTTP/1.1\r\nHost: x\r\n");
  EXPECT_EQ(Status(answer), 426);
  EXPECT_TRUE(absl::StrContains(answer.bytes, "WebSocket"));
  EXPECT_EQ(Status(Answer("DELETE / HTTP/1.1\r\nHost: x\r\n")), 405);
}

TEST(HttpTest, AFullWorkerSaysSo) { EXPECT_EQ(Status(Answer(kHandshake, {.full = true})), 503); }

}  // namespace
}  // namespace groupcast::service
