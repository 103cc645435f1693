#include "groupcast/session_id.h"

#include <gtest/gtest.h>

#include <string>

namespace groupcast {
namespace {

Url UrlOf(const std::string& text) {
  absl::StatusOr<Url> url = ParseUrl(text);
  EXPECT_TRUE(url.ok()) << url.status();
  return url.ok() ? *std::move(url) : Url();
}

TEST(SessionIdTest, ASessionOfTheUrlIsAdopted) {
  for (const char* query : {"session=abc_1", "a=1&session=abc_1&b=2", "%73ession=abc%5F1"}) {
    Url url = UrlOf(std::string("ws://here/p?") + query);
    EXPECT_EQ(AdoptSession("", &url).value_or(""), "abc_1") << query;
    EXPECT_EQ(url.target, std::string("/p?") + query) << "it stays as it is";
    EXPECT_EQ(AdoptSession("abc_1", &url).value_or(""), "abc_1");
    EXPECT_EQ(AdoptSession("other", &url).status().code(), absl::StatusCode::kInvalidArgument);
  }
}

TEST(SessionIdTest, OtherwiseTheGivenOneIsAdded) {
  Url url = UrlOf("ws://here/p?a=1&sessions=2");
  EXPECT_EQ(AdoptSession("abc", &url).value_or(""), "abc");
  EXPECT_EQ(url.target, "/p?a=1&sessions=2&session=abc");
}

TEST(SessionIdTest, OrARandomOne) {
  Url url = UrlOf("ws://here");
  Url other = url;
  const std::string session = AdoptSession("", &url).value_or("");
  EXPECT_EQ(session.size(), 32u);
  EXPECT_EQ(url.target, "/?session=" + session);
  EXPECT_NE(AdoptSession("", &other).value_or(""), session);
}

TEST(SessionIdTest, WhatIsNoSessionIsRefused) {
  for (const char* query : {"session=", "session=a%20b", "session=a&session=a", "session"}) {
    Url url = UrlOf(std::string("ws://here/?") + query);
    EXPECT_EQ(AdoptSession("", &url).status().code(), absl::StatusCode::kInvalidArgument) << query;
  }
  Url url = UrlOf("ws://here");
  EXPECT_EQ(AdoptSession("a b", &url).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace groupcast
