#include "groupcast/url.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"

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
      {"wss://example.org/a", "example.org", "443", "/a", "example.org"},
      {"WSS://[::1]:80", "::1", "80", "/", "[::1]:80"},
  };
  for (const Good& good : cases) {
    const absl::StatusOr<Url> url = ParseUrl(good.text);
    ASSERT_TRUE(url.ok()) << url.status();
    EXPECT_EQ(url->host, good.host) << good.text;
    EXPECT_EQ(url->port, good.port) << good.text;
    EXPECT_EQ(url->target, good.target) << good.text;
    EXPECT_EQ(url->authority, good.authority) << good.text;
    EXPECT_EQ(url->tls, absl::StartsWithIgnoreCase(good.text, "wss:")) << good.text;
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

TEST(ProxyTest, TakesApart) {
  const struct {
    const char* text;
    const char* host;
    const char* port;
    const char* authorization;
  } cases[] = {
      {"http://proxy.example:3128", "proxy.example", "3128", ""},
      {"HTTP://[::1]:3128/", "::1", "3128", ""},
      {"http://Aladdin:open%20sesame@proxy:80", "proxy", "80",
       "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="},
      {"http://a%3Ab:c%40d:e@proxy:80", "proxy", "80", "Basic YTpiOmNAZDpl"},
      {"http://a:@proxy:80", "proxy", "80", "Basic YTo="},
  };
  for (const auto& good : cases) {
    const absl::StatusOr<Proxy> proxy = ParseProxy(good.text);
    ASSERT_TRUE(proxy.ok()) << proxy.status();
    EXPECT_EQ(proxy->host, good.host) << good.text;
    EXPECT_EQ(proxy->port, good.port) << good.text;
    EXPECT_EQ(proxy->authorization, good.authorization) << good.text;
  }
}

TEST(ProxyTest, RefusesWhatIsNoProxyAndKeepsThePasswordToItself) {
  const struct {
    const char* text;
    const char* why;
  } cases[] = {
      {"proxy:3128", "begins with http://"},
      {"https://u:secret@proxy:3128", "begins with http://"},
      {"socks5://proxy:1080", "begins with http://"},
      {"http://u:secret@proxy", "the port is missing"},
      {"http://u:secret@proxy:0", "a port is a number"},
      {"http://u:secret@:3128", "the host is missing"},
      {"http://u:secret@proxy:3128/path", "no path"},
      {"http://u:sec ret@proxy:3128", "are escaped"},
      {"http://u:secret%4@proxy:3128", "two hexadecimal digits"},
      {"http://u:secret%zz@proxy:3128", "two hexadecimal digits"},
      {"http://secret@proxy:3128", "the password is missing"},
  };
  for (const auto& bad : cases) {
    const absl::Status status = ParseProxy(bad.text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << bad.text;
    EXPECT_TRUE(absl::StrContains(status.message(), bad.why)) << bad.text << ": " << status;
    EXPECT_FALSE(absl::StrContains(status.message(), "sec")) << status;
  }
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
