// Streams of events over restarts of everything that they pass through, and with all that a stream
// can ask for.

#include <sys/stat.h>

#include <csignal>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "boost/json.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/access/testing/token_maker.h"
#include "tests/support/http_client.h"
#include "tests/support/http_gateway.h"
#include "tests/support/services.h"
#include "tests/support/test_client.h"
#include "tests/support/wait.h"

namespace groupcast::tests {
namespace {

namespace json = boost::json;
using service::HmacToken;
using ::testing::HasSubstr;

constexpr char kEvents[] = "/v1/groups/g/events";
constexpr char kMessages[] = "/v1/groups/g/messages";

json::object Json(const StreamEvent& event) { return json::parse(event.data).as_object(); }

// The value of the next event, which must be a message.
int64_t NextMessage(EventStream* stream) {
  const StreamEvent event = stream->Next();
  EXPECT_EQ(event.name, "message") << event.data;
  return Json(event).at("message").as_int64();
}

void Publish(uint16_t port, int value) {
  HttpClient client(port);
  EXPECT_EQ(client.Post(kMessages, absl::StrCat(value)).status, 200);
}

HttpClient::Fields From(const std::string& id) { return {"Last-Event-ID: " + id}; }

// ---- Restarts

TEST(StreamRestartTest, AnotherGatewayGoesOnWhereTheFirstOneEnded) {
  ChannelServer channel;
  std::string last;
  {
    HttpGateway gateway(channel);
    EventStream stream(gateway.port(), kEvents);
    EXPECT_EQ(stream.Next().name, "joined");
    Publish(gateway.port(), 1);
    const StreamEvent message = stream.Next();
    last = message.id;
    Publish(gateway.port(), 2);
  }
  HttpGateway gateway(channel);
  EventStream stream(gateway.port(), kEvents, From(last));
  EXPECT_EQ(Json(stream.Next()).at("recovered").as_bool(), true);
  EXPECT_EQ(NextMessage(&stream), 2);
}

TEST(StreamRestartTest, AWorkersDeathLosesNoMessage) {
  ChannelServer channel;
  HttpGateway gateway(channel);
  EventStream stream(gateway.port(), kEvents);
  EXPECT_EQ(stream.Next().name, "joined");
  Publish(gateway.port(), 1);
  const std::string last = stream.Next().id;
  const pid_t worker = gateway.WorkerPids().at(0);
  kill(worker, SIGKILL);
  stream.client().raw().ReadToEnd();
  WaitUntil("there is another worker", [&] {
    const std::vector<pid_t> workers = gateway.WorkerPids();
    return workers.size() == 1 && workers[0] != worker;
  });
  Publish(gateway.port(), 2);
  EventStream again(gateway.port(), kEvents, From(last));
  EXPECT_EQ(Json(again.Next()).at("recovered").as_bool(), true);
  EXPECT_EQ(NextMessage(&again), 2);
}

TEST(StreamRestartTest, AChannelServerWithALogLosesNothing) {
  ChannelServer channel({"--data_dir=" + NewTempPath("data")});
  HttpGateway gateway(channel);
  EventStream one(gateway.port(), kEvents);
  EventStream two(gateway.port(), "/v1/events?group=g&group=other");
  EXPECT_EQ(one.Next().name, "joined");
  for (int i = 0; i < 2; ++i) EXPECT_EQ(two.Next().name, "joined");
  Publish(gateway.port(), 1);
  EXPECT_EQ(NextMessage(&one), 1);
  EXPECT_EQ(NextMessage(&two), 1);
  channel.Kill();
  channel.StartAgain();
  Publish(gateway.port(), 2);
  EXPECT_EQ(NextMessage(&one), 2);
  EXPECT_EQ(NextMessage(&two), 2);
}

// The gap's id is the position from which a client goes on.
TEST(StreamRestartTest, AChannelServerWithoutALogMakesAGap) {
  ChannelServer channel;
  HttpGateway gateway(channel);
  EventStream one(gateway.port(), kEvents);
  EventStream two(gateway.port(), "/v1/events?group=g&group=other");
  EXPECT_EQ(one.Next().name, "joined");
  for (int i = 0; i < 2; ++i) EXPECT_EQ(two.Next().name, "joined");
  Publish(gateway.port(), 1);
  const std::string before = one.Next().id;
  EXPECT_EQ(NextMessage(&two), 1);
  channel.Kill();
  channel.StartAgain();
  const StreamEvent gap = one.Next();
  EXPECT_EQ(gap.name, "gap");
  EXPECT_EQ(gap.id, absl::StrCat(std::string(Json(gap).at("epoch").as_string()), "-",
                                 Json(gap).at("to").as_int64()));
  // One for each group.
  std::string after;
  for (int i = 0; i < 2; ++i) {
    const StreamEvent event = two.Next();
    EXPECT_EQ(event.name, "gap");
    after = event.id;
  }
  one.client().raw().Close();
  two.client().raw().Close();
  Publish(gateway.port(), 2);
  EventStream one_again(gateway.port(), kEvents, From(gap.id));
  EXPECT_EQ(Json(one_again.Next()).at("recovered").as_bool(), true);
  EXPECT_EQ(NextMessage(&one_again), 2);
  EventStream two_again(gateway.port(), "/v1/events?group=g&group=other", From(after));
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(Json(two_again.Next()).at("recovered").as_bool(), true);
  }
  EXPECT_EQ(NextMessage(&two_again), 2);
  EventStream late(gateway.port(), kEvents, From(before));
  EXPECT_EQ(Json(late.Next()).at("recovered").as_bool(), false) << "its epoch is gone";
}

// ---- What a stream can ask for

class StreamTest : public testing::Test {
 protected:
  explicit StreamTest(const Flags& flags = {}) : gateway_(channel_, /*workers=*/1, flags) {}

  ChannelServer channel_;
  HttpGateway gateway_;
  const uint16_t port_ = gateway_.port();
};

TEST_F(StreamTest, BeginsWithTheNewestMessages) {
  for (int i = 1; i <= 3; ++i) Publish(port_, i);
  EventStream stream(port_, absl::StrCat(kEvents, "?history=2"));
  EXPECT_EQ(stream.Next().name, "joined");
  EXPECT_EQ(NextMessage(&stream), 2);
  EXPECT_EQ(NextMessage(&stream), 3);
  Publish(port_, 4);
  EXPECT_EQ(NextMessage(&stream), 4);
}

TEST_F(StreamTest, TellsOfMembersThatComeAndGo) {
  EventStream stream(port_, absl::StrCat(kEvents, "?presence=true"));
  EXPECT_EQ(stream.Next().name, "joined");
  // From its answer on, the service knows who was there before.
  EXPECT_EQ(HttpClient(port_).Get("/v1/groups/g/members").status, 200);
  EventStream other(port_, kEvents);
  EXPECT_EQ(other.Next().name, "joined");
  const StreamEvent joined = stream.Next();
  EXPECT_EQ(joined.name, "member_joined");
  EXPECT_EQ(Json(joined).at("group_id").as_string(), "g");
  other.client().raw().Close();
  EXPECT_EQ(stream.Next().name, "member_left");
}

class HeartbeatTest : public StreamTest {
 protected:
  HeartbeatTest() : StreamTest({"--heartbeat_interval=100ms"}) {}
};

TEST_F(HeartbeatTest, AQuietStreamHasComments) {
  EventStream stream(port_, kEvents);
  EXPECT_EQ(stream.Next().name, "joined");
  std::string& received = stream.client().raw().received();
  WaitUntil("three comments have come", [&] {
    stream.client().raw().ReadAvailable();
    return absl::StrContains(received, ":\n\n:\n\n:\n\n");
  });
  Publish(port_, 1);
  EXPECT_EQ(NextMessage(&stream), 1);
}

// ---- Tokens and keys

constexpr absl::string_view kSecret = "0123456789abcdef0123456789abcdef";

std::string WriteFile(absl::string_view name, absl::string_view content) {
  std::string path = NewTempPath(name);
  std::ofstream(path) << content;
  chmod(path.c_str(), 0600);
  return path;
}

std::string TokenOf(absl::string_view user, absl::Duration validity) {
  return HmacToken(absl::StrCat(R"({"sub":")", user, R"(","groups":["g"],"exp":)",
                                absl::ToUnixSeconds(absl::Now() + validity), "}"),
                   kSecret);
}

class TokenTest : public StreamTest {
 protected:
  TokenTest()
      : StreamTest({"--token_keys=" + WriteFile("key", kSecret), "--token_leeway=0s",
                    "--token_grace=300ms"}) {}
};

// Pages cannot give an EventSource a field.
TEST_F(TokenTest, ATokenMayBeInTheQuery) {
  const std::string token = TokenOf("ann", absl::Hours(1));
  EventStream stream(port_, absl::StrCat(kEvents, "?token=", token));
  EXPECT_EQ(stream.Next().name, "joined");
  HttpClient client(port_);
  EXPECT_EQ(client.Get(kEvents).status, 401);
  EXPECT_EQ(client.Get(absl::StrCat(kEvents, "?token=", token, "x")).status, 401);
  EXPECT_EQ(client.Get(absl::StrCat("/v1/groups/other/events?token=", token)).status, 403);
}

TEST_F(TokenTest, AnExpiredTokenEndsTheStreamWithAWord) {
  EventStream stream(port_, absl::StrCat(kEvents, "?token=", TokenOf("ann", absl::Seconds(3))));
  EXPECT_EQ(stream.Next().name, "joined");
  const StreamEvent problem = stream.Next();
  EXPECT_EQ(problem.name, "problem");
  EXPECT_EQ(Json(problem).at("code").as_string(), "token_expired");
  const StreamEvent closing = stream.Next();
  EXPECT_EQ(closing.name, "closing");
  EXPECT_EQ(Json(closing).at("code").as_int64(), 4501);
  stream.WaitForEnd();
}

TEST_F(TokenTest, AUserExcludesOnlySessionsOfItsOwn) {
  const std::string token = TokenOf("ann", absl::Hours(1));
  const HttpClient::Fields ann = {"Authorization: Bearer " + token};
  EventStream own(port_, absl::StrCat(kEvents, "?session=tab-1"), ann);
  EventStream bob(port_, absl::StrCat(kEvents, "?session=tab-1"),
                  {"Authorization: Bearer " + TokenOf("bob", absl::Hours(1))});
  EXPECT_EQ(own.Next().name, "joined");
  EXPECT_EQ(bob.Next().name, "joined");
  HttpClient client(port_);
  EXPECT_EQ(client.Post(absl::StrCat(kMessages, "?exclude_session=tab-1"), "1", ann).status, 200);
  EXPECT_THAT(own.Next().data, HasSubstr("\"excluded\":true"));
  EXPECT_EQ(NextMessage(&bob), 1);
  EXPECT_EQ(
      client.Post(absl::StrCat(kMessages, "?exclude_session=tab-1&exclude_user=bob"), "1", ann)
          .status,
      403);
  EXPECT_EQ(client.Post(absl::StrCat(kMessages, "?exclude_user=ann"), "1", ann).status, 400)
      << "a user without a session";
}

constexpr absl::string_view kTestKeyHash =
    "sha256:a952235f2d9306d108fcdb8f9abac0cc2218bc49092d175b774cb52669b37854";
constexpr absl::string_view kReaderKeyHash =
    "sha256:d600adfe7f04555ed0fd0b41749ef0d3125f3e276c0a0c5f7f428f3c894720bd";

std::string Keys(absl::string_view hash) {
  return absl::StrCat(R"({"api_keys": [{"name": "app", "scopes": ["publish", "read"], "hash": ")",
                      hash, "\"}]}");
}

TEST(StreamKeysTest, NewKeysComeWithSighupAndOldOnesGo) {
  ChannelServer channel;
  const std::string path = WriteFile("keys.json", Keys(kTestKeyHash));
  HttpGateway gateway(channel, /*workers=*/1, {"--config=" + path});
  const HttpClient::Fields test = {"Authorization: Bearer gck_test"};
  const HttpClient::Fields reader = {"Authorization: Bearer gck_reader"};
  EventStream stream(gateway.port(), kEvents, test);
  EXPECT_EQ(stream.Next().name, "joined");
  EXPECT_EQ(HttpClient(gateway.port()).Post(kMessages, "1", reader).status, 401);
  std::ofstream(path) << Keys(kReaderKeyHash);
  gateway.process().Signal(SIGHUP);
  EXPECT_EQ(stream.Next().name, "closing") << "its worker drains";
  stream.WaitForEnd();
  WaitUntil("the new key is valid",
            [&] { return HttpClient(gateway.port()).Post(kMessages, "1", reader).status == 200; });
  WaitUntil("the old key is not",
            [&] { return HttpClient(gateway.port()).Post(kMessages, "1", test).status == 401; });
}

TEST(StreamKeysTest, AProgramExcludesTheSessionOfAUser) {
  ChannelServer channel;
  const std::string path = WriteFile("keys.json", Keys(kTestKeyHash));
  HttpGateway gateway(channel, /*workers=*/1,
                      {"--config=" + path, "--token_keys=" + WriteFile("key", kSecret)});
  EventStream stream(
      gateway.port(),
      absl::StrCat(kEvents, "?session=tab-1&token=", TokenOf("ann", absl::Hours(1))));
  EXPECT_EQ(stream.Next().name, "joined");
  HttpClient client(gateway.port());
  const HttpClient::Fields key = {"Authorization: Bearer gck_test"};
  EXPECT_EQ(
      client.Post(absl::StrCat(kMessages, "?exclude_session=tab-1&exclude_user=ann"), "1", key)
          .status,
      200);
  EXPECT_THAT(stream.Next().data, HasSubstr("\"excluded\":true"));
  EXPECT_EQ(client.Post(absl::StrCat(kMessages, "?exclude_session=tab-1"), "2", key).status, 200);
  EXPECT_EQ(NextMessage(&stream), 2) << "the session of nobody is another one";
}

}  // namespace
}  // namespace groupcast::tests
