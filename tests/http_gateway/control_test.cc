// What an operator does with groups and connections through the HTTP gateway, over several workers
// of both services.

#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
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
using testing::ElementsAre;
using testing::HasSubstr;

constexpr absl::string_view kSecret = "0123456789abcdef0123456789abcdef";

json::object Json(const HttpReply& reply) {
  EXPECT_EQ(reply.status, 200) << reply.body;
  return json::parse(reply.body).as_object();
}

json::object Json(const StreamEvent& event) { return json::parse(event.data).as_object(); }

std::string CodeOf(const HttpReply& reply) {
  EXPECT_EQ(reply.Field("content-type"), "application/problem+json") << reply.body;
  return std::string(json::parse(reply.body).at("code").as_string());
}

std::string Encoded(absl::string_view text) {
  std::string encoded;
  for (const unsigned char c : text) absl::StrAppend(&encoded, "%", absl::Hex(c, absl::kZeroPad2));
  return encoded;
}

struct Listed {
  std::string id;
  int64_t members;
  friend bool operator==(const Listed&, const Listed&) = default;
};

std::vector<Listed> ListedIn(const json::object& answer) {
  std::vector<Listed> groups;
  for (const json::value& group : answer.at("groups").as_array()) {
    groups.push_back(
        {std::string(group.at("group_id").as_string()), group.at("members").as_int64()});
  }
  return groups;
}

std::string IdOf(const TestClient& client) { return client.welcome().Text("connection_id"); }

std::string WriteFile(absl::string_view name, absl::string_view content) {
  std::string path = NewTempPath(name);
  std::ofstream(path) << content;
  chmod(path.c_str(), 0600);
  return path;
}

std::string TokenOf(absl::string_view user) {
  return HmacToken(absl::StrCat(R"({"sub":")", user, R"(","groups":["*"]})"), kSecret);
}

// Two workers of each service on one channel.
class ControlTest : public ::testing::Test {
 protected:
  explicit ControlTest(const Flags& service_flags = {}, const Flags& gateway_flags = {})
      : service_(channel_, /*workers=*/2, service_flags),
        gateway_(channel_, /*workers=*/2, gateway_flags) {}

  // A request waits for its turn while there are too many.
  HttpReply Send(absl::string_view method, absl::string_view target,
                 const HttpClient::Fields& fields = {}) {
    HttpReply reply;
    WaitUntil("there may be another request", [&] {
      reply = HttpClient(gateway_.port()).Send(method, target, fields);
      return reply.status != 429;
    });
    return reply;
  }
  // Equal lists share an answer for a second. So each one is for another client here.
  HttpReply Get(absl::string_view target) {
    const bool is_list = absl::StartsWith(target, "/v1/groups?") || target == "/v1/groups";
    if (!is_list || absl::StrContains(target, "limit=")) return Send("GET", target);
    return Send("GET", absl::StrCat(target, absl::StrContains(target, "?") ? "&" : "?",
                                    "limit=", 100 + ++lists_ % 900));
  }
  HttpReply Delete(absl::string_view target, const HttpClient::Fields& fields = {}) {
    return Send("DELETE", target, fields);
  }
  std::vector<Listed> Groups(absl::string_view query = "") {
    const json::object answer = Json(Get(absl::StrCat("/v1/groups", query)));
    EXPECT_TRUE(answer.at("complete").as_bool());
    return ListedIn(answer);
  }
  TestClient Member(const std::string& group, Mode mode = Mode::kV1) {
    TestClient member(service_.port(), mode);
    member.Join(group);
    return member;
  }
  // The ids that the API shows for the members of a group.
  std::vector<std::string> MembersOf(const std::string& group) {
    std::vector<std::string> ids;
    const json::object answer = Json(Get(absl::StrCat("/v1/groups/", group, "/members")));
    for (const json::value& member : answer.at("members").as_array()) {
      ids.emplace_back(member.at("connection_id").as_string());
    }
    return ids;
  }

  ChannelServer channel_;
  WebSocketService service_;
  HttpGateway gateway_;

 private:
  int lists_ = 0;
};

// ---- The list of groups

TEST_F(ControlTest, AThousandGroupsOfAllWorkersAreListedPageByPage) {
  // 125 groups each: the bound is 128.
  std::vector<TestClient> clients;
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back(service_.port(), Mode::kV1);
    for (int group = 0; group < 125; ++group) {
      clients.back().Send(absl::StrCat(R"({"cmd":"add_group","id":1,"group_id":"room:)",
                                       absl::Dec(i * 125 + group, absl::kZeroPad4), "\"}"));
    }
    for (int group = 0; group < 125; ++group) clients.back().NextEvent();
  }
  // On workers of the gateway too.
  EventStream stream(gateway_.port(), "/v1/events?group=room:0000&group=other");
  for (int i = 0; i < 2; ++i) EXPECT_EQ(stream.Next().name, "joined");
  std::vector<Listed> all;
  std::string after;
  for (int page = 0; page < 1'000; ++page) {
    const json::object answer = Json(Get(absl::StrCat("/v1/groups?limit=90&prefix=room:", after)));
    EXPECT_TRUE(answer.at("complete").as_bool());
    const std::vector<Listed> groups = ListedIn(answer);
    ASSERT_LE(groups.size(), 90u);
    all.insert(all.end(), groups.begin(), groups.end());
    if (!answer.contains("next")) break;
    after = absl::StrCat("&after=", std::string(answer.at("next").as_string()));
  }
  ASSERT_EQ(all.size(), 1'000u);
  for (int i = 0; i < 1'000; ++i) {
    EXPECT_EQ(all[i].id, absl::StrCat("room:", absl::Dec(i, absl::kZeroPad4)));
    EXPECT_EQ(all[i].members, i == 0 ? 2 : 1);
  }
  // An answer of one worker has room for them, wherever the members are.
  EXPECT_EQ(Groups("?limit=800").size(), 800u);
  EXPECT_THAT(Groups("?after=room:0998"), ElementsAre(Listed{"room:0999", 1}));
  EXPECT_THAT(Groups("?limit=1"), ElementsAre(Listed{"other", 1}));
}

TEST_F(ControlTest, IdsAndPrefixesMayHaveAnyCharacters) {
  const std::vector<std::string> ids = {"a/b", "a/b&c=d", "a/b?%", "a/é م", "a+b", "a b", "\"\\"};
  std::vector<std::unique_ptr<EventStream>> streams;
  for (const std::string& id : ids) {
    streams.push_back(std::make_unique<EventStream>(
        gateway_.port(), absl::StrCat("/v1/groups/", Encoded(id), "/events")));
    EXPECT_EQ(streams.back()->Next().name, "joined");
  }
  EXPECT_THAT(
      Groups(absl::StrCat("?prefix=", Encoded("a/"))),
      ElementsAre(Listed{"a/b", 1}, Listed{"a/b&c=d", 1}, Listed{"a/b?%", 1}, Listed{"a/é م", 1}));
  EXPECT_THAT(Groups(absl::StrCat("?prefix=", Encoded("a/b&"))), ElementsAre(Listed{"a/b&c=d", 1}));
  EXPECT_THAT(Groups(absl::StrCat("?prefix=", Encoded("a "))), ElementsAre(Listed{"a b", 1}));
  EXPECT_THAT(Groups(absl::StrCat("?prefix=", Encoded("\"\\"))), ElementsAre(Listed{"\"\\", 1}));
  EXPECT_THAT(Groups(absl::StrCat("?prefix=", Encoded("a/"), "&after=", Encoded("a/b&c=d"))),
              ElementsAre(Listed{"a/b?%", 1}, Listed{"a/é م", 1}));
}

TEST_F(ControlTest, TheBusiestGroupsComeFirstWithAllTheirMembers) {
  std::vector<TestClient> members;
  for (int i = 0; i < 4; ++i) members.push_back(Member("busy"));
  members.push_back(Member("less"));
  members.push_back(Member("quiet"));
  TestClient sender(service_.port(), Mode::kV1);
  const auto send = [&](const std::string& group, int times) {
    for (int i = 0; i < times; ++i) sender.Send(SendToGroup(Quoted(group), "1", "1"));
    for (int i = 0; i < times; ++i) EXPECT_EQ(sender.NextEvent().name(), "reply");
  };
  send("busy", 50);
  send("less", 5);
  const json::object answer = Json(Get("/v1/groups?order=busiest&limit=20"));
  EXPECT_TRUE(answer.at("complete").as_bool());
  EXPECT_THAT(ListedIn(answer),
              ElementsAre(Listed{"busy", 4}, Listed{"less", 1}, Listed{"quiet", 1}));
  std::vector<double> rates;
  for (const json::value& group : answer.at("groups").as_array()) {
    rates.push_back(group.at("messages_per_second").to_number<double>());
  }
  EXPECT_GT(rates[0], rates[1]);
  EXPECT_GT(rates[1], rates[2]);
  EXPECT_EQ(rates[2], 0);
  EXPECT_THAT(Groups("?order=busiest&limit=1"), ElementsAre(Listed{"busy", 4}));
  EXPECT_EQ(Groups().size(), 3u);
}

TEST_F(ControlTest, EqualListsShareAnAnswer) {
  TestClient member = Member("g");
  HttpClient client(gateway_.port());
  // More than the rate allows, on one connection and so to one worker.
  for (int i = 0; i < 50; ++i) {
    const json::object answer = Json(client.Get("/v1/groups?prefix=g"));
    EXPECT_THAT(ListedIn(answer), ElementsAre(Listed{"g", 1}));
  }
}

TEST_F(ControlTest, ListsHaveARateAndItIsCounted) {
  TestClient member = Member("g");
  HttpClient client(gateway_.port());
  HttpReply refused;
  int limit = 0;
  WaitUntil("there are too many lists", [&] {
    refused = client.Get(absl::StrCat("/v1/groups?limit=", 1 + ++limit % 1'000));
    return refused.status != 200;
  });
  EXPECT_GT(limit, 20) << "this many at once";
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(CodeOf(refused), "rate_limited");
  EXPECT_EQ(refused.Field("retry-after"), "1");
  // They keep nobody from ending a connection.
  EXPECT_EQ(client.Send("DELETE", absl::StrCat("/v1/connections/", IdOf(member))).status, 200);
  WaitUntil("the limit is counted", [&] {
    const std::string metrics = HttpClient(gateway_.admin_port()).Get("/metrics").body;
    for (const absl::string_view line : absl::StrSplit(metrics, '\n')) {
      if (absl::StartsWith(line, "groupcast_limit_hits_total{") &&
          absl::StrContains(line, "limit=\"questions\"") && !absl::EndsWith(line, " 0")) {
        return true;
      }
    }
    return false;
  });
}

// ---- The ends of connections and memberships

TEST_F(ControlTest, TheLogSaysWhoEndedWhatAndWhatCameOfIt) {
  TestClient member = Member("g");
  Process& process = gateway_.process();
  const std::string connection = absl::StrCat("the connection ", IdOf(member));
  EXPECT_EQ(Delete(absl::StrCat("/v1/connections/", IdOf(member), "?code=4400")).status, 200);
  process.WaitForOutput(absl::StrCat("control: anyone asks to close ", connection,
                                     " with the code 4400: 1 connection\n"));
  EXPECT_EQ(Delete("/v1/users/nobody/connections").status, 404);
  process.WaitForOutput(
      "control: anyone asks to close all connections of the user \"nobody\" with the code 4900: 0 "
      "connections\n");
  EXPECT_EQ(Delete(absl::StrCat("/v1/groups/$groupcast.control/members/", IdOf(member))).status,
            403);
  process.WaitForOutput("out of the group \"$groupcast.control\": forbidden (1 refused");
}

TEST_F(ControlTest, AV1ConnectionIsClosedWithItsCodeAndReason) {
  TestClient member = Member("g");
  TestClient other = Member("g");
  const std::string target = absl::StrCat("/v1/connections/", IdOf(member));
  const json::object answer = Json(Delete(absl::StrCat(target, "?code=4400&reason=come+back")));
  EXPECT_EQ(answer.at("connections").as_int64(), 1);
  EXPECT_TRUE(answer.at("complete").as_bool());
  const TestClient::End end = member.WaitForEnd();
  EXPECT_EQ(end.close_code, 4400);
  EXPECT_EQ(end.reason, "come back");
  ASSERT_EQ(end.texts.size(), 1u);
  EXPECT_THAT(end.texts[0], HasSubstr(R"({"event":"closing","code":4400,"reason":"come back")"));
  EXPECT_THAT(end.texts[0], HasSubstr("reconnect_after_ms"));
  EXPECT_TRUE(other.IsQuiet());
  EXPECT_EQ(Delete(target).status, 404);
}

TEST_F(ControlTest, ABareConnectionIsClosedByTheIdThatItsGroupShows) {
  TestClient member = Member("g", Mode::kBare);
  const std::vector<std::string> ids = MembersOf("g");
  ASSERT_EQ(ids.size(), 1u);
  EXPECT_EQ(Json(Delete("/v1/connections/" + ids[0])).at("connections").as_int64(), 1);
  const TestClient::End end = member.WaitForEnd();
  EXPECT_EQ(end.close_code, 4900);
  EXPECT_EQ(end.reason, "closed by an operator");
}

TEST_F(ControlTest, AStreamIsClosedWithAnEvent) {
  EventStream stream(gateway_.port(), "/v1/groups/g/events");
  EXPECT_EQ(stream.Next().name, "joined");
  const std::vector<std::string> ids = MembersOf("g");
  ASSERT_EQ(ids.size(), 1u);
  EXPECT_EQ(Json(Delete("/v1/connections/" + ids[0])).at("connections").as_int64(), 1);
  const StreamEvent closing = stream.Next();
  EXPECT_EQ(closing.name, "closing");
  EXPECT_EQ(closing.data, R"({"event":"closing","code":4900,"reason":"closed by an operator"})");
  stream.WaitForEnd();
}

TEST_F(ControlTest, AMemberIsTakenOutOfOneGroupAlone) {
  TestClient member = Member("g");
  member.Join("h");
  TestClient bare = Member("g", Mode::kBare);
  EventStream stream(gateway_.port(), "/v1/events?group=g&group=h");
  for (int i = 0; i < 2; ++i) EXPECT_EQ(stream.Next().name, "joined");
  for (const std::string& id : MembersOf("g")) {
    EXPECT_EQ(Json(Delete(absl::StrCat("/v1/groups/g/members/", id, "?reason=too+loud")))
                  .at("connections")
                  .as_int64(),
              1);
  }
  const Event told = member.NextEvent();
  EXPECT_EQ(told.name(), "error");
  EXPECT_EQ(told.Text("code"), "forbidden");
  EXPECT_EQ(told.Text("group_id"), "g");
  EXPECT_THAT(told.Text("message"), HasSubstr("too loud"));
  EXPECT_THAT(bare.NextText(), HasSubstr(R"("group_id":"g","code":"forbidden")"));
  const StreamEvent problem = stream.Next();
  EXPECT_EQ(problem.name, "problem");
  EXPECT_THAT(problem.data, HasSubstr("too loud"));
  EXPECT_EQ(Json(problem).at("group_id").as_string(), "g");
  WaitUntil("nobody is shown", [&] { return MembersOf("g").empty(); });
  // The other group goes on.
  HttpClient client(gateway_.port());
  EXPECT_EQ(client.Post("/v1/groups/g/messages", "1").status, 200);
  EXPECT_EQ(client.Post("/v1/groups/h/messages", "2").status, 200);
  EXPECT_EQ(member.NextEvent().Text("group_id"), "h");
  EXPECT_EQ(json::parse(stream.Next().data).at("group_id").as_string(), "h");
  EXPECT_TRUE(bare.IsQuiet());
  EXPECT_EQ(Delete(absl::StrCat("/v1/groups/g/members/", IdOf(member))).status, 404);
}

TEST_F(ControlTest, WithACodeTheConnectionOfAMemberIsClosed) {
  TestClient member = Member("g");
  const std::string id = IdOf(member);
  EXPECT_EQ(Delete(absl::StrCat("/v1/groups/h/members/", id, "?code=4900")).status, 404);
  EXPECT_TRUE(member.IsQuiet());
  EXPECT_EQ(Json(Delete(absl::StrCat("/v1/groups/g/members/", id, "?code=4901")))
                .at("connections")
                .as_int64(),
            1);
  EXPECT_EQ(member.WaitForEnd().close_code, 4901);
}

// A client that comes back keeps the id of its member, and its connection has another one.
TEST_F(ControlTest, TheIdThatAMemberHasKeptWorksToo) {
  TestClient watcher(service_.port(), Mode::kV1);
  watcher.Send(R"({"cmd":"add_group","group_id":"g","presence":true,"id":1})");
  EXPECT_EQ(watcher.NextEvent().name(), "reply");
  const auto with_session = [&] {
    RawClient raw(service_.port());
    raw.Write(absl::StrReplaceAll(HandshakeRequest(kV1), {{"GET / ", "GET /?session=s "}}));
    TestClient client(std::move(raw), Mode::kV1);
    client.Join("g");
    return client;
  };
  std::optional<TestClient> first(with_session());
  const std::string kept = IdOf(*first);
  WaitUntil("the view has the member", [&] { return MembersOf("g").size() == 2; });
  TestClient second = with_session();
  first.reset();
  // The server tells the second one's worker of the id, at some time after its join.
  int64_t closed = 0;
  WaitUntil("the member is found by its id", [&] {
    const HttpReply reply = Delete(absl::StrCat("/v1/groups/g/members/", kept));
    if (reply.status == 200) closed += Json(reply).at("connections").as_int64();
    const std::vector<std::string> ids = MembersOf("g");
    return std::find(ids.begin(), ids.end(), kept) == ids.end();
  });
  EXPECT_GE(closed, 1);
  EXPECT_EQ(second.NextEvent().Text("code"), "forbidden");

  // The same for its connection, which is in the group again.
  TestClient third = with_session();
  TestClient fourth = with_session();
  // Either of them may have come to the server first.
  std::string shown;
  WaitUntil("both are one member", [&] {
    std::vector<std::string> ids = MembersOf("g");
    ids.erase(std::remove(ids.begin(), ids.end(), IdOf(watcher)), ids.end());
    if (ids.size() == 1) shown = ids[0];
    return ids.size() == 1 && (shown == IdOf(third) || shown == IdOf(fourth));
  });
  WaitUntil("the connections of both are closed by the one id that is shown", [&] {
    Delete(absl::StrCat("/v1/connections/", shown));
    return MembersOf("g").size() == 1;
  });
  EXPECT_EQ(third.WaitForEnd().close_code, 4900);
  EXPECT_EQ(fourth.WaitForEnd().close_code, 4900);
}

TEST_F(ControlTest, NoClientMayUseTheGroupsOfTheServices) {
  TestClient client(service_.port(), Mode::kV1);
  for (const char* command :
       {R"({"cmd":"add_group","id":1,"group_id":"$groupcast.control"})",
        R"({"cmd":"leave_group","id":1,"group_id":"$groupcast.control"})",
        R"({"cmd":"leave_group","group_id":"$groupcast.control"})",
        R"({"cmd":"send_to_group","id":1,"group_id":"$groupcast.control","message":"x"})",
        R"({"cmd":"group_history","id":1,"group_id":"$groupcast.control"})",
        R"({"cmd":"group_members","id":1,"group_id":"$groupcast.control"})"}) {
    client.Send(command);
    EXPECT_EQ(client.NextEvent().Text("code"), "forbidden") << command;
  }
  HttpClient http(gateway_.port());
  constexpr char kGroup[] = "/v1/groups/$groupcast.control/";
  EXPECT_EQ(CodeOf(http.Post(absl::StrCat(kGroup, "messages"), "1")), "forbidden");
  for (const char* rest : {"messages", "members", "events"}) {
    EXPECT_EQ(CodeOf(http.Get(absl::StrCat(kGroup, rest))), "forbidden") << rest;
  }
  EXPECT_EQ(CodeOf(http.Send("DELETE", absl::StrCat(kGroup, "members/", IdOf(client)))),
            "forbidden");
  EXPECT_THAT(Groups(), ElementsAre());
  EXPECT_THAT(
      http.Post("/v1/messages", R"({"messages":[{"group_id":"$groupcast.control","message":1}]})")
          .body,
      HasSubstr(R"("code":"forbidden")"));
}

TEST_F(ControlTest, WorkersThatStandStillMakeTheAnswerPartial) {
  TestClient member = Member("g");
  EventStream stream(gateway_.port(), "/v1/groups/g/events");
  EXPECT_EQ(stream.Next().name, "joined");
  EXPECT_THAT(Groups(), ElementsAre(Listed{"g", 2}));
  const std::vector<pid_t> stopped = service_.WorkerPids();
  for (const pid_t pid : stopped) kill(pid, SIGSTOP);
  const json::object answer = Json(Get("/v1/groups"));
  EXPECT_FALSE(answer.at("complete").as_bool());
  EXPECT_THAT(ListedIn(answer), ElementsAre(Listed{"g", 1}));
  const HttpReply closed = Delete(absl::StrCat("/v1/connections/", IdOf(member)));
  EXPECT_EQ(Json(closed).at("connections").as_int64(), 0);
  EXPECT_FALSE(Json(closed).at("complete").as_bool()) << "nobody knows that it is not there";
  for (const pid_t pid : stopped) kill(pid, SIGCONT);
  // A worker that was late does what it was asked for.
  EXPECT_EQ(member.WaitForEnd().close_code, 4900);
  WaitUntil("the answer is complete again",
            [&] { return Json(Get("/v1/groups")).at("complete").as_bool(); });
}

TEST_F(ControlTest, AWorkerThatWasKilledIsForgotten) {
  TestClient member = Member("g");
  EXPECT_THAT(Groups(), ElementsAre(Listed{"g", 1}));
  for (const pid_t pid : service_.WorkerPids()) kill(pid, SIGKILL);
  // Until its lease has ended, nobody knows whether it comes back.
  WaitUntil(
      "the answer is complete without the dead workers",
      [&] {
        const json::object answer = Json(Get("/v1/groups"));
        return answer.at("complete").as_bool() && ListedIn(answer).empty();
      },
      2 * kPatience);
}

TEST_F(ControlTest, WithoutTheChannelNobodyIsAsked) {
  EXPECT_THAT(Groups(), ElementsAre());
  channel_.Kill();
  const HttpReply reply = Get("/v1/groups");
  EXPECT_EQ(reply.status, 503) << reply.body;
  EXPECT_EQ(CodeOf(reply), "unavailable");
  channel_.StartAgain();
  WaitUntil("the workers are asked again", [&] { return Get("/v1/groups").status == 200; });
}

// ---- Rights

constexpr char kKeys[] = R"({"api_keys": [
  {"name": "manager", "scopes": ["manage"],
   "hash": "sha256:432ccc54c4e8af3b4f34ca5cbde82e192e94e83ec36118d35d0066911c6d76a0"},
  {"name": "observer", "scopes": ["observe"],
   "hash": "sha256:b1d927ddd0a218883e53cb46688b924bc96cd3170819570e7d08630f17118aef"},
  {"name": "roomer", "scopes": ["manage"], "groups": ["room:*"],
   "hash": "sha256:24f838e3c36fb7d97cec2a87b01451752109df60f0063f63a7fa85197ad56292"},
  {"name": "publisher", "scopes": ["publish", "read"],
   "hash": "sha256:4acd00cff7d24222367c44fbcc2afe1b053387adea4a7197829556545fabf360"}]})";

// The keys are gck_ and their names. Users have tokens.
class RightsTest : public ControlTest {
 protected:
  RightsTest() : RightsTest(WriteFile("key", kSecret)) {}
  explicit RightsTest(const std::string& key)
      : ControlTest({"--token_keys=" + key},
                    {"--token_keys=" + key, "--config=" + WriteFile("keys.json", kKeys)}) {}

  int Status(absl::string_view method, absl::string_view target, absl::string_view bearer) {
    return Send(method, target, {absl::StrCat("Authorization: Bearer ", bearer)}).status;
  }
  TestClient UserIn(absl::string_view user, const std::string& group) {
    RawClient raw(service_.port());
    raw.Write(absl::StrReplaceAll(HandshakeRequest(kV1),
                                  {{"GET / ", absl::StrCat("GET /?token=", TokenOf(user), " ")}}));
    TestClient client(std::move(raw), Mode::kV1);
    client.Join(group);
    return client;
  }
};

TEST_F(RightsTest, ListsAndEndsNeedTheirScopes) {
  TestClient member = UserIn("ann", "room:1");
  const std::string connection = absl::StrCat("/v1/connections/", IdOf(member));
  const std::string in_room = absl::StrCat("/v1/groups/room:1/members/", IdOf(member));
  const std::string elsewhere = absl::StrCat("/v1/groups/news/members/", IdOf(member));
  EXPECT_EQ(HttpClient(gateway_.port()).Get("/v1/groups").status, 401);
  EXPECT_EQ(Delete(connection).status, 401);
  const auto is_allowed = [&](absl::string_view method, absl::string_view target) {
    std::string who;
    for (const char* name : {"manager", "observer", "roomer", "publisher"}) {
      const int status = Status(method, target, absl::StrCat("gck_", name));
      EXPECT_THAT(status, testing::AnyOf(200, 403, 404)) << method << " " << target;
      if (status != 403) absl::StrAppend(&who, name, " ");
    }
    EXPECT_EQ(Status(method, target, TokenOf("ann")), 403) << "users have no scopes";
    return who;
  };
  EXPECT_EQ(is_allowed("GET", "/v1/groups"), "manager observer ");
  EXPECT_EQ(is_allowed("GET", "/v1/groups?prefix=news"), "manager observer ");
  EXPECT_EQ(is_allowed("GET", "/v1/groups?prefix=room:"), "manager observer roomer ");
  EXPECT_EQ(is_allowed("GET", "/v1/groups?prefix=room:1&order=busiest"),
            "manager observer roomer ");
  EXPECT_EQ(is_allowed("DELETE", elsewhere), "manager ");
  EXPECT_EQ(is_allowed("DELETE", absl::StrCat(elsewhere, "?code=4900")), "manager ");
  EXPECT_EQ(is_allowed("DELETE", "/v1/users/bob/connections"), "manager ");
  EXPECT_TRUE(member.IsQuiet());
  EXPECT_EQ(Status("DELETE", absl::StrCat(in_room, "?code=4900"), "gck_roomer"), 403)
      << "the connection is in other groups too";
  EXPECT_TRUE(member.IsQuiet());
  EXPECT_EQ(is_allowed("DELETE", in_room), "manager roomer ");
  EXPECT_EQ(member.NextEvent().Text("code"), "forbidden");
  EXPECT_EQ(is_allowed("DELETE", connection), "manager ");
  EXPECT_EQ(member.WaitForEnd().close_code, 4900);
}

TEST_F(RightsTest, TheLogHasTheNameOfTheKey) {
  EXPECT_EQ(Status("DELETE", "/v1/users/ann/connections", "gck_manager"), 404);
  gateway_.process().WaitForOutput(
      "control: the API key \"manager\" asks to close all connections of the user \"ann\" with the "
      "code 4900: 0 connections\n");
  EXPECT_EQ(Status("DELETE", "/v1/users/ann/connections", "gck_observer"), 403);
  gateway_.process().WaitForOutput(
      "control: the API key \"observer\" asks to close all connections of the user \"ann\" with "
      "the code 4900: forbidden (1 refused");
}

TEST_F(RightsTest, AllConnectionsOfAUserAreClosedAndNoOthers) {
  TestClient first = UserIn("ann", "g");
  TestClient second = UserIn("ann", "h");
  TestClient other = UserIn("bob", "g");
  EventStream stream(gateway_.port(), "/v1/groups/g/events",
                     {absl::StrCat("Authorization: Bearer ", TokenOf("ann"))});
  EXPECT_EQ(stream.Next().name, "joined");
  const HttpClient::Fields manager = {"Authorization: Bearer gck_manager"};
  const json::object answer =
      Json(Delete("/v1/users/ann/connections?code=4950&reason=logged+out", manager));
  EXPECT_EQ(answer.at("connections").as_int64(), 3);
  EXPECT_TRUE(answer.at("complete").as_bool());
  for (TestClient* const client : {&first, &second}) {
    const TestClient::End end = client->WaitForEnd();
    EXPECT_EQ(end.close_code, 4950);
    EXPECT_EQ(end.reason, "logged out");
  }
  EXPECT_EQ(stream.Next().name, "closing");
  EXPECT_TRUE(other.IsQuiet());
  EXPECT_EQ(CodeOf(Delete("/v1/users/ann/connections", manager)), "not_found");
}

// A gateway for others that lets in everyone lets nobody manage.
TEST(OpenGatewayTest, OnAnotherAddressThanLoopbackEveryoneMayPublishAndNobodyManage) {
  ChannelServer channel;
  HttpGateway gateway(channel, /*workers=*/1,
                      {"--bind_address=0.0.0.0", "--allow_anonymous", "--allowed_hosts=*"});
  HttpClient client(gateway.port());
  EXPECT_EQ(client.Post("/v1/groups/g/messages", "1").status, 200);
  EXPECT_EQ(CodeOf(client.Get("/v1/groups")), "forbidden");
  EXPECT_EQ(CodeOf(client.Send("DELETE", "/v1/users/ann/connections")), "forbidden");
}

// So does one on loopback that has a name for others, or pages of others.
TEST(OpenGatewayTest, WithAllowedHostsOrOriginsNobodyManages) {
  ChannelServer channel;
  for (const char* flag : {"--allowed_hosts=app.example", "--allowed_hosts=*",
                           "--allowed_origins=https://app.example"}) {
    HttpGateway gateway(channel, /*workers=*/1, {flag});
    HttpClient client(gateway.port());
    EXPECT_EQ(client.Post("/v1/groups/g/messages", "1").status, 200) << flag;
    EXPECT_EQ(CodeOf(client.Get("/v1/groups")), "forbidden") << flag;
    EXPECT_EQ(CodeOf(client.Get("/v1/services")), "forbidden") << flag;
    EXPECT_EQ(CodeOf(client.Send("DELETE", "/v1/connections/00000000000000ff")), "forbidden")
        << flag;
  }
}

}  // namespace
}  // namespace groupcast::tests
