#include "groupcast/url.h"

#include <gtest/gtest.h>

namespace groupcast {
namespace {

struct Good {
  const char* text;
  const char* host;
  const char* port;
  const char* target;
  const char* authority;
};

TEST(UrlTest, TakesApart) {
  const Good cases[] = {
      {"ws://127.0.0.1:1234", "127.0.0.1", "1234", "/", "127.0.0.1:1234"},
      {"ws://example.org", "example.org", "80", "/", "example.org"},
      {"WS://example.org/a/b?c=d/e", "example.org", "80", "/a/b?c=d/e", "example.org"},
      {"ws://example.org:65535?c=d", "example.org", "65535", "/?c=d", "example.org:65535"},
      {"ws://[::1]:1234/x", "::1", "1234", "/x", "[::1]:1234"},
      {"ws://[::1]", "::1", "80", "/", "[::1]"},
  };
  for (const Good& good : cases) {
    const absl::StatusOr<Url> url = ParseUrl(good.text);
    ASSERT_TRUE(url.ok()) << url.status();
    EXPECT_EQ(url->host, good.host) << good.text;
    EXPECT_EQ(url->port, good.port) << good.text;
    EXPECT_EQ(url->target, good.target) << good.text;
    EXPECT_EQ(url->authority, good.authority) << good.text;
  }
}

TEST(UrlTest, RefusesWhatIsNoWebSocketUrl) {
  for (const char* text :
       {"", "example.org", "http://example.org", "ws://", "ws:///path", "ws://:80",
        "ws://h:", "ws://h:0", "ws://h:65536", "ws://h:80x", "ws://h:-1", "ws://user@h",
        "ws://h/#top", "ws://h/a b", "ws://h/a\r\nX-Header: 1", "ws://[::1", "ws://[::1]80",
        "ws://[]", "ws://ü"}) {
    EXPECT_EQ(ParseUrl(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(UrlTest, SaysThatAnIpv6AddressNeedsBrackets) {
  for (const char* text : {"ws://::1", "ws://::1:1234/", "ws://fd00::2"}) {
    const absl::Status status = ParseUrl(text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_NE(status.message().find("in brackets"), absl::string_view::npos) << status;
  }
}

TEST(UrlTest, SaysThatTlsIsMissing) {
  EXPECT_EQ(ParseUrl("wss://example.org").status().code(), absl::StatusCode::kUnimplemented);
}

TEST(UrlTest, AddsToTheQuery) {
  const auto target = [](absl::string_view text) {
    Url url = *ParseUrl(text);
    EXPECT_EQ(AddToQuery("session", "S", &url), absl::OkStatus());
    return url.target;
  };
  EXPECT_EQ(target("ws://host"), "/?session=S");
  EXPECT_EQ(target("ws://host/path"), "/path?session=S");
  EXPECT_EQ(target("ws://host/?"), "/?session=S");
  EXPECT_EQ(target("ws://host?a=session&sessions=1"), "/?a=session&sessions=1&session=S");
  for (const char* text : {"ws://host/?session=1", "ws://host/?a&session=", "ws://host?session"}) {
    Url url = *ParseUrl(text);
    EXPECT_EQ(AddToQuery("session", "S", &url).code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

}  // namespace
}  // namespace groupcast
