#include "services/websocket_service/http/pages.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "services/websocket_service/http/http.h"

namespace groupcast::service {
namespace {

namespace fs = std::filesystem;

class PagesTest : public testing::Test {
 protected:
  PagesTest() {
    root_ = fs::path(std::getenv("TEST_TMPDIR")) /
            testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::create_directories(root_ / "site" / "deep");
    Write(root_ / "secret.txt", "secret");
    Write(root_ / "site" / "index.html", "<p>index");
    Write(root_ / "site" / "deep" / "index.html", "<p>deep");
    Write(root_ / "site" / "a b.js", "js");
  }

  static void Write(const fs::path& path, const std::string& text) { std::ofstream(path) << text; }
  Pages Load() { return *Pages::Load((root_ / "site").string()); }

  fs::path root_;
};

TEST_F(PagesTest, ServesWhatIsThere) {
  const Pages pages = Load();
  EXPECT_EQ(pages.Find("/")->body, "<p>index");
  EXPECT_EQ(pages.Find("/index.html")->content_type, "text/html; charset=utf-8");
  EXPECT_EQ(pages.Find("/deep/")->body, "<p>deep");
  EXPECT_EQ(pages.Find("/a%20b.js")->body, "js");
  EXPECT_EQ(pages.Find("/missing"), nullptr);
  EXPECT_EQ(pages.Find("/%zz"), nullptr);
}

TEST_F(PagesTest, NoPathLeavesTheDirectory) {
  fs::create_symlink(root_ / "secret.txt", root_ / "site" / "link.txt");
  fs::create_directory_symlink(root_, root_ / "site" / "up");
  const Pages pages = Load();
  for (const char* path : {"/../secret.txt", "/%2e%2e/secret.txt", "/deep/../../secret.txt",
                           "/link.txt", "/up/secret.txt", "//secret.txt", "secret.txt"}) {
    EXPECT_EQ(pages.Find(path), nullptr) << path;
  }
}

TEST_F(PagesTest, ADirectoryThatIsMissingIsAnError) {
  EXPECT_EQ(Pages::Load((root_ / "nowhere").string()).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(PagesTest, HeadGetsTheHeaderOfThePageAlone) {
  const Pages pages = Load();
  const HttpAnswer get = AnswerRequest("GET /?x=1 HTTP/1.1\r\nHost: x\r\n\r\n", {.pages = &pages});
  const HttpAnswer head = AnswerRequest("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", {.pages = &pages});
  EXPECT_TRUE(absl::EndsWith(get.bytes, "\r\n\r\n<p>index"));
  EXPECT_TRUE(absl::EndsWith(head.bytes, "\r\n\r\n"));
  EXPECT_TRUE(absl::StrContains(head.bytes, "Content-Length: 8\r\n"));
}

}  // namespace
}  // namespace groupcast::service
