#include "services/http/pages.h"

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

namespace fs = std::filesystem;

class PagesTest : public testing::Test {
 protected:
  PagesTest() {
    root_ = fs::path(std::getenv("TEST_TMPDIR")) /
            testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::remove_all(root_);
    fs::create_directories(root_ / "site" / "deep");
    Write(root_ / "secret.txt", "secret");
    Write(root_ / "site" / "index.html", "<p>index");
    Write(root_ / "site" / "deep" / "index.html", "<p>deep");
    Write(root_ / "site" / "a b.js", "js");
    Write(root_ / "site" / "module.mjs", "mjs");
  }

  static void Write(const fs::path& path, const std::string& text) { std::ofstream(path) << text; }
  Pages Load() { return *Pages::Load((root_ / "site").string()); }

  // The body of a page; "404": there is none.
  static absl::string_view Body(const Pages& pages, absl::string_view path) {
    const Pages::Page* const page = pages.Find(path);
    return page == nullptr ? "404" : page->body.bytes();
  }

  fs::path root_;
};

TEST_F(PagesTest, ServesWhatIsThere) {
  const Pages pages = Load();
  EXPECT_EQ(Body(pages, "/"), "<p>index");
  EXPECT_EQ(pages.Find("/index.html")->content_type, "text/html; charset=utf-8");
  EXPECT_EQ(Body(pages, "/deep/"), "<p>deep");
  EXPECT_EQ(Body(pages, "/a%20b.js"), "js");
  EXPECT_EQ(pages.Find("/module.mjs")->content_type, "text/javascript; charset=utf-8");
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

TEST_F(PagesTest, ALinkInsideTheDirectoryIsServedUnderItsOwnName) {
  const fs::path site = root_ / "site";
  fs::create_symlink("deep/index.html", site / "link.html");
  fs::create_symlink(site / "index.html", site / "deep" / "absolute.txt");
  fs::create_symlink("../index.html", site / "deep" / "up.html");
  fs::create_symlink("link.html", site / "link_to_link.html");
  fs::create_directory_symlink("deep", site / "also_deep");
  const Pages pages = Load();
  EXPECT_EQ(Body(pages, "/link.html"), "<p>deep");
  EXPECT_EQ(Body(pages, "/link_to_link.html"), "<p>deep");
  EXPECT_EQ(Body(pages, "/deep/absolute.txt"), "<p>index");
  EXPECT_EQ(Body(pages, "/deep/up.html"), "<p>index");
  EXPECT_EQ(Body(pages, "/also_deep/"), "<p>deep");
  EXPECT_EQ(Body(pages, "/also_deep/up.html"), "<p>index");
  EXPECT_EQ(Body(pages, "/deep/index.html"), "<p>deep") << "the target keeps its name";
  EXPECT_EQ(pages.Find("/deep/absolute.txt")->content_type, "text/plain; charset=utf-8");
  EXPECT_EQ(pages.Find("/link.html")->body.bytes().data(),
            pages.Find("/deep/index.html")->body.bytes().data())
      << "one body for all names";
}

TEST_F(PagesTest, LinksThatLeadInCirclesOrNowhereEnd) {
  const fs::path site = root_ / "site";
  fs::create_directory_symlink(site, site / "deep" / "root");
  fs::create_directory_symlink(".", site / "deep" / "self");
  fs::create_symlink("loop", site / "loop");
  fs::create_symlink("missing", site / "dangling.html");
  const Pages pages = Load();
  EXPECT_EQ(Body(pages, "/deep/"), "<p>deep");
  for (const char* path : {"/deep/root/", "/deep/self/", "/loop", "/dangling.html"}) {
    EXPECT_EQ(Body(pages, path), "404") << path;
  }
}

TEST_F(PagesTest, TheTagChangesWithTheContent) {
  const Pages before = Load();
  const std::string index = before.Find("/")->tag;
  EXPECT_NE(index, before.Find("/deep/")->tag);
  EXPECT_EQ(Load().Find("/")->tag, index);
  Write(root_ / "site" / "index.html", "<p>other");
  EXPECT_NE(Load().Find("/")->tag, index);
}

TEST_F(PagesTest, NamesThatBeginWithADotAreNotServed) {
  const fs::path site = root_ / "site";
  fs::create_directories(site / ".git");
  fs::create_directories(site / "..data");
  Write(site / ".env", "secret");
  Write(site / "deep" / ".htpasswd", "secret");
  Write(site / ".git" / "config", "secret");
  Write(site / "..data" / "volume.html", "<p>volume");
  fs::create_symlink("..data/volume.html", site / "volume.html");
  const Pages pages = Load();
  for (const char* path : {"/.env", "/%2eenv", "/deep/.htpasswd", "/.git/config", "/.git/",
                           "/..data/volume.html", "/deep/../.env"}) {
    EXPECT_EQ(Body(pages, path), "404") << path;
  }
  EXPECT_EQ(Body(pages, "/volume.html"), "<p>volume") << "a link has a name of its own";
}

TEST_F(PagesTest, WhatIsNoFileIsNotServed) {
  ASSERT_EQ(mkfifo((root_ / "site" / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(Body(Load(), "/pipe"), "404");
}

TEST_F(PagesTest, ADirectoryThatIsTooLargeIsAnError) {
  std::ofstream(root_ / "site" / "large").seekp(Pages::kBytesMax).put('x');
  EXPECT_EQ(Pages::Load((root_ / "site").string()).status().code(),
            absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace groupcast::service
