#include "services/http_gateway/calls.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

using testing::HasSubstr;

constexpr absl::string_view kJsonType = "application/json; charset=utf-8";

std::variant<Calls, Problem> Call(absl::string_view method, absl::string_view target,
                                  const CallInput& input = {}, const CallLimits& limits = {}) {
  Route route;
  Problem problem;
  EXPECT_TRUE(FindRoute(method, target, &route, &problem)) << problem.detail;
  return ReadCalls(route, input, limits);
}

Calls Read(absl::string_view method, absl::string_view target, const CallInput& input = {}) {
  std::variant<Calls, Problem> result = Call(method, target, input);
  const auto* const problem = std::get_if<Problem>(&result);
  EXPECT_EQ(problem, nullptr) << problem->detail;
  return problem == nullptr ? std::get<Calls>(std::move(result)) : Calls();
}

Command Only(const Calls& calls) {
  EXPECT_EQ(calls.items.size(), 1u);
  if (calls.items.size() != 1) return {};
  return std::get<Command>(calls.items.front());
}

Problem Refuse(absl::string_view method, absl::string_view target, const CallInput& input = {},
               const CallLimits& limits = {}) {
  std::variant<Calls, Problem> result = Call(method, target, input, limits);
  EXPECT_TRUE(std::holds_alternative<Problem>(result)) << target << " " << input.body;
  const auto* const problem = std::get_if<Problem>(&result);
  return problem == nullptr ? Problem() : *problem;
}

CallInput Body(absl::string_view body, absl::string_view type = kJsonType) {
  return {.content_type = type, .body = body};
}

TEST(CallsTest, AJsonBodyIsTheMessage) {
  const Calls calls = Read("POST", "/v1/groups/1%2F2/messages", Body("  { \"a\" : 0.10 } "));
  EXPECT_FALSE(calls.is_list);
  const Command command = Only(calls);
  EXPECT_EQ(command.kind, Command::Kind::kSendToGroup);
  EXPECT_EQ(command.id, "0");
  EXPECT_EQ(command.group_ids.front().id, "1/2");
  EXPECT_EQ(command.message_kind, Content::Kind::kJson);
  EXPECT_EQ(command.message, "{\"a\":0.10}");

  const Command text = Only(Read("POST", "/v1/groups/1/messages", Body("\"a\\n\"")));
  EXPECT_EQ(text.message_kind, Content::Kind::kText);
  EXPECT_EQ(text.message, "a\n");
}

TEST(CallsTest, APlainBodyIsTheText) {
  const Command command =
      Only(Read("POST", "/v1/groups/1/messages", Body("{\"a\": 1}\n", "text/plain")));
  EXPECT_EQ(command.message_kind, Content::Kind::kText);
  EXPECT_EQ(command.message, "{\"a\": 1}\n");
  EXPECT_EQ(Only(Read("POST", "/v1/groups/1/messages", Body("", "text/plain"))).message, "");
}

TEST(CallsTest, RefusesOtherBodies) {
  const char* const target = "/v1/groups/1/messages";
  EXPECT_EQ(Refuse("POST", target, {.body = "1"}).status, 415);
  EXPECT_EQ(Refuse("POST", target, Body("a=b", "application/x-www-form-urlencoded")).status, 415);
  EXPECT_EQ(Refuse("POST", target, Body("x", "text/plain; charset=latin1")).status, 415);
  EXPECT_EQ(Refuse("POST", target, Body("")).code, "message_missing");
  EXPECT_EQ(Refuse("POST", target, Body("{")).code, "bad_json");
  EXPECT_EQ(Refuse("POST", target, Body("1 2")).code, "bad_json");
  EXPECT_EQ(Refuse("POST", target, Body("\"\\ud800\"")).code, "bad_json");
  EXPECT_EQ(Refuse("POST", target, Body("\"\xff\"")).code, "bad_json");
  EXPECT_EQ(Refuse("POST", target, Body("\xff", "text/plain")).code, "bad_json");
  EXPECT_EQ(Refuse("POST", "/v1/groups/%00/messages", Body("1")).code, "group_id_invalid");
  EXPECT_EQ(
      Refuse("POST", absl::StrCat("/v1/groups/", std::string(129, 'x'), "/messages"), Body("1"))
          .code,
      "group_id_invalid");
}

TEST(CallsTest, MessagesHaveTheLimitOfTheProtocol) {
  const CallLimits limits{.commands = {.message_bytes_max = 10}};
  const char* const target = "/v1/groups/1/messages";
  EXPECT_TRUE(std::holds_alternative<Calls>(Call("POST", target, Body("\"0123456789\""), limits)));
  EXPECT_EQ(Refuse("POST", target, Body("\"0123456789a\""), limits).status, 413);
  EXPECT_TRUE(std::holds_alternative<Calls>(
      Call("POST", target, Body("0123456789", "text/plain"), limits)));
  EXPECT_EQ(Refuse("POST", target, Body("0123456789a", "text/plain"), limits).code,
            "message_too_large");
}

TEST(CallsTest, TheIdempotencyKeyIsTheKey) {
  CallInput input = Body("1");
  input.idempotency_key = "k-1";
  EXPECT_EQ(Only(Read("POST", "/v1/groups/1/messages", input)).key, "k-1");
  input.idempotency_key = "";
  EXPECT_EQ(Refuse("POST", "/v1/groups/1/messages", input).status, 400);
  const std::string longest(64, 'k');
  input.idempotency_key = longest;
  EXPECT_EQ(Only(Read("POST", "/v1/groups/1/messages", input)).key, longest);
  const std::string longer(65, 'k');
  input.idempotency_key = longer;
  EXPECT_EQ(Refuse("POST", "/v1/groups/1/messages", input).status, 400);
}

TEST(CallsTest, AMessageToAUserGoesToThePersonalGroup) {
  EXPECT_EQ(Only(Read("POST", "/v1/users/ana/messages", Body("1"))).group_ids.front().id,
            "user:ana");
}

TEST(CallsTest, AListHasOneItemForEachMessage) {
  const Calls calls = Read("POST", "/v1/messages", Body(R"({"messages": [
    {"group_id": "a", "message": 1, "key": "k"},
    {"group_ids": ["a", 2], "message": "x"},
    {"group_id": "a"},
    7]})"));
  EXPECT_TRUE(calls.is_list);
  ASSERT_EQ(calls.items.size(), 4u);
  const Command& first = std::get<Command>(calls.items[0]);
  EXPECT_EQ(first.id, "0");
  EXPECT_EQ(first.key, "k");
  const Command& second = std::get<Command>(calls.items[1]);
  EXPECT_EQ(second.id, "1");
  EXPECT_TRUE(second.many);
  EXPECT_EQ(second.group_ids[1].id, "2");
  EXPECT_EQ(std::get<CommandError>(calls.items[2]).code, ErrorCode::kMessageMissing);
  EXPECT_EQ(std::get<CommandError>(calls.items[3]).code, ErrorCode::kBadJson);
}

TEST(CallsTest, AListHasABound) {
  std::string body = R"({"messages":[)";
  for (int i = 0; i < 1'000; ++i) {
    absl::StrAppend(&body, i == 0 ? "" : ",", R"({"group_id":"a","message":1})");
  }
  EXPECT_EQ(Read("POST", "/v1/messages", Body(absl::StrCat(body, "]}"))).items.size(), 1'000u);
  EXPECT_EQ(
      Refuse("POST", "/v1/messages", Body(absl::StrCat(body, R"(,{"group_id":"a","message":1}]})")))
          .status,
      400);
  EXPECT_EQ(Read("POST", "/v1/messages", Body(R"({"messages":[]})")).items.size(), 0u);
}

TEST(CallsTest, RefusesWhatIsNoList) {
  EXPECT_EQ(Refuse("POST", "/v1/messages", Body("[]")).code, "bad_json");
  EXPECT_EQ(Refuse("POST", "/v1/messages", Body("{}")).code, "message_missing");
  EXPECT_EQ(Refuse("POST", "/v1/messages", Body(R"({"messages":1})")).code, "bad_json");
  EXPECT_EQ(Refuse("POST", "/v1/messages", Body(R"({"messages":[1,]})")).code, "bad_json");
  EXPECT_EQ(Refuse("POST", "/v1/messages", Body(R"({"messages":[]} x)")).code, "bad_json");
  EXPECT_EQ(Refuse("POST", "/v1/messages", Body(R"({"messages":[],"messages":[]})")).code,
            "bad_json");
  EXPECT_EQ(Refuse("POST", "/v1/messages", Body("x", "text/plain")).status, 415);
  CallInput input = Body(R"({"messages":[]})");
  input.idempotency_key = "k";
  EXPECT_EQ(Refuse("POST", "/v1/messages", input).status, 400);
}

TEST(CallsTest, ReadsHistory) {
  const Command all = Only(Read("GET", "/v1/groups/1/messages"));
  EXPECT_EQ(all.kind, Command::Kind::kGroupHistory);
  EXPECT_EQ(all.history, CommandLimits().history_max);
  const Command some =
      Only(Read("GET", "/v1/groups/1/messages?limit=3&epoch=00000000000000aa&offset=5"));
  EXPECT_EQ(some.history, 3u);
  EXPECT_EQ(some.since, (Position{Epoch{0xaa}, 5}));
  EXPECT_EQ(Only(Read("GET", "/v1/groups/1/messages?limit=99999999999")).history,
            CommandLimits().history_max);
  for (const char* query : {"limit=0", "limit=", "limit=-1", "limit=x", "epoch=00000000000000aa",
                            "offset=1", "epoch=aa&offset=1", "epoch=00000000000000aa&offset=x"}) {
    EXPECT_EQ(Refuse("GET", absl::StrCat("/v1/groups/1/messages?", query)).status, 400) << query;
  }
}

TEST(CallsTest, ReadsMembers) {
  const Command page = Only(Read("GET", "/v1/groups/1/members?after=00000000000000ff&limit=2"));
  EXPECT_EQ(page.kind, Command::Kind::kGroupMembers);
  EXPECT_EQ(page.after, 0xffu);
  EXPECT_EQ(page.limit, 2u);
  EXPECT_FALSE(page.count_only);
  EXPECT_TRUE(Only(Read("GET", "/v1/groups/1/members?count_only=true")).count_only);
  EXPECT_TRUE(Only(Read("GET", "/v1/groups/1/members?count_only")).count_only);
  EXPECT_FALSE(Only(Read("GET", "/v1/groups/1/members?count_only=0")).count_only);
  EXPECT_EQ(Refuse("GET", "/v1/groups/1/members?count_only=maybe").status, 400);
  EXPECT_EQ(Refuse("GET", "/v1/groups/1/members?after=ff").status, 400);
}

TEST(CallsTest, AStreamJoinsItsGroups) {
  const Calls one = Read("GET", "/v1/groups/a/events?history=5&presence=true");
  EXPECT_TRUE(one.is_stream);
  const Command join = Only(one);
  EXPECT_EQ(join.kind, Command::Kind::kAddGroup);
  EXPECT_EQ(join.history, 5u);
  EXPECT_TRUE(join.presence);
  EXPECT_FALSE(join.since.has_value());

  CallInput input;
  input.last_event_id = "00000000000000aa-5,7";
  const Calls two = Read("GET", "/v1/events?group=a&group=b&history=5", input);
  EXPECT_THAT(two.groups, testing::ElementsAre("a", "b"));
  ASSERT_EQ(two.items.size(), 2u);
  EXPECT_EQ(std::get<Command>(two.items[1]).since, (Position{Epoch{0xaa}, 7}));
  EXPECT_EQ(std::get<Command>(two.items[1]).history, 0u) << "the position is better";
  EXPECT_TRUE(
      Only(Read("GET", "/v1/groups/a/events?last_event_id=00000000000000aa-5")).since.has_value());
}

TEST(CallsTest, RefusesBadStreams) {
  EXPECT_EQ(Refuse("GET", "/v1/events").status, 400);
  EXPECT_EQ(Refuse("GET", "/v1/events?group=").code, "group_id_invalid");
  EXPECT_EQ(Refuse("GET", "/v1/events?group=a&group=a").status, 400);
  EXPECT_EQ(Refuse("GET", "/v1/groups/a/events?history=x").status, 400);
  CallInput input;
  input.last_event_id = "5";
  EXPECT_THAT(Refuse("GET", "/v1/groups/a/events", input).detail, HasSubstr("Last-Event-ID"));
  std::string target = "/v1/events?";
  for (int i = 0; i < 32; ++i) absl::StrAppend(&target, "group=", i, "&");
  EXPECT_EQ(Read("GET", target).items.size(), 32u);
  EXPECT_EQ(Refuse("GET", absl::StrCat(target, "group=x")).code, "too_many_groups");
}

}  // namespace
}  // namespace groupcast::service
