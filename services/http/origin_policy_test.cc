#include "services/http/origin_policy.h"

#include <cstdlib>
#include <new>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace {

// The allocations of this test program so far.
size_t allocations = 0;

void* CountedAllocation(size_t bytes) {
  ++allocations;
  void* const block = std::malloc(bytes);
  if (block == nullptr) std::abort();
  return block;
}

}  // namespace

void* operator new(size_t bytes) { return CountedAllocation(bytes); }
void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, size_t /*bytes*/) noexcept { std::free(block); }

namespace groupcast::service {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Verdict = OriginPolicy::Verdict;

constexpr char kOwnHost[] = "127.0.0.1:1234";

OriginPolicyOptions::List Origins(absl::string_view entries) {
  return {"--allowed_origins", std::string(entries)};
}

OriginPolicyOptions::List Hosts(absl::string_view entries) {
  return {"--allowed_hosts", std::string(entries)};
}

OriginPolicy Policy(const OriginPolicyOptions& options) {
  absl::StatusOr<OriginPolicy> policy = OriginPolicy::Create(options);
  EXPECT_TRUE(policy.ok()) << policy.status();
  return policy.ok() ? *policy : OriginPolicy();
}

OriginPolicy OnLoopback(absl::string_view allowed_hosts = "") {
  return Policy({.allowed_hosts = Hosts(allowed_hosts), .is_loopback = true});
}

std::string ErrorOf(const OriginPolicyOptions& options) {
  const absl::Status status = OriginPolicy::Create(options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  return std::string(status.message());
}

Verdict Origin(absl::string_view origin) { return OriginPolicy().CheckOrigin(origin, kOwnHost); }

TEST(OriginPolicyTest, PagesOfThisMachineMayConnect) {
  for (const char* origin :
       {"http://localhost", "https://localhost", "http://localhost:1", "https://localhost:65535",
        "http://app.localhost:3000", "https://a.b.localhost", "http://127.0.0.1",
        "http://127.0.0.1:80", "https://127.255.255.254:8443", "http://[::1]", "http://[::1]:5173",
        "http://[0:0:0:0:0:0:0:1]", "HTTP://LOCALHOST:3000", "https://App.LocalHost"}) {
    EXPECT_EQ(Origin(origin), Verdict::kPass) << origin;
  }
}

TEST(OriginPolicyTest, PagesOfOtherSitesMayNot) {
  for (const char* origin : {"http://evil.example",
                             "https://evil.example:1234",
                             "http://localhost.evil.example",
                             "http://127.0.0.1.evil.example",
                             "http://evillocalhost",
                             "http://evil-localhost",
                             "http://localhost.",
                             "http://app.localhost.",
                             "http://.localhost",
                             "http://a..localhost",
                             "http://127.0.0.1.",
                             "http://2130706433",
                             "http://127.1",
                             "http://0x7f.0.0.1",
                             "http://0177.0.0.1",
                             "http://127.0.0.01",
                             "http://0.0.0.0",
                             "http://128.0.0.1",
                             "http://10.0.0.1",
                             "http://[::]",
                             "http://[::2]",
                             "http://[fe80::1]",
                             "http://%6cocalhost",
                             "http://localhost%00.evil.example",
                             "http://127.0.0.1%2eevil.example",
                             "http://evil%2elocalhost",
                             "http://localhost,evil.example",
                             "http://localhost;evil.example",
                             "http://xn--localhost-evil"}) {
    EXPECT_EQ(Origin(origin), Verdict::kRefused) << origin;
  }
}

// "localhost" of a scheme that is not of the web may be the name of any application.
TEST(OriginPolicyTest, OtherSchemesAreNotOfThisMachine) {
  for (const char* origin : {"capacitor://localhost", "file://", "file://localhost",
                             "chrome-extension://abcdefghijklmnop", "ftp://127.0.0.1",
                             "ws://localhost", "javascript://localhost"}) {
    EXPECT_EQ(Origin(origin), Verdict::kRefused) << origin;
  }
}

TEST(OriginPolicyTest, WhatIsNotOneOriginIsMalformed) {
  for (const absl::string_view origin : {"",
                                         " ",
                                         "localhost",
                                         "localhost:3000",
                                         "//localhost",
                                         "://localhost",
                                         "http:localhost",
                                         "http:/localhost",
                                         "http://",
                                         "https://:443",
                                         "http:///localhost",
                                         "1http://localhost",
                                         "ht tp://localhost",
                                         "http://localhost@evil.example",
                                         "http://localhost:80@evil.example",
                                         "http://evil.example@localhost",
                                         "http://localhost/",
                                         "http://localhost/x",
                                         "http://localhost?x",
                                         "http://localhost#x",
                                         "http://localhost\\evil.example",
                                         "http://local host",
                                         "http://localhost http://evil.example",
                                         "null null",
                                         "Null",
                                         "NULL",
                                         "null\n",
                                         "http://localhost:0",
                                         "http://localhost:65536",
                                         "http://localhost:4294967376",
                                         "http://localhost:18446744073709551696",
                                         "http://localhost:-80",
                                         "http://localhost:+80",
                                         "http://localhost:80:80",
                                         "http://localhost:8o",
                                         "http://[::1",
                                         "http://::1",
                                         "http://[::1]x",
                                         "http://[::1].evil.example",
                                         "http://[::1]:80@evil.example",
                                         "http://[]",
                                         "http://[127.0.0.1]",
                                         "http://[::1%25lo]",
                                         "http://[v1.a:b]",
                                         "http://[localhost]",
                                         "http://localhost%",
                                         "http://localhost%4",
                                         "http://localhost%zz",
                                         "http://b\xfc.example"}) {
    EXPECT_EQ(Origin(origin), Verdict::kMalformed) << origin;
  }
  for (const std::string& origin :
       {std::string("http://localhost\0", 17), std::string("http://\0localhost", 17),
        "http://" + std::string(256, 'a'), "http://" + std::string(300, 'a') + ".localhost"}) {
    EXPECT_EQ(Origin(origin), Verdict::kMalformed) << origin;
  }
}

TEST(OriginPolicyTest, NullMayConnectUnlessItIsForbidden) {
  EXPECT_EQ(Origin("null"), Verdict::kPass);
  EXPECT_EQ(Policy({.allow_null_origin = false}).CheckOrigin("null", kOwnHost), Verdict::kRefused);
  EXPECT_EQ(Policy({.allowed_origins = Origins("*"), .allow_null_origin = false})
                .CheckOrigin("null", kOwnHost),
            Verdict::kPass);
}

TEST(OriginPolicyTest, APageMayConnectToItsOwnHost) {
  const struct {
    absl::string_view origin;
    absl::string_view host;
    Verdict verdict;
  } cases[] = {
      {"http://app.example", "app.example", Verdict::kPass},
      {"http://app.example:8080", "app.example:8080", Verdict::kPass},
      {"HTTPS://APP.example", "app.EXAMPLE", Verdict::kPass},
      {"http://app.example", "app.example:80", Verdict::kPass},
      {"http://app.example:80", "app.example", Verdict::kPass},
      {"http://app.example:", "app.example:", Verdict::kPass},
      {"https://app.example", "app.example:443", Verdict::kPass},
      {"https://app.example:443", "app.example", Verdict::kPass},
      {"http://[2001:db8::1]:80", "[2001:DB8::1]", Verdict::kPass},
      {"http://192.168.0.7:1234", "192.168.0.7:1234", Verdict::kPass},
      {"http://app.example", "app.example:443", Verdict::kRefused},
      {"https://app.example", "app.example:80", Verdict::kRefused},
      {"http://app.example:443", "app.example", Verdict::kRefused},
      {"https://app.example:80", "app.example", Verdict::kRefused},
      {"http://app.example:8080", "app.example", Verdict::kRefused},
      {"http://app.example", "app.example:8080", Verdict::kRefused},
      {"http://app.example", "www.app.example", Verdict::kRefused},
      {"http://www.app.example", "app.example", Verdict::kRefused},
      {"http://app.example.", "app.example", Verdict::kRefused},
      {"http://app.example", "", Verdict::kRefused},
      {"app://app.example", "app.example", Verdict::kRefused},
      {"file://", "", Verdict::kRefused},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(OriginPolicy().CheckOrigin(c.origin, c.host), c.verdict) << c.origin << " " << c.host;
  }
}

TEST(OriginPolicyTest, ListedOriginsMayConnect) {
  const OriginPolicy policy =
      Policy({.allowed_origins =
                  Origins("https://app.example:8443, http://Plain.Example,https://*.example.com,"
                          "https://10.0.0.1,https://[2001:db8::1]:444,https://*.example.org:8443,"
                          "capacitor://localhost,file://")});
  for (const char* origin :
       {"https://app.example:8443", "HTTPS://APP.EXAMPLE:8443", "http://plain.example",
        "http://plain.example:80", "https://www.example.com", "https://a.b.example.com:443",
        "https://10.0.0.1", "https://[2001:DB8::1]:444", "https://a.example.org:8443",
        "capacitor://localhost", "file://"}) {
    EXPECT_EQ(policy.CheckOrigin(origin, kOwnHost), Verdict::kPass) << origin;
  }
  for (const char* origin : {"http://app.example:8443",
                             "https://app.example",
                             "https://app.example:8444",
                             "https://app.example.:8443",
                             "https://www.app.example:8443",
                             "https://plain.example",
                             "http://plain.example:8080",
                             "https://example.com",
                             "http://www.example.com",
                             "https://www.example.com:8443",
                             "https://www.example.com.",
                             "https://wwwexample.com",
                             "https://.example.com",
                             "https://a..example.com",
                             "https://a%2e.example.com",
                             "https://www.example.com.evil.example",
                             "https://evil.example",
                             "https://10.0.0.2",
                             "https://a.example.org",
                             "capacitor://other",
                             "file://host"}) {
    EXPECT_EQ(policy.CheckOrigin(origin, kOwnHost), Verdict::kRefused) << origin;
  }
  // They come in addition.
  EXPECT_EQ(policy.CheckOrigin("http://localhost:3000", kOwnHost), Verdict::kPass);
  EXPECT_EQ(policy.CheckOrigin("null", kOwnHost), Verdict::kPass);
}

TEST(OriginPolicyTest, AnAsteriskAllowsEveryOriginThatIsOne) {
  const OriginPolicy policy = Policy({.allowed_origins = Origins("https://app.example,*")});
  EXPECT_EQ(policy.CheckOrigin("http://evil.example", kOwnHost), Verdict::kPass);
  EXPECT_EQ(policy.CheckOrigin("any+scheme-1.0://x", kOwnHost), Verdict::kPass);
  EXPECT_EQ(policy.CheckOrigin("http://a@b", kOwnHost), Verdict::kMalformed);
}

TEST(OriginPolicyTest, OnLoopbackAHostIsALoopbackNameOrAnAddress) {
  for (const char* host :
       {"localhost", "localhost:1234", "LOCALHOST:1", "app.localhost:1234", "127.0.0.1",
        "127.0.0.1:1234", "127.9.9.9", "[::1]", "[::1]:1234", "192.168.0.7:1234", "0.0.0.0",
        "[2001:db8::1]:80", "[::ffff:127.0.0.1]", "localhost:", ""}) {
    EXPECT_EQ(OnLoopback().CheckHost(host), Verdict::kPass) << host;
  }
  for (const char* host :
       {"evil.example", "evil.example:1234", "localhost.evil.example", "127.0.0.1.evil.example",
        "localhost.", "127.0.0.1.", "a.localhost.", ".localhost", "evillocalhost", "2130706433",
        "127.1", "0x7f000001", "%6cocalhost", "localhost%00", "x", "localhost,evil.example"}) {
    EXPECT_EQ(OnLoopback().CheckHost(host), Verdict::kRefused) << host;
  }
}

// A name that leads to this machine makes a page's own host of it. Only the host tells.
TEST(OriginPolicyTest, ReboundNamesAreStoppedByTheHost) {
  EXPECT_EQ(OnLoopback().CheckOrigin("http://evil.example:1234", "evil.example:1234"),
            Verdict::kPass);
  EXPECT_EQ(OnLoopback().CheckHost("evil.example:1234"), Verdict::kRefused);
}

TEST(OriginPolicyTest, ListedHostsPass) {
  for (const bool is_loopback : {true, false}) {
    const OriginPolicy policy =
        Policy({.allowed_hosts = Hosts("App.example, *.example.com, 10.0.0.1, ::1"),
                .is_loopback = is_loopback});
    for (const char* host : {"app.example", "APP.EXAMPLE:8443", "a.example.com",
                             "a.b.example.com:1", "localhost:1234", "127.0.0.1", "10.0.0.2", ""}) {
      EXPECT_EQ(policy.CheckHost(host), Verdict::kPass) << host;
    }
    for (const char* host : {"evil.example", "www.app.example", "app.example.", "example.com",
                             "aexample.com", ".example.com", "example.com.evil.example"}) {
      EXPECT_EQ(policy.CheckHost(host), Verdict::kRefused) << host;
    }
  }
}

TEST(OriginPolicyTest, WithoutEntriesOtherListenersTakeEveryHost) {
  EXPECT_EQ(Policy({}).CheckHost("evil.example:1234"), Verdict::kPass);
  EXPECT_EQ(OriginPolicy().CheckHost("evil.example:1234"), Verdict::kPass);
  EXPECT_EQ(OnLoopback("*").CheckHost("evil.example"), Verdict::kPass);
  EXPECT_EQ(OnLoopback("app.example,*").CheckHost("evil.example"), Verdict::kPass);
}

// RFC 9112 section 3.2.
TEST(OriginPolicyTest, WhatIsNoHostIsMalformedEverywhere) {
  const std::string too_long(256, 'a');
  for (const absl::string_view host : std::initializer_list<absl::string_view>{
           "localhost@evil.example", "http://localhost", "localhost/", "local host", "localhost:0",
           "localhost:65536", "localhost:x", "localhost:80:80", ":1234", ":", "::1", "[::1",
           "[::1]1234", "[localhost]", "a%4", "b\xfc.example", too_long}) {
    EXPECT_EQ(OriginPolicy().CheckHost(host), Verdict::kMalformed) << host;
    EXPECT_EQ(OnLoopback("*").CheckHost(host), Verdict::kMalformed) << host;
  }
}

TEST(OriginPolicyTest, AWrongOriginEntryIsNamedWithItsFlagAndItsForm) {
  for (const char* entry : {"app.example",
                            "app.example:8443",
                            "https://",
                            "https://app.example/",
                            "https://app.example/x",
                            "https://user@app.example",
                            "https://*",
                            "https://*.",
                            "https://*.*.com",
                            "https://a.*.com",
                            "https://*a.example",
                            "*.example.com",
                            "https://app.example.",
                            "https://app.example:0",
                            "https://app.example:65536",
                            "https://app.example:*",
                            "https://*.127.0.0.1",
                            "https://*.[::1]",
                            "https://::1",
                            "https://b\xfc.example",
                            "null",
                            "**",
                            "",
                            "*://app.example",
                            "https://a%41.example"}) {
    EXPECT_THAT(
        ErrorOf({.allowed_origins = Origins(absl::StrCat("https://good.example,", entry))}),
        AllOf(HasSubstr(absl::StrCat("--allowed_origins: \"", entry, "\" is not an origin")),
              HasSubstr("https://app.example:8443"), HasSubstr("https://*.example.com")));
  }
  EXPECT_THAT(ErrorOf({.allowed_origins = Origins("wss://app.example")}),
              AllOf(HasSubstr("--allowed_origins: \"wss://app.example\""), HasSubstr("https://")));
}

TEST(OriginPolicyTest, AWrongHostEntryIsNamedWithItsFlagAndItsForm) {
  for (const char* entry :
       {"https://app.example", "app.example:8443", "app.example.", "app.example/", "a@b", "*.",
        "**", "*.127.0.0.1", "*.*.com", "a.*", "", ".example.com", "[::1", "a b", "%41.example"}) {
    EXPECT_THAT(ErrorOf({.allowed_hosts = Hosts(absl::StrCat("good.example,", entry))}),
                AllOf(HasSubstr(absl::StrCat("--allowed_hosts: \"", entry, "\" is not a host")),
                      HasSubstr("*.example.com")));
  }
}

TEST(OriginPolicyTest, AnEmptyFlagHasNoEntries) {
  EXPECT_EQ(Policy({.allowed_origins = Origins(" ")}).CheckOrigin("http://evil.example", kOwnHost),
            Verdict::kRefused);
  EXPECT_EQ(OnLoopback(" ").CheckHost("evil.example"), Verdict::kRefused);
}

// Every request asks.
TEST(OriginPolicyTest, DecidesWithoutAllocation) {
  const OriginPolicy policy =
      Policy({.allowed_origins = Origins("https://*.a-long-name.example.com"),
              .allowed_hosts = Hosts("another-long-name.example.com"),
              .is_loopback = true});
  const size_t before = allocations;
  int passed = 0;
  for (const char* host : {"127.0.0.1:1234", "[0000:0000:0000:0000:0000:0000:0000:0001]:1234",
                           "another-long-name.example.com", "yet-another-long-name.example.com"}) {
    if (policy.CheckHost(host) == Verdict::kPass) ++passed;
  }
  for (const char* origin : {"http://localhost:3000", "https://www.a-long-name.example.com",
                             "https://www.yet-another-long-name.example.com"}) {
    if (policy.CheckOrigin(origin, kOwnHost) == Verdict::kPass) ++passed;
  }
  EXPECT_EQ(allocations - before, 0u);
  EXPECT_EQ(passed, 5);
}

TEST(OriginPolicyTest, KnowsWhetherAListHasEntries) {
  EXPECT_FALSE(OriginPolicy().has_entries());
  EXPECT_FALSE(OnLoopback().has_entries());
  EXPECT_FALSE(OnLoopback(" ").has_entries());
  for (const char* hosts : {"app.example", "*"}) EXPECT_TRUE(OnLoopback(hosts).has_entries());
  for (const char* origins : {"https://app.example", "*"}) {
    EXPECT_TRUE(Policy({.allowed_origins = Origins(origins), .is_loopback = true}).has_entries());
  }
}

}  // namespace
}  // namespace groupcast::service
