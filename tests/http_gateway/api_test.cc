// What programs do with the HTTP gateway, beside members that speak WebSocket.

#include <csignal>
#include <fstream>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "boost/json.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/http_client.h"
#include "tests/support/http_gateway.h"
#include "tests/support/services.h"
#include "tests/support/test_client.h"
#include "tests/support/wait.h"
#include "tests/support/wire.h"

namespace groupcast::tests {
namespace {

namespace json = boost::json;
using testing::HasSubstr;

json::object Json(const HttpReply& reply) {
  EXPECT_EQ(reply.status, 200) << reply.body;
  return json::parse(reply.body).as_object();
}

json::object Json(const StreamEvent& event) { return json::parse(event.data).as_object(); }

// The code of a refusal, which must be a problem document.
std::string CodeOf(const HttpReply& reply) {
  EXPECT_EQ(reply.Field("content-type"), "application/problem+json") << reply.body;
  const json::object problem = json::parse(reply.body).as_object();
  EXPECT_EQ(problem.at("status").as_int64(), reply.status);
  return std::string(problem.at("code").as_string());
}

class ApiTest : public ::testing::Test {
 protected:
  ApiTest() : gateway_(channel_, /*workers=*/1), client_(gateway_.port()) {}

  HttpReply Publish(const std::string& group, const std::string& message,
                    const HttpClient::Fields& fields = {}) {
    return client_.Post(absl::StrCat("/v1/groups/", group, "/messages"), message, fields);
  }

  ChannelServer channel_;
  HttpGateway gateway_;
  HttpClient client_;
};

TEST_F(ApiTest, APublicationReachesMembersAndIsAcknowledgedWithItsPosition) {
  WebSocketService service(channel_, /*workers=*/2);
  TestClient member(service.port(), Mode::kV1);
  member.Send(R"({"cmd":"add_group","group_id":"123","id":1})");
  EXPECT_EQ(member.NextEvent().name(), "reply");
  const json::object reply = Json(Publish("123", R"({ "a": 0.10 })"));
  EXPECT_EQ(reply.at("group_id").as_string(), "123");
  const Event message = member.NextEvent();
  EXPECT_EQ(message.name(), "message");
  EXPECT_EQ(message.Number("offset"), reply.at("offset").as_int64());
  EXPECT_THAT(message.text(), HasSubstr(R"("message":{"a":0.10},)"));

  EXPECT_EQ(Publish("123", "{\"a\": 1}", {"Content-Type: text/plain"}).status, 200);
  EXPECT_THAT(member.NextEvent().text(), HasSubstr(R"("message":"{\"a\": 1}")"));
}

TEST_F(ApiTest, ARepeatWithTheSameIdempotencyKeyCountsOnce) {
  const json::object first = Json(Publish("g", "1", {"Idempotency-Key: k"}));
  // Another connection of the same program.
  HttpClient other(gateway_.port());
  const json::object second =
      Json(other.Post("/v1/groups/g/messages", "1", {"Idempotency-Key: k"}));
  EXPECT_EQ(first.at("offset"), second.at("offset"));
  const json::object third = Json(Publish("g", "1", {"Idempotency-Key: l"}));
  EXPECT_NE(first.at("offset"), third.at("offset"));
  EXPECT_EQ(Json(client_.Get("/v1/groups/g/messages")).at("messages").as_array().size(), 2u);
}

TEST_F(ApiTest, AListHasOneResultForEachMessage) {
  const json::object reply = Json(client_.Post("/v1/messages", R"({"messages": [
      {"group_id": "a", "message": 1},
      {"group_ids": ["a", "b"], "message": "x", "key": "k"},
      {"group_id": "a"},
      {"group_ids": ["a", "b"], "message": "x", "key": "k"}]})"));
  const json::array& results = reply.at("results").as_array();
  ASSERT_EQ(results.size(), 4u);
  EXPECT_EQ(results[0].at("group_id").as_string(), "a");
  EXPECT_EQ(results[1].at("results").as_array().size(), 2u);
  EXPECT_EQ(results[2].at("code").as_string(), "message_missing");
  EXPECT_EQ(results[3], results[1]) << "its key is known";
  EXPECT_EQ(Json(client_.Get("/v1/groups/a/messages")).at("messages").as_array().size(), 2u);
}

TEST_F(ApiTest, HistoryGoesOnAfterAPosition) {
  const json::object first = Json(Publish("g", "1"));
  for (const char* message : {"2", "3"}) EXPECT_EQ(Publish("g", message).status, 200);
  const json::object rest = Json(client_.Get(
      absl::StrCat("/v1/groups/g/messages?epoch=", first.at("epoch").as_string().c_str(),
                   "&offset=", first.at("offset").as_int64())));
  EXPECT_EQ(rest.at("recovered").as_bool(), true);
  ASSERT_EQ(rest.at("messages").as_array().size(), 2u);
  EXPECT_EQ(rest.at("messages").as_array()[0].at("message").as_int64(), 2);
  EXPECT_EQ(Json(client_.Get("/v1/groups/g/messages?limit=1")).at("messages").as_array().size(),
            1u);
}

TEST_F(ApiTest, MembersAreThoseOfAllServices) {
  WebSocketService service(channel_, /*workers=*/2);
  TestClient member(service.port(), Mode::kV1);
  member.Send(R"({"cmd":"add_group","group_id":"g","id":1})");
  EXPECT_EQ(member.NextEvent().name(), "reply");
  EventStream stream(gateway_.port(), "/v1/groups/g/events");
  EXPECT_EQ(stream.Next().name, "joined");
  const json::object all = Json(client_.Get("/v1/groups/g/members"));
  EXPECT_EQ(all.at("count").as_int64(), 2);
  EXPECT_EQ(all.at("members").as_array().size(), 2u);
  const json::object count = Json(client_.Get("/v1/groups/g/members?count_only=true"));
  EXPECT_EQ(count.at("count").as_int64(), 2);
  EXPECT_FALSE(count.contains("members"));
}

TEST_F(ApiTest, AStreamGoesOnWhereItWas) {
  std::string last;
  {
    EventStream stream(gateway_.port(), "/v1/groups/g/events");
    const StreamEvent joined = stream.Next();
    EXPECT_EQ(joined.name, "joined");
    EXPECT_EQ(Publish("g", "1").status, 200);
    const StreamEvent message = stream.Next();
    EXPECT_EQ(message.name, "message");
    EXPECT_EQ(Json(message).at("message").as_int64(), 1);
    EXPECT_NE(message.id, joined.id);
    last = message.id;
  }
  EXPECT_EQ(Publish("g", "2").status, 200);
  EventStream again(gateway_.port(), "/v1/groups/g/events",
                    {absl::StrCat("Last-Event-ID: ", last)});
  const StreamEvent joined = again.Next();
  EXPECT_EQ(joined.id, last);
  EXPECT_EQ(Json(joined).at("recovered").as_bool(), true);
  EXPECT_EQ(Json(again.Next()).at("message").as_int64(), 2);
}

TEST_F(ApiTest, AStreamOfSeveralGroupsHasOnePositionForAll) {
  EventStream stream(gateway_.port(), "/v1/events?group=a&group=b");
  EXPECT_EQ(stream.Next().name, "joined");
  EXPECT_EQ(stream.Next().name, "joined");
  EXPECT_EQ(Publish("b", "1").status, 200);
  const std::string after_b = stream.Next().id;
  EXPECT_EQ(Publish("a", "2").status, 200);
  const std::string after_a = stream.Next().id;
  EXPECT_NE(after_a, after_b);
  stream.client().raw().Close();
  EXPECT_EQ(Publish("b", "3").status, 200);
  EventStream again(gateway_.port(),
                    absl::StrCat("/v1/events?group=a&group=b&last_event_id=", after_a));
  EXPECT_EQ(Json(again.Next()).at("group_id").as_string(), "a");
  EXPECT_EQ(again.Next().id, after_a);
  EXPECT_EQ(Json(again.Next()).at("message").as_int64(), 3);
}

TEST_F(ApiTest, AnExcludedSessionGetsThePlaceAlone) {
  WebSocketService service(channel_, /*workers=*/1);
  RawClient raw(service.port());
  raw.Write(
      absl::StrCat("GET /?session=tab-1 HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                   "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ",
                   kSampleKey, "\r\nSec-WebSocket-Protocol: ", kV1, "\r\n\r\n"));
  TestClient member(std::move(raw), Mode::kV1);
  member.Send(R"({"cmd":"add_group","group_id":"g","id":1})");
  EXPECT_EQ(member.NextEvent().name(), "reply");
  EXPECT_EQ(client_.Post("/v1/groups/g/messages?exclude_session=tab-1", "1").status, 200);
  EXPECT_THAT(member.NextEvent().text(), HasSubstr("\"excluded\":true"));
  EXPECT_EQ(CodeOf(client_.Post("/v1/groups/g/messages?exclude_session=%20", "1")), "bad_request");
}

TEST_F(ApiTest, RefusalsKeepTheConnectionAndSayWhy) {
  EXPECT_EQ(CodeOf(client_.Get("/nothing")), "not_found");
  EXPECT_EQ(CodeOf(Publish("g", "{")), "bad_json");
  EXPECT_EQ(CodeOf(Publish("g", "a=b", {"Content-Type: application/x-www-form-urlencoded"})),
            "unsupported_media_type");
  EXPECT_EQ(CodeOf(Publish("%00", "1")), "group_id_invalid");
  EXPECT_EQ(CodeOf(client_.Get("/v1/groups/g/events?history=x")), "bad_request");
  const HttpReply wrong = client_.Send("DELETE", "/v1/groups/g/messages");
  EXPECT_EQ(CodeOf(wrong), "method_not_allowed");
  EXPECT_THAT(wrong.Field("allow"), HasSubstr("POST"));
  EXPECT_EQ(Publish("g", "1").status, 200);
}

TEST_F(ApiTest, PagesOfOtherSitesAreRefused) {
  EXPECT_EQ(CodeOf(Publish("g", "1", {"Origin: https://evil.example"})), "forbidden");
  const HttpReply own = client_.Get("/v1/groups/g/messages", {"Origin: http://localhost:3000"});
  EXPECT_EQ(own.status, 200);
  EXPECT_EQ(own.Field("access-control-allow-origin"), "http://localhost:3000");
  HttpClient other(gateway_.port());
  other.Write("GET /v1/groups/g/messages HTTP/1.1\r\nHost: evil.example\r\n\r\n");
  EXPECT_EQ(CodeOf(other.Read()), "forbidden");
}

TEST_F(ApiTest, PipelinedRequestsAreAnsweredInOrder) {
  std::string requests;
  for (int i = 0; i < 100; ++i) {
    absl::StrAppend(&requests, "POST /v1/groups/g/messages HTTP/1.1\r\nHost: localhost\r\n",
                    "Content-Type: application/json\r\nContent-Length: 1\r\n\r\n", i % 10);
  }
  client_.Write(requests);
  int64_t last = 0;
  for (int i = 0; i < 100; ++i) {
    const int64_t offset = Json(client_.Read()).at("offset").as_int64();
    EXPECT_GT(offset, last);
    last = offset;
  }
}

TEST_F(ApiTest, DrainEndsStreamsWithAWordAndRequestsWithTheirAnswers) {
  EventStream stream(gateway_.port(), "/v1/groups/g/events");
  EXPECT_EQ(stream.Next().name, "joined");
  gateway_.process().Signal(SIGTERM);
  EXPECT_EQ(stream.Next().name, "closing");
  stream.WaitForEnd();
  stream.client().raw().Close();
  EXPECT_EQ(gateway_.process().WaitForEnd(), 0);
}

TEST_F(ApiTest, ReadinessFollowsTheChannel) {
  EXPECT_EQ(client_.Get("/readyz").status, 200);
  channel_.Kill();
  WaitUntil("the gateway is not ready",
            [&] { return HttpClient(gateway_.port()).Get("/readyz").status == 503; });
  EXPECT_EQ(client_.Get("/healthz").status, 200) << "it is alive";
  channel_.StartAgain();
  WaitUntil("the gateway is ready",
            [&] { return HttpClient(gateway_.port()).Get("/readyz").status == 200; });
}

// ---- API keys

class ApiKeyTest : public ::testing::Test {
 protected:
  // The key gck_test may publish to chat:*, and gck_reader may read and observe all.
  ApiKeyTest() {
    std::ofstream(path_) << R"({"api_keys": [
      {"name": "app", "scopes": ["publish"], "groups": ["chat:*"],
       "hash": "sha256:a952235f2d9306d108fcdb8f9abac0cc2218bc49092d175b774cb52669b37854"},
      {"name": "reader", "scopes": ["read", "observe"],
       "hash": "sha256:d600adfe7f04555ed0fd0b41749ef0d3125f3e276c0a0c5f7f428f3c894720bd"}]})";
    gateway_.emplace(channel_, /*workers=*/1, Flags{"--config=" + path_});
  }

  ChannelServer channel_;
  const std::string path_ = NewTempPath("keys.json");
  std::optional<HttpGateway> gateway_;
};

TEST_F(ApiKeyTest, AKeyHasItsScopesForItsGroups) {
  HttpClient client(gateway_->port());
  const HttpClient::Fields app = {"Authorization: Bearer gck_test"};
  const HttpClient::Fields reader = {"Authorization: Bearer gck_reader"};
  EXPECT_EQ(client.Post("/v1/groups/chat:1/messages", "1", app).status, 200);
  EXPECT_EQ(CodeOf(client.Post("/v1/groups/news/messages", "1", app)), "forbidden");
  EXPECT_EQ(CodeOf(client.Get("/v1/groups/chat:1/messages", app)), "forbidden");
  EXPECT_EQ(client.Get("/v1/groups/chat:1/messages", reader).status, 200);
  EXPECT_EQ(client.Get("/v1/groups/chat:1/members", reader).status, 200);
  EXPECT_EQ(CodeOf(client.Post("/v1/groups/chat:1/messages", "1", reader)), "forbidden");
  EXPECT_THROW(EventStream(gateway_->port(), "/v1/groups/chat:1/events", app), Failure);
  EventStream stream(gateway_->port(), "/v1/groups/chat:1/events", reader);
  EXPECT_EQ(stream.Next().name, "joined");
}

TEST_F(ApiKeyTest, WithoutAKeyNothingIsSaid) {
  HttpClient client(gateway_->port());
  for (const HttpClient::Fields& fields : {HttpClient::Fields{},
                                           {"Authorization: Bearer gck_other"},
                                           {"Authorization: Basic eDp5"},
                                           {"Authorization: Bearer eyJhbGciOiJub25lIn0.e30."}}) {
    const HttpReply reply = client.Get("/v1/groups/chat:1/messages", fields);
    EXPECT_EQ(reply.status, 401) << reply.body;
    EXPECT_EQ(reply.Field("www-authenticate"), "Bearer");
    EXPECT_EQ(CodeOf(reply), "unauthorized");
  }
  EXPECT_EQ(CodeOf(client.Get("/v1/groups/chat:1/messages?token=gck_reader")), "unauthorized")
      << "URLs end up in logs";
  EXPECT_EQ(client.Get("/readyz").status, 200) << "a load balancer has no key";
}

TEST_F(ApiKeyTest, AConnectionOfAProxyServesManyCallers) {
  HttpClient client(gateway_->port());
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(
        client.Post("/v1/groups/chat:1/messages", "1", {"Authorization: Bearer gck_test"}).status,
        200);
    EXPECT_EQ(client.Get("/v1/groups/chat:1/messages").status, 401);
    EXPECT_EQ(client.Get("/v1/groups/chat:1/messages", {"Authorization: Bearer gck_reader"}).status,
              200);
  }
}

}  // namespace
}  // namespace groupcast::tests
