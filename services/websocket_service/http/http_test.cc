#include "services/websocket_service/http/http.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/http/origin_policy.h"

namespace groupcast::service {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

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

// RFC 7692 section 7.1.
TEST(HttpTest, TakesAnOfferOfPermessageDeflateThatItCanServe) {
  const auto deflates = [](const std::string& offers, bool may = true) {
    const HttpAnswer answer = Answer(
        absl::StrCat(kHandshake, "Sec-WebSocket-Extensions: ", offers, "\r\n"), {.deflates = may});
    EXPECT_EQ(Status(answer), 101) << offers;
    EXPECT_EQ(absl::StrContains(answer.bytes,
                                "\r\nSec-WebSocket-Extensions: permessage-deflate; "
                                "server_no_context_takeover; client_no_context_takeover\r\n"),
              answer.deflates);
    return answer.deflates;
  };
  for (const char* offers :
       {"permessage-deflate", "Permessage-Deflate", "permessage-deflate; client_max_window_bits",
        "permessage-deflate; client_max_window_bits=8",
        "permessage-deflate; server_max_window_bits=15",
        "permessage-deflate; client_max_window_bits=\"10\"",
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        "x-webkit-deflate-frame, permessage-deflate",
        "permessage-deflate; server_max_window_bits=10, permessage-deflate"}) {
    EXPECT_TRUE(deflates(offers)) << offers;
    EXPECT_FALSE(deflates(offers, /*may=*/false)) << offers;
  }
  for (const char* offers :
       {"permessage-deflat", "deflate", "x-permessage-deflate",
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_max_window_bits=10",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; client_max_window_bits=7",
        "permessage-deflate; client_max_window_bits=16",
        "permessage-deflate; client_max_window_bits=08",
        "permessage-deflate; client_max_window_bits=x",
        "permessage-deflate; server_no_context_takeover=1", "permessage-deflate; unknown",
        "permessage-deflate; client_max_window_bits; client_max_window_bits",
        "permessage-deflate; client_max_window_bits=\"10", "permessage-deflate;", "",
        "other; quoted=\"a, permessage-deflate\"", ";;;,,=\""}) {
    EXPECT_FALSE(deflates(offers)) << offers;
  }
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

TEST(HttpTest, TakesATokenFromEachPlace) {
  const auto with = [](const std::string& target, const std::string& headers) {
    std::string head = kHandshake;
    head.replace(head.find("/chat"), 5, target);
    return Answer(head + headers);
  };
  EXPECT_EQ(with("/?token=aZ_9-.b.c", "").token, "aZ_9-.b.c");
  EXPECT_EQ(with("/?x=1&token=a.b.c&session=s", "").token, "a.b.c");
  EXPECT_EQ(with("/", "Authorization: Bearer a.b.c\r\n").token, "a.b.c");
  EXPECT_EQ(with("/", "Authorization: bearer  a.b.c \r\n").token, "a.b.c");
  const HttpAnswer offered =
      with("/", "Sec-WebSocket-Protocol: groupcast.v1.json, groupcast.token.a.b.c\r\n");
  EXPECT_EQ(offered.token, "a.b.c");
  EXPECT_TRUE(offered.v1);
  EXPECT_FALSE(absl::StrContains(offered.bytes, "a.b.c"));
  // Others are none.
  EXPECT_EQ(with("/?tokens=a&xtoken=b", "Authorization: Basic YTpi\r\n").token, "");
  EXPECT_EQ(with("/?tokens=a&xtoken=b", "Authorization: Basic YTpi\r\n").upgraded, true);
}

TEST(HttpTest, RefusesWhatIsNotOneToken) {
  const auto status = [](const std::string& target, const std::string& headers) {
    std::string head = kHandshake;
    head.replace(head.find("/chat"), 5, target);
    return Status(Answer(head + headers));
  };
  EXPECT_EQ(status("/?token=", ""), 400);
  EXPECT_EQ(status("/?token", ""), 400);
  EXPECT_EQ(status("/?token=a%2eb", ""), 400);
  EXPECT_EQ(status("/?token=a&token=a", ""), 400);
  EXPECT_EQ(status("/?token=a", "Authorization: Bearer a\r\n"), 400);
  EXPECT_EQ(status("/", "Authorization: Bearer \r\nAuthorization: Bearer a\r\n"), 400);
  EXPECT_EQ(status("/", "Authorization: Bearer a b\r\n"), 400);
  EXPECT_EQ(status("/", "Sec-WebSocket-Protocol: groupcast.token.\r\n"), 400);
  EXPECT_EQ(status("/?token=a", "Sec-WebSocket-Protocol: groupcast.token.a\r\n"), 400);
}

// It may be for a proxy, and need not be a JSON Web Token.
TEST(HttpTest, WithoutKeysATokenIsForSomebodyElse) {
  std::string head = kHandshake;
  head.replace(head.find("/chat"), 5, "/?token=a%2eb&token");
  head += "Authorization: Bearer a b\r\nSec-WebSocket-Protocol: groupcast.token.\r\n";
  EXPECT_EQ(Status(Answer(head)), 400);
  const HttpAnswer answer = Answer(head, {.takes_tokens = false});
  EXPECT_TRUE(answer.upgraded);
  EXPECT_EQ(answer.token, "");
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

// A handshake with these lines instead of its Host.
std::string HandshakeWith(const std::string& lines) {
  const std::string host = "Host: server.example.com\r\n";
  std::string head = kHandshake;
  return head.replace(head.find(host), host.size(), lines);
}

TEST(HttpTest, RefusesPagesOfOtherOrigins) {
  const HttpAnswer answer =
      Answer(HandshakeWith("Host: a.example\r\nOrigin: http://evil.example\r\n"));
  EXPECT_EQ(Status(answer), 403);
  EXPECT_FALSE(answer.upgraded);
  EXPECT_EQ(answer.refusal, Refusal::kOrigin);
  EXPECT_EQ(answer.refused, "http://evil.example");
  EXPECT_THAT(answer.bytes, HasSubstr("Content-Type: text/plain"));
  EXPECT_THAT(answer.bytes, HasSubstr("\"http://evil.example\""));
  EXPECT_THAT(answer.bytes, HasSubstr("--allowed_origins"));
  for (const char* lines : {"Host: a.example\r\nOrigin: http://a.example\r\n",
                            "Host: a.example\r\nOrigin: http://localhost:3000\r\n",
                            "Host: a.example\r\nOrigin: null\r\n"}) {
    EXPECT_EQ(Status(Answer(HandshakeWith(lines))), 101) << lines;
  }
}

TEST(HttpTest, NamesTheFlagThatPagesWithoutAnOriginNeed) {
  const absl::StatusOr<OriginPolicy> policy = OriginPolicy::Create({.allow_null_origin = false});
  ASSERT_TRUE(policy.ok());
  const HttpAnswer answer =
      Answer(HandshakeWith("Host: a\r\nOrigin: null\r\n"), {.origins = &*policy});
  EXPECT_EQ(Status(answer), 403);
  EXPECT_THAT(answer.bytes, HasSubstr("--allow_null_origin"));
}

TEST(HttpTest, AHandshakeWithoutOneOriginIsMalformed) {
  for (const char* lines : {"Host: a\r\nOrigin: http://localhost\r\nOrigin: http://localhost\r\n",
                            "Host: a\r\nOrigin: null\r\nOrigin: http://evil.example\r\n",
                            "Host: a\r\nOrigin:\r\n", "Host: a\r\nOrigin: http://localhost/\r\n",
                            "Host: a\r\nOrigin: http://localhost@evil.example\r\n"}) {
    const HttpAnswer answer = Answer(HandshakeWith(lines));
    EXPECT_EQ(Status(answer), 400) << lines;
    EXPECT_THAT(answer.bytes, HasSubstr("Origin")) << lines;
    EXPECT_EQ(answer.refusal, Refusal::kNone) << lines;
  }
}

class HostRuleTest : public ::testing::Test {
 protected:
  int StatusOf(const std::string& head) { return Status(Answer(head, {.origins = &*policy_})); }

  const absl::StatusOr<OriginPolicy> policy_ = OriginPolicy::Create({.is_loopback = true});
};

TEST_F(HostRuleTest, HoldsForPagesAndHandshakes) {
  const HttpAnswer answer =
      Answer("GET / HTTP/1.1\r\nHost: evil.example:1234\r\n", {.origins = &*policy_, .full = true});
  EXPECT_EQ(Status(answer), 403);
  EXPECT_EQ(answer.refusal, Refusal::kHost);
  EXPECT_EQ(answer.refused, "evil.example:1234");
  EXPECT_THAT(answer.bytes, HasSubstr("\"evil.example:1234\""));
  EXPECT_THAT(answer.bytes, HasSubstr("--allowed_hosts"));
  EXPECT_EQ(StatusOf("HEAD / HTTP/1.1\r\nHost: evil.example\r\n"), 403);
  EXPECT_EQ(StatusOf("GET /healthz HTTP/1.1\r\nHost: evil.example\r\n"), 403);
  EXPECT_EQ(StatusOf("GET / HTTP/1.1\r\nHost: localhost:1234\r\n"), 426);
  EXPECT_EQ(StatusOf(kHandshake), 403);
  EXPECT_EQ(StatusOf(HandshakeWith("Host: evil.example\r\nOrigin: http://evil.example\r\n")), 403);
  EXPECT_EQ(StatusOf(HandshakeWith("Host: 127.0.0.1\r\n")), 101);
  EXPECT_EQ(StatusOf(HandshakeWith("Host:\r\n")), 101);
}

TEST_F(HostRuleTest, KnowsOneHostOnly) {
  EXPECT_EQ(StatusOf("GET / HTTP/1.1\r\n"), 400);
  EXPECT_EQ(StatusOf("GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n"), 400);
  EXPECT_EQ(StatusOf("GET / HTTP/1.1\r\nHost: localhost@evil.example\r\n"), 400);
  // Before HTTP/1.1 a request need not have one.
  EXPECT_EQ(StatusOf("GET / HTTP/1.0\r\n"), 426);
  EXPECT_EQ(StatusOf("GET / HTTP/1.0\r\nHost: evil.example\r\n"), 403);
  EXPECT_EQ(StatusOf("GET / HTTP/1.0\r\nHost: localhost\r\nHost: localhost\r\n"), 400);
}

// RFC 9112 section 3.2.2: the host of the target is the request's.
TEST_F(HostRuleTest, TheHostOfTheTargetCounts) {
  EXPECT_EQ(StatusOf("GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n"), 403);
  EXPECT_EQ(StatusOf("GET https://evil.example HTTP/1.1\r\nHost: localhost\r\n"), 403);
  EXPECT_EQ(StatusOf("GET http://localhost@evil.example/ HTTP/1.1\r\nHost: localhost\r\n"), 400);
  EXPECT_EQ(StatusOf("GET http://localhost:1234/healthz HTTP/1.1\r\nHost: evil.example\r\n"), 503);
}

TEST_F(HostRuleTest, WhatAClientWroteIsShortAndPrintableInAnAnswer) {
  const std::string host = std::string(150, 'a') + ".evil.example";
  const HttpAnswer answer =
      Answer(absl::StrCat("GET / HTTP/1.1\r\nHost: ", host, "\r\n"), {.origins = &*policy_});
  EXPECT_EQ(Status(answer), 403);
  EXPECT_EQ(answer.refused, std::string(100, 'a') + "...");
  EXPECT_THAT(answer.bytes, HasSubstr("\"" + std::string(100, 'a') + "...\""));
  const std::string origin = Answer(HandshakeWith("Host: a\r\nOrigin: a\tb\xff\"\r\n")).bytes;
  EXPECT_THAT(origin, EndsWith("not \"a\\tb\\xff\\\"\".\n"));
}

TEST(HttpTest, AFullWorkerSaysSo) {
  const HttpAnswer answer = Answer(kHandshake, {.full = true});
  EXPECT_EQ(Status(answer), 503);
  EXPECT_THAT(answer.bytes, HasSubstr("\r\nRetry-After: 5\r\n"));
  EXPECT_EQ(answer.refusal, Refusal::kWorkerFull);
}

TEST(HttpTest, AnAddressWithTooManyConnectionsIsTold) {
  const HttpAnswer answer = Answer(kHandshake, {.full = true, .address_full = true});
  EXPECT_EQ(Status(answer), 429);
  EXPECT_THAT(answer.bytes, HasSubstr("\r\nRetry-After: 5\r\n"));
  EXPECT_EQ(answer.refusal, Refusal::kAddressFull);
}

}  // namespace
}  // namespace groupcast::service
