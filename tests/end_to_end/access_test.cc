// Tokens and rights, with the real services: where a client shows its token, and what each place,
// defect and right leads to.

#include <sys/stat.h>

#include <csignal>
#include <cstdint>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/access/testing/token_maker.h"
#include "tests/support/process.h"
#include "tests/support/raw_client.h"
#include "tests/support/services.h"
#include "tests/support/test_client.h"
#include "tests/support/wait.h"
#include "tests/support/wire.h"

namespace groupcast::tests {
namespace {

using service::Base64Url;
using service::HmacToken;
using service::SigningKey;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr absl::string_view kSecret = "0123456789abcdef0123456789abcdef";

std::string WriteKey(absl::string_view content, mode_t mode = 0600) {
  std::string path = NewTempPath("key");
  std::ofstream(path) << content;
  chmod(path.c_str(), mode);
  return path;
}

Flags WithSecret(Flags flags = {}) {
  flags.push_back("--token_keys=" + WriteKey(kSecret));
  return flags;
}

std::string TokenOf(absl::string_view claims) { return HmacToken(claims, kSecret); }

// A handshake with this target and these header lines besides the usual ones.
std::string Request(absl::string_view target, absl::string_view headers) {
  return absl::StrReplaceAll(
      HandshakeRequest(), {{"GET / ", absl::StrCat("GET ", target, " ")},
                           {"Host: 127.0.0.1\r\n", absl::StrCat("Host: 127.0.0.1\r\n", headers)}});
}

constexpr absl::string_view kV1Header = "Sec-WebSocket-Protocol: groupcast.v1.json\r\n";

TestClient Connect(uint16_t port, absl::string_view target, absl::string_view headers = kV1Header,
                   Mode mode = Mode::kV1) {
  RawClient raw(port);
  raw.Write(Request(target, headers));
  return TestClient(std::move(raw), mode);
}

TestClient ConnectWith(uint16_t port, absl::string_view token) {
  return Connect(port, absl::StrCat("/?token=", token));
}

// The code of the error that a command gets; empty: it has a reply.
std::string ErrorOf(TestClient* client, absl::string_view command) {
  client->Send(command);
  const Event answer = client->NextEvent();
  return answer.name() == "error" ? answer.Text("code") : "";
}

std::string JoinCommand(absl::string_view group) {
  return absl::StrCat(R"({"cmd":"add_group","id":1,"group_id":")", group, "\"}");
}

// How a service with these flags ends that must not start.
struct Refusal {
  int exit_code = 0;
  std::string output;
};
Refusal StartRefused(Flags flags) {
  flags.insert(flags.end(), {"--port=0", "--workers=1"});
  Process process(kWebSocketServiceBinary, flags);
  const int exit_code = process.WaitForEnd();
  return {.exit_code = exit_code, .output = process.Output()};
}

// It may be for a proxy.
TEST(AccessTest, WithoutKeysATokenOfAnyFormIsForSomebodyElse) {
  Groupcast groupcast(1);
  TestClient client = Connect(groupcast.service.port(), "/?token=a%2eb",
                              absl::StrCat(kV1Header, "Authorization: Bearer a b\r\n"));
  EXPECT_FALSE(client.welcome().Has("user"));
  EXPECT_EQ(ErrorOf(&client, JoinCommand("room")), "");
}

TEST(AccessTest, ATokenMayComeInEachPlace) {
  Groupcast groupcast(1, WithSecret());
  const uint16_t port = groupcast.service.port();
  const std::string token = TokenOf(R"({"sub":"alice","groups":["room"]})");
  const auto expect_alice = [](TestClient client) {
    EXPECT_EQ(client.welcome().Text("user"), "alice");
    EXPECT_EQ(ErrorOf(&client, JoinCommand("room")), "");
  };
  expect_alice(ConnectWith(port, token));
  expect_alice(
      Connect(port, "/", absl::StrCat(kV1Header, "Authorization: Bearer ", token, "\r\n")));
  expect_alice(Connect(
      port, "/",
      absl::StrCat("Sec-WebSocket-Protocol: groupcast.v1.json, groupcast.token.", token, "\r\n")));
  TestClient late = Connect(port, "/");
  EXPECT_EQ(late.welcome().text().find("\"user\""), std::string::npos);
  EXPECT_EQ(ErrorOf(&late, JoinCommand("room")), "unauthorized");
  late.Send(absl::StrCat(R"({"cmd":"authenticate","id":1,"token":")", token, "\"}"));
  EXPECT_EQ(late.NextEvent().text(), R"({"event":"reply","id":1,"user":"alice"})");
  EXPECT_EQ(ErrorOf(&late, JoinCommand("room")), "");
}

TEST(AccessTest, BareClientsShowTokensToo) {
  Groupcast groupcast(1, WithSecret());
  const uint16_t port = groupcast.service.port();
  const std::string token = TokenOf(R"({"sub":"alice","groups":["room"]})");
  TestClient bare = Connect(port, absl::StrCat("/?token=", token), "", Mode::kBare);
  bare.Send(R"({"cmd":"add_group","group_id":"room"})");
  bare.Send(R"({"cmd":"send_to_group","group_id":"room","message":"hello"})");
  EXPECT_EQ(bare.NextText(), "hello");
  TestClient bad = Connect(port, "/?token=x", "", Mode::kBare);
  EXPECT_EQ(bad.WaitForEnd().close_code, 4500);
}

TEST(AccessTest, KeysOfEachKind) {
  const SigningKey rsa(SigningKey::Type::kRsa2048);
  const SigningKey p256(SigningKey::Type::kP256);
  const SigningKey other(SigningKey::Type::kP256);
  const std::string files = absl::StrCat(
      WriteKey(absl::StrCat(kSecret, "\n")), ",", WriteKey(rsa.PublicPem(), 0644), ",",
      WriteKey(absl::StrCat(R"({"keys":[{"kid":"a",)", p256.JwkMembers(), "}]}"), 0644));
  Groupcast groupcast(2, {"--token_keys=" + files});
  const uint16_t port = groupcast.service.port();
  const std::string claims = R"({"sub":"alice"})";
  for (const std::string& token : {TokenOf(claims), rsa.Sign(claims), p256.Sign(claims),
                                   p256.Sign(R"({"alg":"ES256","kid":"a"})", claims)}) {
    EXPECT_EQ(ConnectWith(port, token).welcome().Text("user"), "alice") << token;
  }
  for (const std::string& token :
       {other.Sign(claims), p256.Sign(R"({"alg":"ES256","kid":"b"})", claims),
        // An RSA key as a secret.
        HmacToken(claims, rsa.PublicPem())}) {
    TestClient client = ConnectWith(port, token);
    const TestClient::End end = client.WaitForEnd();
    EXPECT_EQ(end.close_code, 4500) << token;
  }
}

TEST(AccessTest, WhatIsRefused) {
  Groupcast groupcast(2, WithSecret({"--token_leeway=0s"}));
  const uint16_t port = groupcast.service.port();
  TestClient neighbour = ConnectWith(port, TokenOf("{}"));
  const std::string good = TokenOf("{}");
  const int64_t now = absl::ToUnixSeconds(absl::Now());
  struct Case {
    std::string what;
    std::string token;
    int close_code = 4500;
  };
  for (const Case& c : std::vector<Case>{
           {"none", absl::StrCat(Base64Url(R"({"alg":"none"})"), ".", Base64Url("{}"), ".")},
           {"another algorithm", HmacToken(R"({"alg":"HS512"})", "{}", kSecret)},
           {"truncated", good.substr(0, good.size() - 2)},
           {"without its signature", good.substr(0, good.rfind('.') + 1)},
           {"a doubled claim", TokenOf(R"({"sub":"a","sub":"b"})")},
           {"a wrong type", TokenOf(R"({"sub":1})")},
           {"exp as a string", TokenOf(absl::StrCat(R"({"exp":")", now + 600, "\"}"))},
           {"expired", TokenOf(absl::StrCat(R"({"exp":)", now - 1, "}")), 4501},
           {"not yet valid", TokenOf(absl::StrCat(R"({"nbf":)", now + 600, "}"))},
           {"an unknown audience", TokenOf(R"({"aud":"others"})")},
           {"another secret", HmacToken("{}", "another secret of thirty-two byte")}}) {
    SCOPED_TRACE(c.what);
    TestClient client = ConnectWith(port, c.token);
    const TestClient::End end = client.WaitForEnd();
    EXPECT_EQ(end.close_code, c.close_code) << c.what;
    ASSERT_EQ(end.texts.size(), 2u) << c.what;
    EXPECT_THAT(end.texts[0], HasSubstr(c.close_code == 4501 ? R"("code":"token_expired")"
                                                             : R"("code":"unauthorized")"))
        << c.what;
    EXPECT_THAT(end.texts[1], HasSubstr(absl::StrCat(R"("event":"closing","code":)", c.close_code)))
        << c.what;
  }
  EXPECT_TRUE(neighbour.IsQuiet());
}

TEST(AccessTest, MalformedTokensAreNoHandshake) {
  Groupcast groupcast(1, WithSecret());
  const std::string token = TokenOf("{}");
  const auto status = [&](absl::string_view target, absl::string_view headers) {
    RawClient client(groupcast.service.port());
    client.Write(Request(target, headers));
    for (;;) {
      if (std::optional<HttpResponse> response = TakeResponse(&client.received())) {
        return response->status;
      }
      if (!client.ReadMore()) throw Failure("no response");
    }
  };
  EXPECT_EQ(status(absl::StrCat("/?token=", token), ""), 101);
  EXPECT_EQ(status("/?token=", ""), 400);
  EXPECT_EQ(status("/?token", ""), 400);
  EXPECT_EQ(status("/?token=a%2eb", ""), 400);
  EXPECT_EQ(status(absl::StrCat("/?token=", token, "&token=", token), ""), 400);
  EXPECT_EQ(status(absl::StrCat("/?token=", token),
                   absl::StrCat("Authorization: Bearer ", token, "\r\n")),
            400);
  EXPECT_EQ(status(absl::StrCat("/?token=", std::string(8 * 1024, 'a')), ""), 431);
}

TEST(AccessTest, ASecondTokenMustComeInTime) {
  Groupcast groupcast(1, WithSecret({"--authentication_timeout=500ms"}));
  TestClient silent = Connect(groupcast.service.port(), "/");
  TestClient bare = Connect(groupcast.service.port(), "/", "", Mode::kBare);
  EXPECT_EQ(silent.WaitForEnd().close_code, 4500);
  EXPECT_EQ(bare.WaitForEnd().close_code, 4500);
}

TEST(AccessTest, AnExpiredTokenEndsTheConnectionAfterTheGrace) {
  Groupcast groupcast(1, WithSecret({"--token_leeway=0s", "--token_grace=300ms"}));
  const uint16_t port = groupcast.service.port();
  const auto expiring = [](absl::Duration validity) {
    return TokenOf(
        absl::StrCat(R"({"sub":"alice","exp":)", absl::ToUnixSeconds(absl::Now() + validity), "}"));
  };
  TestClient client = ConnectWith(port, expiring(absl::Seconds(2)));
  const TestClient::End end = client.WaitForEnd();
  EXPECT_EQ(end.close_code, 4501);
  ASSERT_EQ(end.texts.size(), 2u);
  EXPECT_THAT(end.texts[0], HasSubstr(R"("code":"token_expired")"));
  EXPECT_THAT(end.texts[1], HasSubstr(R"("event":"closing","code":4501)"));
}

TEST(AccessTest, UsersGetWhatIsSentToThemOnEachWorker) {
  Groupcast groupcast(2, WithSecret());
  const uint16_t port = groupcast.service.port();
  std::vector<TestClient> alices;
  for (int i = 0; i < 8; ++i) alices.push_back(ConnectWith(port, TokenOf(R"({"sub":"alice"})")));
  // Their first answers come after the joins of their personal groups.
  for (TestClient& alice : alices) EXPECT_TRUE(alice.IsQuiet());
  TestClient bob = ConnectWith(port, TokenOf(R"({"sub":"bob","groups":{"send":["user:*"]}})"));
  EXPECT_EQ(
      ErrorOf(&bob, R"({"cmd":"send_to_group","id":1,"group_id":"user:alice","message":"hi"})"),
      "");
  for (TestClient& alice : alices) {
    const Event message = alice.NextEvent();
    EXPECT_EQ(message.Text("group_id"), "user:alice");
    EXPECT_EQ(message.Text("message"), "hi");
  }
  EXPECT_TRUE(bob.IsQuiet());
  EXPECT_EQ(ErrorOf(&bob, JoinCommand("user:alice")), "forbidden");
}

// A session scopes keys: with the key and the session of another user, a send is a new one.
TEST(AccessTest, ASessionIsOfNoUseToAnotherUser) {
  Groupcast groupcast(1, WithSecret());
  const uint16_t port = groupcast.service.port();
  const auto offset_of_send = [&](const std::string& user) {
    TestClient client = Connect(
        port, absl::StrCat("/?session=s&token=",
                           TokenOf(absl::StrCat(R"({"sub":")", user, R"(","groups":["room"]})"))));
    client.Send(R"({"cmd":"send_to_group","id":1,"group_id":"room","message":"m","key":"k"})");
    return client.NextEvent().Number("offset");
  };
  const int64_t first = offset_of_send("alice");
  EXPECT_EQ(offset_of_send("alice"), first);
  EXPECT_NE(offset_of_send("mallory"), first);
}

TEST(UserLimitTest, ConnectionsToAllWorkersCountTogether) {
  Groupcast groupcast(2, WithSecret({"--max_connections_per_user=6"}));
  const uint16_t port = groupcast.service.port();
  const std::string alice = TokenOf(R"({"sub":"alice"})");
  std::vector<TestClient> clients;
  for (int i = 0; i < 6; ++i) clients.push_back(ConnectWith(port, alice));
  for (TestClient& client : clients) EXPECT_TRUE(client.IsQuiet());
  const TestClient::End end = ConnectWith(port, alice).WaitForEnd();
  ASSERT_EQ(end.texts.size(), 2u);
  EXPECT_EQ(Event(end.texts[0]).Text("code"), "too_many_connections");
  EXPECT_EQ(Event(end.texts[1]).name(), "closing");
  EXPECT_EQ(end.close_code, 4503);
  EXPECT_EQ(end.reason, "the user has 6 connections");
  WaitUntil("it is counted", [&] { return groupcast.service.Limits()["user"] == 1; });
  // A late token counts too.
  TestClient late = Connect(port, "/");
  late.Send(absl::StrCat(R"({"cmd":"authenticate","token":")", alice, "\"}"));
  EXPECT_EQ(late.WaitForEnd().close_code, 4503);
  EXPECT_TRUE(ConnectWith(port, TokenOf(R"({"sub":"bob"})")).IsQuiet());
  clients.pop_back();
  WaitUntil("there is room again", [&] {
    TestClient next = ConnectWith(port, alice);
    next.Send(R"({"cmd":"ping","id":1})");
    return next.NextEvent().name() == "reply";
  });
}

TEST(UserLimitTest, GroupsOfAllConnectionsCountTogether) {
  // Each connection is in the user's own group too, which does not count.
  Groupcast groupcast(2, WithSecret({"--max_groups_per_user=2"}));
  const uint16_t port = groupcast.service.port();
  const std::string alice = TokenOf(R"({"sub":"alice","groups":["*"]})");
  TestClient first = ConnectWith(port, alice);
  TestClient second = ConnectWith(port, alice);
  EXPECT_EQ(ErrorOf(&first, JoinCommand("a")), "");
  EXPECT_EQ(ErrorOf(&second, JoinCommand("a")), "");
  EXPECT_EQ(ErrorOf(&second, JoinCommand("b")), "too_many_groups");
  EXPECT_EQ(ErrorOf(&first, R"({"cmd":"leave_group","id":1,"group_id":"a"})"), "");
  EXPECT_EQ(ErrorOf(&second, JoinCommand("b")), "");
  WaitUntil("it is counted", [&] { return groupcast.service.Limits()["user_groups"] == 1; });
}

TEST(UserLimitTest, CommandsOfAllConnectionsToAWorkerCountTogether) {
  Groupcast groupcast(1,
                      WithSecret({"--user_commands_per_second=0.001", "--user_command_burst=3"}));
  const uint16_t port = groupcast.service.port();
  const std::string alice = TokenOf(R"({"sub":"alice"})");
  TestClient first = ConnectWith(port, alice);
  TestClient second = ConnectWith(port, alice);
  EXPECT_EQ(ErrorOf(&first, R"({"cmd":"ping","id":1})"), "");
  EXPECT_EQ(ErrorOf(&first, R"({"cmd":"ping","id":1})"), "");
  EXPECT_EQ(ErrorOf(&second, R"({"cmd":"ping","id":1})"), "");
  EXPECT_EQ(ErrorOf(&first, R"({"cmd":"ping","id":1})"), "rate_limited");
  EXPECT_EQ(ErrorOf(&second, R"({"cmd":"ping","id":1})"), "rate_limited");
  TestClient bob = ConnectWith(port, TokenOf(R"({"sub":"bob"})"));
  EXPECT_EQ(ErrorOf(&bob, R"({"cmd":"ping","id":1})"), "");
  WaitUntil("it is counted", [&] { return groupcast.service.Limits()["user_commands"] == 2; });
}

TEST(AccessTest, GroupRulesDecideWithoutKeysToo) {
  const std::string file = NewTempPath("configuration");
  std::ofstream(file) << R"({"group_rules": [
    {"prefix": "news.", "send": "nobody", "names_sender": true},
    {"prefix": "chat.", "names_sender": true}]})";
  Groupcast groupcast(1, {"--config=" + file});
  TestClient client(groupcast.service.port(), Mode::kV1);
  EXPECT_EQ(ErrorOf(&client, JoinCommand("news.1")), "");
  EXPECT_EQ(ErrorOf(&client, R"({"cmd":"send_to_group","id":1,"group_id":"news.1","message":1})"),
            "forbidden");
  EXPECT_EQ(ErrorOf(&client, JoinCommand("chat.1")), "");
  client.Send(R"({"cmd":"send_to_group","group_id":"chat.1","message":"m"})");
  EXPECT_THAT(client.NextEvent().text(),
              HasSubstr(absl::StrCat(R"("from":{"connection_id":")",
                                     client.welcome().Text("connection_id"), "\"}")));
}

TEST(AccessTest, AServiceForOthersNeedsAWordOnWhoMayConnect) {
  const Refusal refusal = StartRefused({"--bind_address=0.0.0.0"});
  EXPECT_EQ(refusal.exit_code, 1);
  EXPECT_THAT(refusal.output, HasSubstr("is not a loopback address"));
  EXPECT_THAT(refusal.output, HasSubstr("--token_keys=FILE"));
  EXPECT_THAT(refusal.output, HasSubstr("--allow_anonymous"));
  // Each of the two is enough.
  ChannelServer channel;
  WebSocketService open(channel, 1, {"--bind_address=0.0.0.0", "--allow_anonymous"});
  EXPECT_TRUE(TestClient(open.port(), Mode::kV1).IsQuiet());
  WebSocketService closed(channel, 1, WithSecret({"--bind_address=0.0.0.0"}));
  EXPECT_TRUE(ConnectWith(closed.port(), TokenOf("{}")).IsQuiet());
}

TEST(AccessTest, KeysThatCannotBeUsedAreTold) {
  const std::string open_to_all = WriteKey(kSecret, 0644);
  EXPECT_THAT(StartRefused({"--token_keys=" + open_to_all}).output,
              HasSubstr(absl::StrCat("--token_keys: ", open_to_all,
                                     " has a secret, and other users may access it")));
  const std::string empty = WriteKey("");
  EXPECT_THAT(StartRefused({"--token_keys=" + empty}).output, HasSubstr(empty + " is empty"));
  EXPECT_THAT(StartRefused({"--token_keys=/no/such/key"}).output, HasSubstr("/no/such/key"));
  const std::string configuration = NewTempPath("configuration");
  std::ofstream(configuration) << "{\"websocket_service\": {\n\"token_keys\": \"/no/such/key\"}}";
  EXPECT_THAT(StartRefused({"--config=" + configuration, "--check_config"}).output,
              HasSubstr(absl::StrCat(configuration, ":2: websocket_service.token_keys: ")));
}

TEST(AccessTest, ReloadTakesOtherKeys) {
  const std::string path = WriteKey(kSecret);
  ChannelServer channel;
  WebSocketService service(channel, 1, {"--token_keys=" + path, "--drain_time=200ms"});
  const std::string new_secret = "another secret of thirty-two byte";
  EXPECT_EQ(ConnectWith(service.port(), HmacToken("{}", new_secret)).WaitForEnd().close_code, 4500);
  std::ofstream(path) << new_secret;
  service.process().Signal(SIGHUP);
  WaitUntil("the new key is in use", [&] {
    TestClient client = ConnectWith(service.port(), HmacToken("{}", new_secret));
    client.Send(R"({"cmd":"ping","id":1})");
    return client.NextEvent().name() == "reply";
  });
}

TEST(AccessTest, TokensAndSessionsDoNotGetIntoTheLog) {
  const std::string good = TokenOf(R"({"sub":"alice"})");
  const std::string bad = HmacToken(R"({"sub":"alice"})", "another secret of thirty-two byte");
  ChannelServer channel;
  WebSocketService service(channel, 1, WithSecret({"--log_level=trace", "--drain_time=100ms"}));
  for (const std::string& token : {good, bad}) {
    TestClient client =
        Connect(service.port(), absl::StrCat("/?session=SessionSecret&token=", token));
    if (token == bad) {
      client.WaitForEnd();
      continue;
    }
    client.Send(absl::StrCat(R"({"cmd":"authenticate","token":")", bad, "\"}"));
    client.Send(absl::StrCat(R"({"cmd":"add_group","group_id":"g","token":")", good, "\"}"));
    client.Send(R"({"cmd":"ping","id":1})");
    while (client.NextEvent().name() != "reply") continue;
  }
  RawClient malformed(service.port());
  malformed.Write(Request(absl::StrCat("/?session=SessionSecret&token=", good, "&token=", bad),
                          "Origin: https://evil.example\r\n"));
  malformed.ReadToEnd();
  service.process().Signal(SIGTERM);
  service.process().WaitForEnd();
  const std::string log = service.process().Output();
  EXPECT_THAT(log, HasSubstr("evil.example"));
  for (const std::string& secret : {good, bad, good.substr(good.rfind('.')),
                                    std::string("SessionSecret"), std::string(kSecret)}) {
    EXPECT_THAT(log, Not(HasSubstr(secret)));
  }
}

}  // namespace
}  // namespace groupcast::tests
