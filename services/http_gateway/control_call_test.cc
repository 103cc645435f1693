#include "services/http_gateway/control_call.h"

#include <string>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

using testing::HasSubstr;
using Kind = ControlCommand::Kind;

constexpr absl::string_view kConnection = "c4f1e2a90b7d3356";

std::variant<ControlCommand, Problem> Call(absl::string_view method, absl::string_view target) {
  Route route;
  Problem problem;
  EXPECT_TRUE(FindRoute(method, target, &route, &problem)) << problem.detail;
  return ReadControlCall(route);
}

ControlCommand Read(absl::string_view method, absl::string_view target) {
  const std::variant<ControlCommand, Problem> call = Call(method, target);
  const auto* const problem = std::get_if<Problem>(&call);
  EXPECT_EQ(problem, nullptr) << target << ": " << (problem == nullptr ? "" : problem->detail);
  return problem == nullptr ? std::get<ControlCommand>(call) : ControlCommand();
}

ControlCommand Delete(absl::string_view target) { return Read("DELETE", target); }

Problem Refuse(absl::string_view method, absl::string_view target) {
  const std::variant<ControlCommand, Problem> call = Call(method, target);
  EXPECT_TRUE(std::holds_alternative<Problem>(call)) << target;
  return std::holds_alternative<Problem>(call) ? std::get<Problem>(call) : Problem();
}

Grants Has(absl::string_view pattern, Right right) {
  Rights rights;
  rights.Add(right);
  Grants grants;
  grants.Add(pattern, rights);
  return grants;
}

TEST(ReadControlCallTest, TheListOfGroups) {
  const ControlCommand plain = Read("GET", "/v1/groups");
  EXPECT_EQ(plain.kind, Kind::kGroups);
  EXPECT_EQ(plain.limit, 100u);
  EXPECT_EQ(plain.prefix, "");
  const ControlCommand page = Read("GET", "/v1/groups?prefix=a%26b&after=a%26b%2F+1&limit=5000");
  EXPECT_EQ(page.prefix, "a&b");
  EXPECT_EQ(page.after, "a&b/ 1");
  EXPECT_EQ(page.limit, 1'000u);
  EXPECT_EQ(Read("GET", "/v1/groups?order=id").kind, Kind::kGroups);
  const ControlCommand busiest = Read("GET", "/v1/groups?order=busiest&limit=500&prefix=a");
  EXPECT_EQ(busiest.kind, Kind::kBusiest);
  EXPECT_EQ(busiest.limit, 100u);
  EXPECT_EQ(busiest.prefix, "a");
  for (const char* wrong :
       {"limit=0", "limit=x", "order=name", "prefix=%00", "after=%07", "order=busiest&after=a"}) {
    EXPECT_EQ(Refuse("GET", absl::StrCat("/v1/groups?", wrong)).status, 400) << wrong;
  }
  EXPECT_EQ(Refuse("GET", absl::StrCat("/v1/groups?prefix=", std::string(129, 'a'))).status, 400);
}

TEST(ReadControlCallTest, TheEndOfConnections) {
  const ControlCommand one = Delete(absl::StrCat("/v1/connections/", kConnection));
  EXPECT_EQ(one.kind, Kind::kDisconnect);
  EXPECT_EQ(one.member, 0xc4f1e2a90b7d3356);
  EXPECT_EQ(one.user, "");
  EXPECT_EQ(one.group, "");
  EXPECT_EQ(static_cast<int>(one.code), 4900);
  EXPECT_EQ(one.reason, "closed by an operator");
  const ControlCommand user = Delete("/v1/users/a%2Fb/connections?code=4400&reason=come+back");
  EXPECT_EQ(user.kind, Kind::kDisconnect);
  EXPECT_EQ(user.member, 0u);
  EXPECT_EQ(user.user, "a/b");
  EXPECT_EQ(static_cast<int>(user.code), 4400);
  EXPECT_EQ(user.reason, "come back");
}

TEST(ReadControlCallTest, AMemberLeavesItsGroupOrWithACodeItsConnectionEnds) {
  const std::string target = absl::StrCat("/v1/groups/g/members/", kConnection);
  const ControlCommand leaves = Delete(target);
  EXPECT_EQ(leaves.kind, Kind::kExpel);
  EXPECT_EQ(leaves.group, "g");
  EXPECT_EQ(leaves.member, 0xc4f1e2a90b7d3356);
  EXPECT_EQ(leaves.reason, "taken out by an operator");
  EXPECT_EQ(Delete(absl::StrCat(target, "?reason=x")).reason, "x");
  const ControlCommand ends = Delete(absl::StrCat(target, "?code=4401"));
  EXPECT_EQ(ends.kind, Kind::kDisconnect);
  EXPECT_EQ(ends.group, "g");
  EXPECT_EQ(ends.member, 0xc4f1e2a90b7d3356);
  EXPECT_EQ(static_cast<int>(ends.code), 4401);
}

TEST(ReadControlCallTest, CodesAndReasonsOfTheProtocolAreNotForApplications) {
  const std::string target = absl::StrCat("/v1/connections/", kConnection);
  for (const char* code : {"4400", "4499", "4900", "4999"}) {
    EXPECT_EQ(absl::StrCat(static_cast<int>(Delete(absl::StrCat(target, "?code=", code)).code)),
              code);
  }
  for (const char* code :
       {"", "x", "0", "-1", "1000", "4000", "4399", "4500", "4899", "5000", "4294971696"}) {
    EXPECT_EQ(Refuse("DELETE", absl::StrCat(target, "?code=", code)).status, 400) << code;
    EXPECT_EQ(
        Refuse("DELETE", absl::StrCat("/v1/groups/g/members/", kConnection, "?code=", code)).status,
        400)
        << code;
  }
  EXPECT_EQ(Delete(absl::StrCat(target, "?reason=", std::string(123, 'r'))).reason.size(), 123u);
  for (const std::string& reason : {std::string(), std::string(124, 'r'), std::string("a%0Ab")}) {
    EXPECT_EQ(Refuse("DELETE", absl::StrCat(target, "?reason=", reason)).status, 400) << reason;
  }
}

TEST(ReadControlCallTest, IdsMustBeIds) {
  for (const char* id :
       {"0", "c4f1e2a90b7d335", "c4f1e2a90b7d33567", "c4f1e2a90b7d335x", "0000000000000000"}) {
    EXPECT_EQ(Refuse("DELETE", absl::StrCat("/v1/connections/", id)).status, 400) << id;
    EXPECT_EQ(Refuse("DELETE", absl::StrCat("/v1/groups/g/members/", id)).status, 400) << id;
  }
  EXPECT_EQ(Refuse("DELETE", absl::StrCat("/v1/groups/%01/members/", kConnection)).code,
            "group_id_invalid");
  EXPECT_EQ(
      Refuse("DELETE", absl::StrCat("/v1/users/", std::string(124, 'u'), "/connections")).status,
      400);
}

TEST(CheckControlTest, AServiceWithoutCredentialsLetsInEveryoneOrNobody) {
  for (const ControlCommand& command :
       {ControlCommand{.kind = Kind::kGroups}, ControlCommand{.kind = Kind::kBusiest},
        ControlCommand{.kind = Kind::kDisconnect, .user = "u"},
        ControlCommand{.kind = Kind::kExpel, .member = 1, .group = "g"}}) {
    EXPECT_EQ(CheckControl(command, nullptr, /*anyone_may=*/true), std::nullopt);
    EXPECT_EQ(CheckControl(command, nullptr, /*anyone_may=*/false)->status, 403);
  }
}

TEST(CheckControlTest, ListsNeedTheRightForTheirWholePrefix) {
  const Grants rooms = Has("room:*", Right::kObserve);
  for (const Kind kind : {Kind::kGroups, Kind::kBusiest}) {
    const auto check = [&](const std::string& prefix, const Grants& grants) {
      return CheckControl({.kind = kind, .prefix = prefix}, &grants, false).has_value();
    };
    EXPECT_FALSE(check("room:", rooms));
    EXPECT_FALSE(check("room:1", rooms));
    EXPECT_TRUE(check("", rooms));
    EXPECT_TRUE(check("room", rooms));
    EXPECT_TRUE(check("room:", Has("room:*", Right::kRead)));
    EXPECT_FALSE(check("", Has("*", Right::kObserve)));
  }
}

TEST(CheckControlTest, EndsNeedManage) {
  const ControlCommand expel = {.kind = Kind::kExpel, .member = 1, .group = "room:1"};
  const ControlCommand close = {.kind = Kind::kDisconnect, .member = 1};
  ControlCommand close_member = close;
  close_member.group = "room:1";
  const Grants rooms = Has("room:*", Right::kManage);
  const Grants all = Has("*", Right::kManage);
  const Grants watcher = Has("*", Right::kObserve);
  EXPECT_EQ(CheckControl(expel, &rooms, false), std::nullopt);
  EXPECT_EQ(CheckControl(expel, &watcher, false)->code, "forbidden");
  EXPECT_EQ(CheckControl({.kind = Kind::kExpel, .member = 1, .group = "g"}, &rooms, false)->status,
            403);
  // A connection may be in other groups too.
  for (const ControlCommand& command : {close, close_member}) {
    EXPECT_EQ(CheckControl(command, &rooms, false)->status, 403);
    EXPECT_EQ(CheckControl(command, &watcher, false)->status, 403);
    EXPECT_EQ(CheckControl(command, &all, false), std::nullopt);
  }
}

TEST(CheckControlTest, ReservedGroupsAreForNobody) {
  const Grants all = Has("*", Right::kManage);
  const ControlCommand expel = {.kind = Kind::kExpel, .member = 1, .group = "$groupcast.control"};
  EXPECT_EQ(CheckControl(expel, &all, false)->status, 403);
  EXPECT_EQ(CheckControl(expel, nullptr, /*anyone_may=*/true)->status, 403);
}

TEST(ControlJsonTest, AListHasItsNextPageAndSaysWhetherItIsComplete) {
  ControlResult result;
  result.list.groups = {{.id = "a\"", .members = 2}, {.id = "b", .members = 1}};
  EXPECT_EQ(std::get<std::string>(ControlJson({.kind = Kind::kGroups}, result)),
            R"({"groups":[{"group_id":"a\"","members":2},{"group_id":"b","members":1}],)"
            R"("complete":true})");
  result.list.is_cut = true;
  result.complete = false;
  EXPECT_THAT(std::get<std::string>(ControlJson({.kind = Kind::kGroups}, result)),
              HasSubstr(R"(],"next":"b","complete":false})"));
  EXPECT_EQ(std::get<std::string>(ControlJson({.kind = Kind::kGroups}, ControlResult())),
            R"({"groups":[],"complete":true})");
}

TEST(ControlJsonTest, TheBusiestHaveTheirRateAndNoNextPage) {
  ControlResult result;
  result.list.groups = {{.id = "a", .members = 2, .messages_per_second = 12.5}};
  EXPECT_EQ(
      std::get<std::string>(ControlJson({.kind = Kind::kBusiest}, result)),
      R"({"groups":[{"group_id":"a","members":2,"messages_per_second":12.5}],"complete":true})");
}

TEST(ControlJsonTest, TheBusiestSayThatMoreDidNotFit) {
  ControlResult result;
  result.list.groups = {{.id = "a", .members = 2, .messages_per_second = 12.5}};
  result.list.is_cut = true;
  EXPECT_THAT(std::get<std::string>(ControlJson({.kind = Kind::kBusiest}, result)),
              HasSubstr(R"(],"cut":true,"complete":true})"));
}

TEST(DescribeEndTest, TheLogNamesTheCommandItsTargetAndItsCode) {
  constexpr auto kCode = static_cast<CloseCode>(4400);
  EXPECT_EQ(DescribeEnd({.kind = Kind::kDisconnect, .member = 0x1f, .code = kCode}),
            "close the connection 000000000000001f with the code 4400");
  EXPECT_EQ(DescribeEnd({.kind = Kind::kDisconnect, .user = "ann", .code = kCode}),
            "close all connections of the user \"ann\" with the code 4400");
  EXPECT_EQ(DescribeEnd({.kind = Kind::kDisconnect, .member = 0x1f, .group = "g", .code = kCode}),
            "close the connection of the member 000000000000001f of the group \"g\" with the code "
            "4400");
  EXPECT_EQ(DescribeEnd({.kind = Kind::kExpel, .member = 0x1f, .group = "g"}),
            "take the member 000000000000001f out of the group \"g\"");
}

TEST(ControlOutcomeTest, TheLogHasTheNumberOfConnectionsOrTheError) {
  EXPECT_EQ(ControlOutcome(ControlResult{.count = 1}), "1 connection");
  EXPECT_EQ(ControlOutcome(ControlResult{.complete = false, .count = 2}),
            "2 connections, and not all workers have done it in time");
  EXPECT_EQ(ControlOutcome(absl::UnavailableError("no worker")), "unavailable, no worker");
}

TEST(ControlJsonTest, NobodyIsOnlyNotFoundIfAllHaveAnswered) {
  const ControlCommand command = {.kind = Kind::kDisconnect, .member = 1};
  EXPECT_EQ(std::get<std::string>(ControlJson(command, ControlResult{.count = 2})),
            R"({"connections":2,"complete":true})");
  EXPECT_EQ(std::get<std::string>(ControlJson(command, ControlResult{.complete = false})),
            R"({"connections":0,"complete":false})");
  const Problem problem = std::get<Problem>(ControlJson(command, ControlResult()));
  EXPECT_EQ(problem.status, 404);
  EXPECT_EQ(problem.code, "not_found");
}

TEST(ControlJsonTest, AFailureHasTheCodeOfTheProtocol) {
  const ControlCommand command = {.kind = Kind::kDisconnect, .member = 1};
  EXPECT_EQ(std::get<Problem>(ControlJson(command, absl::UnavailableError("x"))).status, 503);
  EXPECT_EQ(std::get<Problem>(ControlJson(command, absl::AbortedError("x"))).code, "rate_limited");
  EXPECT_EQ(std::get<Problem>(ControlJson(command, absl::UnknownError("x"))).code,
            "outcome_unknown");
}

}  // namespace
}  // namespace groupcast::service
