#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "services/http/pages.h"
#include "services/websocket_service/http/http.h"

namespace groupcast::service {
namespace {

namespace fs = std::filesystem;

Pages LoadIndex() {
  const fs::path site = fs::path(std::getenv("TEST_TMPDIR")) / "site";
  fs::create_directories(site);
  std::ofstream(site / "index.html") << "<p>index";
  return *Pages::Load(site.string());
}

TEST(PageAnswerTest, AllAnswersShareThePagesBody) {
  const Pages pages = LoadIndex();
  const std::string request = "GET /?x=1 HTTP/1.1\r\nHost: x\r\n\r\n";
  const HttpAnswer answer = AnswerRequest(request, {.pages = &pages});
  EXPECT_TRUE(absl::EndsWith(answer.bytes, "\r\n\r\n"));
  EXPECT_TRUE(absl::StrContains(answer.bytes, "Content-Length: 8\r\n"));
  EXPECT_EQ(answer.body.bytes(), "<p>index");
  EXPECT_EQ(answer.body.bytes().data(), pages.Find("/")->body.bytes().data());
}

TEST(PageAnswerTest, HeadGetsTheHeaderOfThePageAlone) {
  const Pages pages = LoadIndex();
  const HttpAnswer get = AnswerRequest("GET / HTTP/1.1\r\nHost: x\r\n\r\n", {.pages = &pages});
  const HttpAnswer head = AnswerRequest("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", {.pages = &pages});
  EXPECT_EQ(head.bytes, get.bytes);
  EXPECT_FALSE(head.body);
}

}  // namespace
}  // namespace groupcast::service
