#include "gtest/gtest.h"
#include "tools/groupcast/gateway.h"

namespace groupcast::cli {
namespace {

TEST(GatewayJsonTest, AListOfGroups) {
  const auto list = ReadGroupList(
      R"({"groups":[{"group_id":"room:7","members":3,"messages_per_second":12.5},{"group_id":"b","members":1}],"next":"b","complete":false})");
  ASSERT_TRUE(list.ok());
  ASSERT_EQ(list->groups.size(), 2u);
  EXPECT_EQ(list->groups[0].group_id, "room:7");
  EXPECT_EQ(list->groups[0].members, 3u);
  EXPECT_EQ(list->groups[0].messages_per_second, 12.5);
  EXPECT_EQ(list->next, "b");
  EXPECT_FALSE(list->complete);
}

TEST(GatewayJsonTest, Services) {
  const auto services = ReadServices(
      R"({"at":1,"services":[{"address":"127.0.0.1:9234","up":true,"ready":false,"reason":"no channel","metrics":{
          "groupcast_build_info":[{"labels":{"service":"websocket_service","version":"1.2"},"value":1}],
          "groupcast_connections":[{"labels":{"worker":"0"},"value":12},{"labels":{"worker":"1"},"value":null},{"labels":{},"value":3}]}},
          {"address":"b","up":false,"ready":false}]})");
  ASSERT_TRUE(services.ok());
  ASSERT_EQ(services->size(), 2u);
  const ServiceRow& service = services->front();
  EXPECT_TRUE(service.up);
  EXPECT_FALSE(service.ready);
  EXPECT_EQ(service.reason, "no channel");
  EXPECT_EQ(service.BuildInfo("service"), "websocket_service");
  EXPECT_EQ(service.BuildInfo("version"), "1.2");
  EXPECT_EQ(service.BuildInfo("colour"), "");
  EXPECT_EQ(service.Sum("groupcast_connections"), 15);
  EXPECT_EQ(service.Sum("other"), std::nullopt);
  EXPECT_EQ(services->back().BuildInfo("version"), "");
}

TEST(GatewayJsonTest, OtherJsonIsRefused) {
  for (const char* text : {"", "[]", "{}", "null", R"({"groups":1})", R"({"groups":[1]})"}) {
    EXPECT_EQ(ReadGroupList(text).status().code(), absl::StatusCode::kInternal) << text;
  }
  for (const char* text : {"", "{}", R"({"services":{}})", R"({"services":["a"]})"}) {
    EXPECT_EQ(ReadServices(text).status().code(), absl::StatusCode::kInternal) << text;
  }
}

TEST(GatewayJsonTest, ARefusalHasTheSentenceOfItsProblem) {
  const absl::Status status =
      ProblemStatus(403, R"({"status":403,"detail":"The caller may not.","code":"forbidden"})");
  EXPECT_EQ(status, absl::PermissionDeniedError("HTTP 403: The caller may not."));
  EXPECT_EQ(ProblemStatus(401, "").code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(ProblemStatus(429, "").code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ProblemStatus(503, "<html>"), absl::UnavailableError("HTTP 503"));
  EXPECT_EQ(ProblemStatus(404, "").code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace groupcast::cli
