#include "gtest/gtest.h"
#include "tools/groupcast/http_client.h"

namespace groupcast::cli {
namespace {

TEST(HttpUrlTest, APlainUrl) {
  const auto url = ParseHttpUrl("http://127.0.0.1:8080");
  ASSERT_TRUE(url.ok());
  EXPECT_FALSE(url->tls);
  EXPECT_EQ(url->host, "127.0.0.1");
  EXPECT_EQ(url->port, "8080");
  EXPECT_EQ(url->path, "");
  EXPECT_EQ(url->authority, "127.0.0.1:8080");
}

TEST(HttpUrlTest, PortsHaveDefaults) {
  EXPECT_EQ(ParseHttpUrl("http://a")->port, "80");
  EXPECT_EQ(ParseHttpUrl("https://a")->port, "443");
  EXPECT_TRUE(ParseHttpUrl("https://a")->tls);
}

TEST(HttpUrlTest, APathIsAPrefixOfTheTargets) {
  EXPECT_EQ(ParseHttpUrl("http://a/chat/")->path, "/chat");
  EXPECT_EQ(ParseHttpUrl("http://a/")->path, "");
}

TEST(HttpUrlTest, AnIPv6AddressIsInBrackets) {
  const auto url = ParseHttpUrl("http://[::1]:81/");
  ASSERT_TRUE(url.ok());
  EXPECT_EQ(url->host, "::1");
  EXPECT_EQ(url->port, "81");
  EXPECT_EQ(ParseHttpUrl("http://[::1]")->port, "80");
}

TEST(HttpUrlTest, OtherTextIsRefused) {
  for (const char* text :
       {"", "a", "ws://a", "http://", "http://:80", "http://a:0", "http://a:x", "http://a:65536",
        "http://[::1", "http://a b", "http://a/?x=1", "http://u@a", "http://a\n"}) {
    EXPECT_EQ(ParseHttpUrl(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(HttpUrlTest, ValuesOfAQueryAreEscaped) {
  EXPECT_EQ(EscapedForUrl("room:7 &\xc3\xa9-._~"), "room%3A7%20%26%C3%A9-._~");
}

}  // namespace
}  // namespace groupcast::cli
