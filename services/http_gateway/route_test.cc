#include "services/http_gateway/route.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

using testing::HasSubstr;

Route Find(absl::string_view method, absl::string_view target) {
  Route route;
  Problem problem;
  EXPECT_TRUE(FindRoute(method, target, &route, &problem)) << problem.detail;
  return route;
}

Problem Refuse(absl::string_view method, absl::string_view target) {
  Route route;
  Problem problem;
  EXPECT_FALSE(FindRoute(method, target, &route, &problem)) << method << " " << target;
  return problem;
}

TEST(RouteTest, FindsEveryEndpoint) {
  EXPECT_EQ(Find("GET", "/v1/groups").endpoint, Endpoint::kGroups);
  EXPECT_EQ(Find("POST", "/v1/groups/123/messages").endpoint, Endpoint::kGroupMessages);
  EXPECT_EQ(Find("GET", "/v1/groups/123/messages").endpoint, Endpoint::kGroupMessages);
  EXPECT_EQ(Find("GET", "/v1/groups/123/members").endpoint, Endpoint::kGroupMembers);
  EXPECT_EQ(Find("GET", "/v1/groups/123/events").endpoint, Endpoint::kGroupEvents);
  EXPECT_EQ(Find("DELETE", "/v1/groups/123/members/0a").endpoint, Endpoint::kGroupMember);
  EXPECT_EQ(Find("DELETE", "/v1/connections/0a").endpoint, Endpoint::kConnection);
  EXPECT_EQ(Find("DELETE", "/v1/users/ana/connections").endpoint, Endpoint::kUserConnections);
  EXPECT_EQ(Find("POST", "/v1/users/ana/messages").endpoint, Endpoint::kUserMessages);
  EXPECT_EQ(Find("POST", "/v1/messages").endpoint, Endpoint::kMessages);
  EXPECT_EQ(Find("GET", "/v1/events").endpoint, Endpoint::kEvents);
  EXPECT_EQ(Find("GET", "/v1/services").endpoint, Endpoint::kServices);
  EXPECT_EQ(Find("GET", "/dashboard").endpoint, Endpoint::kDashboard);
  EXPECT_EQ(Find("GET", "/dashboard/").endpoint, Endpoint::kDashboardFile);
  EXPECT_EQ(Find("GET", "/dashboard/").id, "");
  EXPECT_EQ(Find("GET", "/dashboard/page.js").endpoint, Endpoint::kDashboardFile);
  EXPECT_EQ(Find("GET", "/dashboard/page.js").id, "page.js");
  EXPECT_EQ(Refuse("GET", "/dashboard/a/b").status, 404);
  EXPECT_EQ(Refuse("POST", "/dashboard/page.js").status, 405);
  EXPECT_EQ(Find("GET", "/v1/openapi.json").endpoint, Endpoint::kApiDescription);
  EXPECT_EQ(Find("HEAD", "/healthz").endpoint, Endpoint::kAlive);
  EXPECT_EQ(Find("GET", "/readyz").endpoint, Endpoint::kReady);
  EXPECT_EQ(Find("OPTIONS", "/v1/messages").method, Method::kOptions);
}

TEST(RouteTest, DecodesTheId) {
  EXPECT_EQ(Find("GET", "/v1/groups/a%2Fb/members").id, "a/b");
  EXPECT_EQ(Find("GET", "/v1/groups/a+b/members").id, "a+b");
  EXPECT_EQ(Find("GET", "/v1/groups/%D9%85/members").id, "م");
  EXPECT_EQ(Find("GET", "/v1/groups/messages/messages").id, "messages");
  EXPECT_EQ(Refuse("GET", "/v1/groups/%/members").status, 400);
  EXPECT_EQ(Refuse("GET", "/v1/groups/%4/members").status, 400);
  EXPECT_EQ(Refuse("GET", "/v1/groups/%zz/members").status, 400);
  EXPECT_EQ(Refuse("GET", "/v1/groups/%ff/members").status, 400) << "not UTF-8";
}

TEST(RouteTest, APathMayHaveTwoIds) {
  const Route route = Find("DELETE", "/v1/groups/a%2Fb/members/%30a?code=4400");
  EXPECT_EQ(route.id, "a/b");
  EXPECT_EQ(route.member, "0a");
  EXPECT_EQ(route.method, Method::kDelete);
  EXPECT_EQ(Find("GET", "/v1/groups/a/members").member, "");
  EXPECT_EQ(Find("DELETE", "/v1/groups/*/members/*").id, "*");
  EXPECT_EQ(Refuse("DELETE", "/v1/groups/a/members/%").status, 400);
}

TEST(RouteTest, ReadsTheQuery) {
  const Route route = Find("GET", "/v1/events?group=a%26b&group=c+d&&limit=&flag");
  ASSERT_EQ(route.query.size(), 4u);
  EXPECT_EQ(route.query[0].second, "a&b");
  EXPECT_EQ(route.query[1].second, "c d");
  EXPECT_EQ(route.Parameter("group"), "a&b");
  EXPECT_EQ(route.Parameter("limit"), "");
  EXPECT_EQ(route.Parameter("flag"), "");
  EXPECT_EQ(route.Parameter("other"), std::nullopt);
  EXPECT_EQ(Refuse("GET", "/v1/events?group=%").status, 400);
  std::string many = "/v1/events?";
  for (int i = 0; i < 256; ++i) absl::StrAppend(&many, "g=1&");
  EXPECT_EQ(Find("GET", many).query.size(), 256u);
  EXPECT_EQ(Refuse("GET", absl::StrCat(many, "g=1")).status, 400);
}

TEST(RouteTest, RefusesWhatIsNotThere) {
  for (const char* target :
       {"/", "/v1", "/v1/groups/", "/v1/groups//messages", "/v1/groups/a", "/v1/groups/a/members/",
        "/v1/groups//members/b", "/v1/connections", "/v1/connections/", "/v1/connections/a/b",
        "/v1/groups/a/b/messages", "/v1/groups/a/messages/", "/v1/messages/", "//v1/messages", "*",
        "ftp://h/v1/messages", "/v1/../v1/messages"}) {
    EXPECT_EQ(Refuse("GET", target).status, 404) << target;
  }
}

TEST(RouteTest, RefusesOtherMethodsAndNamesTheRightOnes) {
  const Problem problem = Refuse("DELETE", "/v1/groups/a/messages");
  EXPECT_EQ(problem.status, 405);
  EXPECT_EQ(problem.allow, "GET, HEAD, POST, OPTIONS");
  EXPECT_THAT(problem.detail, HasSubstr("POST"));
  EXPECT_EQ(Refuse("GET", "/v1/messages").status, 405);
  EXPECT_EQ(Refuse("POST", "/v1/groups").status, 405);
  EXPECT_EQ(Refuse("DELETE", "/v1/groups").status, 405);
  EXPECT_EQ(Refuse("GET", "/v1/connections/0a").allow, "DELETE, OPTIONS");
  EXPECT_EQ(Refuse("GET", "/v1/groups/a/members/0a").allow, "DELETE, OPTIONS");
  EXPECT_EQ(Refuse("HEAD", "/v1/events").status, 405) << "a stream has no length";
  EXPECT_EQ(Refuse("get", "/healthz").status, 405) << "methods are case-sensitive";
}

}  // namespace
}  // namespace groupcast::service
