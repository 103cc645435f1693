#include "services/http_gateway/response.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

ResponseFrame AFrame() { return {.date = "Sat, 28 Nov 2026 05:00:00 GMT"}; }

std::string Text(const SharedBytes& bytes) { return std::string(bytes.bytes()); }

TEST(ResponseTest, WritesTheDateOfHttp) {
  EXPECT_EQ(HttpDate(absl::FromUnixSeconds(784111777)), "Sun, 06 Nov 1994 08:49:37 GMT");
}

TEST(ResponseTest, JsonHasItsLength) {
  EXPECT_EQ(Text(JsonResponse(AFrame(), "{\"a\":1}")),
            "HTTP/1.1 200 OK\r\nServer: groupcast\r\nDate: Sat, 28 Nov 2026 05:00:00 GMT\r\n"
            "Content-Type: application/json\r\nContent-Length: 7\r\nCache-Control: no-store\r\n"
            "\r\n{\"a\":1}");
}

TEST(ResponseTest, HeadHasTheLengthAndNoBody) {
  ResponseFrame frame = AFrame();
  frame.is_head = true;
  EXPECT_THAT(Text(JsonResponse(frame, "{\"a\":1}")),
              AllOf(HasSubstr("Content-Length: 7\r\n"), EndsWith("\r\n\r\n")));
}

TEST(ResponseTest, SaysWhetherTheConnectionGoesOn) {
  ResponseFrame frame = AFrame();
  EXPECT_THAT(Text(JsonResponse(frame, "1")), Not(HasSubstr("Connection:")));
  frame.is_http_1_1 = false;
  EXPECT_THAT(Text(JsonResponse(frame, "1")), HasSubstr("\r\nConnection: keep-alive\r\n"));
  frame.keep_alive = false;
  EXPECT_THAT(Text(JsonResponse(frame, "1")), HasSubstr("\r\nConnection: close\r\n"));
}

TEST(ResponseTest, AProblemHasTheFieldsOfItsStatus) {
  EXPECT_THAT(Text(ProblemResponse(AFrame(), MakeProblem(401, "unauthorized", "who?"))),
              AllOf(StartsWith("HTTP/1.1 401 Unauthorized\r\n"),
                    HasSubstr("\r\nWWW-Authenticate: Bearer\r\n"),
                    HasSubstr("\r\nContent-Type: application/problem+json\r\n"),
                    EndsWith(R"({"status":401,"title":"Unauthorized","detail":"who?",)"
                             R"("code":"unauthorized","retry":false})")));
  EXPECT_THAT(Text(ProblemResponse(AFrame(), MakeProblem(503, "unavailable", "later"))),
              AllOf(HasSubstr("\r\nRetry-After: 1\r\n"), HasSubstr("\"retry\":true")));
  Problem problem = MakeProblem(405, kMethodNotAllowed, "no");
  problem.allow = "GET";
  EXPECT_THAT(Text(ProblemResponse(AFrame(), problem)), HasSubstr("\r\nAllow: GET\r\n"));
}

TEST(ResponseTest, APageMayReadWhatItsOriginMay) {
  ResponseFrame frame = AFrame();
  EXPECT_THAT(Text(JsonResponse(frame, "1")), Not(HasSubstr("Access-Control")));
  frame.origin = "https://app.example";
  EXPECT_THAT(Text(JsonResponse(frame, "1")),
              AllOf(HasSubstr("\r\nAccess-Control-Allow-Origin: https://app.example\r\n"),
                    HasSubstr("\r\nVary: Origin\r\n")));
  EXPECT_THAT(Text(PreflightResponse(frame, "POST, OPTIONS")),
              AllOf(StartsWith("HTTP/1.1 204 No Content\r\n"),
                    HasSubstr("\r\nAccess-Control-Allow-Methods: POST, OPTIONS\r\n"),
                    HasSubstr("Idempotency-Key"), Not(HasSubstr("Content-Length"))));
}

TEST(ResponseTest, AFileSaysWhatItsPageMayDo) {
  const Pages::Page file = {
      .content_type = "text/javascript", .body = SharedBytes::Copy("let a;"), .tag = "0a"};
  const std::string response = Text(FileResponse(AFrame(), file, ""));
  EXPECT_THAT(
      response,
      AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr("\r\nContent-Type: text/javascript\r\n"),
            HasSubstr("\r\nContent-Length: 6\r\n"), HasSubstr("\r\nCache-Control: no-cache\r\n"),
            HasSubstr("\r\nETag: \"0a\"\r\n"), EndsWith("\r\n\r\nlet a;")));
  EXPECT_THAT(
      response,
      AllOf(HasSubstr("\r\nContent-Security-Policy: default-src 'none'; script-src 'self';"),
            HasSubstr("frame-ancestors 'none'\r\n"), Not(HasSubstr("unsafe")),
            HasSubstr("\r\nX-Content-Type-Options: nosniff\r\n")));
  ResponseFrame head = AFrame();
  head.is_head = true;
  EXPECT_EQ(Text(FileResponse(head, file, "")) + "let a;", response);
}

TEST(ResponseTest, AFileThatTheBrowserHasIsItsTag) {
  const Pages::Page file = {
      .content_type = "text/javascript", .body = SharedBytes::Copy("let a;"), .tag = "0a"};
  const std::string response = Text(FileResponse(AFrame(), file, "\"0a\""));
  EXPECT_THAT(response,
              AllOf(StartsWith("HTTP/1.1 304 Not Modified\r\n"), HasSubstr("\r\nETag: \"0a\"\r\n"),
                    HasSubstr("Content-Security-Policy"), EndsWith("\r\n\r\n")));
  EXPECT_THAT(Text(FileResponse(AFrame(), file, "\"0b\"")), StartsWith("HTTP/1.1 200 "));
}

TEST(ResponseTest, ARedirectNamesAPath) {
  EXPECT_THAT(Text(RedirectResponse(AFrame(), "dashboard/")),
              AllOf(StartsWith("HTTP/1.1 308 Permanent Redirect\r\n"),
                    HasSubstr("\r\nLocation: dashboard/\r\nContent-Length: 0\r\n\r\n")));
}

TEST(ResponseTest, AStreamEndsWithItsConnection) {
  ResponseFrame frame = AFrame();
  frame.keep_alive = false;
  EXPECT_THAT(Text(StreamHead(frame)),
              AllOf(HasSubstr("\r\nContent-Type: text/event-stream\r\n"),
                    HasSubstr("\r\nConnection: close\r\n"), Not(HasSubstr("Content-Length"))));
}

}  // namespace
}  // namespace groupcast::service
