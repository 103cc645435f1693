// Which web pages may connect, by the headers that browsers send for them.

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/raw_client.h"
#include "tests/support/services.h"
#include "tests/support/test_client.h"
#include "tests/support/wait.h"
#include "tests/support/wire.h"

namespace groupcast::tests {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

struct Answer {
  int status = 0;
  std::string body;
};

Answer Ask(uint16_t port, absl::string_view request) {
  RawClient client(port);
  client.Write(request);
  for (;;) {
    if (std::optional<HttpResponse> response = TakeResponse(&client.received())) {
      if (response->status != 101) client.ReadToEnd();
      return {response->status, client.received()};
    }
    if (!client.ReadMore()) throw Failure("no response");
  }
}

// A handshake that a page of `origin` makes with `host`.
Answer Handshake(uint16_t port, absl::string_view host, absl::string_view origin) {
  return Ask(port,
             absl::StrReplaceAll(HandshakeRequest(),
                                 {{"Host: 127.0.0.1\r\n",
                                   absl::StrCat("Host: ", host, "\r\nOrigin: ", origin, "\r\n")}}));
}

// A page that is read, by way of the name `host`.
Answer Page(uint16_t port, absl::string_view host) {
  return Ask(port, absl::StrCat("GET /page.txt HTTP/1.1\r\nHost: ", host, "\r\n\r\n"));
}

Flags WithPage(Flags flags = {}) {
  const std::string directory = NewTempPath("pages");
  std::filesystem::create_directory(directory);
  std::ofstream(directory + "/page.txt") << "the page";
  flags.push_back("--pages=" + directory);
  return flags;
}

struct Case {
  std::string host;
  std::string origin;
  int status = 0;
};

void ExpectAnswers(uint16_t port, const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    EXPECT_EQ(Handshake(port, c.host, c.origin).status, c.status) << c.host << " " << c.origin;
  }
}

class OriginsTest : public ::testing::Test {
 protected:
  // Starts the service with these flags.
  uint16_t Serve(const Flags& flags = {}) {
    service_.emplace(channel_, /*workers=*/1, WithPage(flags));
    return service_->port();
  }

  ChannelServer channel_;
  std::optional<WebSocketService> service_;
};

TEST_F(OriginsTest, ByDefaultPagesOfThisMachineMayConnectAndOthersMayNot) {
  const uint16_t port = Serve();
  const std::string own = absl::StrCat("127.0.0.1:", port);
  ExpectAnswers(
      port, {{own, absl::StrCat("http://", own), 101},
             {absl::StrCat("LocalHost:", port), "http://localhost:3000", 101},
             {own, "https://app.localhost", 101},
             {own, "http://[::1]:8080", 101},
             {own, "null", 101},
             {absl::StrCat("192.168.0.7:", port), absl::StrCat("http://192.168.0.7:", port), 101},
             {own, "http://192.168.0.7:3000", 403},
             {own, "https://evil.example", 403},
             {own, "http://localhost.evil.example", 403},
             {own, "http://127.0.0.1.evil.example", 403},
             {own, "http://localhost.", 403},
             {own, "http://2130706433", 403},
             {own, "chrome-extension://localhost", 403},
             {own, "http://localhost@evil.example", 400},
             {own, "http://localhost:99999", 400},
             {own, "http://localhost http://evil.example", 400},
             {own, "http://localhost\r\nOrigin: http://localhost", 400},
             {own, "", 400}});
  EXPECT_THAT(Handshake(port, own, "https://evil.example").body,
              AllOf(HasSubstr("\"https://evil.example\""), HasSubstr("--allowed_origins")));
  // Clients that are no browsers have no origin.
  EXPECT_EQ(Ask(port, HandshakeRequest()).status, 101);
}

TEST_F(OriginsTest, OnLoopbackAReboundNameGetsNeitherPagesNorConnections) {
  const uint16_t port = Serve();
  const std::string rebound = absl::StrCat("evil.example:", port);
  for (const Answer& answer :
       {Page(port, rebound), Handshake(port, rebound, absl::StrCat("http://", rebound)),
        Handshake(port, rebound, "null")}) {
    EXPECT_EQ(answer.status, 403);
    EXPECT_THAT(answer.body, AllOf(HasSubstr(absl::StrCat("\"", rebound, "\"")),
                                   HasSubstr("--allowed_hosts"), Not(HasSubstr("the page"))));
  }
  for (const char* host :
       {"127.0.0.1", "localhost:1234", "a.localhost", "[::1]:1", "10.0.0.1", ""}) {
    EXPECT_EQ(Page(port, host).body, "the page") << host;
  }
  EXPECT_EQ(Page(port, "localhost@evil.example").status, 400);
  EXPECT_EQ(Ask(port, "GET /page.txt HTTP/1.1\r\n\r\n").status, 400);
  EXPECT_EQ(Ask(port, "GET /page.txt HTTP/1.0\r\n\r\n").body, "the page");
}

TEST_F(OriginsTest, ListedOriginsMayConnectToo) {
  const uint16_t port = Serve({"--allowed_origins=https://app.example:8443,https://*.example.com"});
  const std::string own = absl::StrCat("localhost:", port);
  ExpectAnswers(port, {{own, "https://app.example:8443", 101},
                       {own, "https://a.b.example.com", 101},
                       {own, "http://localhost:3000", 101},
                       {own, "https://app.example", 403},
                       {own, "http://app.example:8443", 403},
                       {own, "https://example.com", 403},
                       {own, "https://a.example.com.evil.example", 403},
                       {"evil.example", "https://app.example:8443", 403}});
}

TEST_F(OriginsTest, AnAsteriskAllowsEveryOriginAndHost) {
  const uint16_t port = Serve({"--allowed_origins=*", "--allowed_hosts=*"});
  ExpectAnswers(port, {{"localhost", "https://any.example", 101}, {"any.example", "null", 101}});
  EXPECT_EQ(Page(port, "any.example").body, "the page");
}

TEST_F(OriginsTest, PagesWithoutAnOriginCanBeForbidden) {
  const uint16_t port = Serve({"--noallow_null_origin"});
  const Answer answer = Handshake(port, "localhost", "null");
  EXPECT_EQ(answer.status, 403);
  EXPECT_THAT(answer.body, HasSubstr("--allow_null_origin"));
  ExpectAnswers(port, {{"localhost", "http://localhost", 101}});
}

// As behind a proxy on the same machine that hands the host on.
TEST_F(OriginsTest, AListedHostServesItsOwnPages) {
  const uint16_t port = Serve({"--allowed_hosts=app.example,*.example.com"});
  EXPECT_EQ(Page(port, "app.example").body, "the page");
  ExpectAnswers(port, {{"app.example", "https://app.example", 101},
                       {"app.example:443", "https://app.example", 101},
                       {"a.example.com", "http://a.example.com", 101},
                       {"app.example", "https://a.example.com", 403},
                       {"app.example:8443", "https://app.example", 403},
                       {"www.app.example", "https://www.app.example", 403}});
}

TEST_F(OriginsTest, OnOtherAddressesEveryHostIsTheServicesOwn) {
  const uint16_t port = Serve({"--bind_address=0.0.0.0", "--allow_anonymous"});
  EXPECT_EQ(Page(port, "app.example").body, "the page");
  ExpectAnswers(port, {{"app.example", "https://app.example", 101},
                       {"app.example:1234", "http://APP.example:1234", 101},
                       {"app.example", "https://evil.example", 403}});
}

TEST_F(OriginsTest, OnOtherAddressesListedHostsAreEnforced) {
  const uint16_t port =
      Serve({"--bind_address=0.0.0.0", "--allow_anonymous", "--allowed_hosts=app.example"});
  ExpectAnswers(port, {{"app.example", "https://app.example", 101},
                       {"evil.example", "http://evil.example", 403}});
  EXPECT_EQ(Page(port, "evil.example").status, 403);
  EXPECT_EQ(Page(port, "10.0.0.1").body, "the page");
}

TEST_F(OriginsTest, TheLogHasOneLineForManyRefusals) {
  const uint16_t port = Serve();
  const std::string longest = "http://" + std::string(200, 'a') + ".example";
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(Handshake(port, "localhost", longest).status, 403);
    EXPECT_EQ(Page(port, "evil.example").status, 403);
  }
  const std::string lines[] = {
      "127.0.0.1 came from a page of the origin " + longest.substr(0, 100) + "... and was refused",
      "127.0.0.1 named the host evil.example and was refused"};
  for (const std::string& line : lines) service_->process().WaitForOutput(line);
  const std::string output = service_->process().Output();
  for (const std::string& line : lines) EXPECT_EQ(output.find(line), output.rfind(line)) << output;
}

class OriginsReloadTest : public OriginsTest {
 protected:
  void WriteFlags(const std::string& text) { std::ofstream(flagfile_) << text << std::endl; }

  // Reads the flags anew, and waits until the new worker is alone.
  void Reload(const std::string& flags) {
    const std::vector<pid_t> before = service_->WorkerPids();
    WriteFlags(flags);
    service_->process().Signal(SIGHUP);
    WaitUntil("the old worker is gone",
              [&] { return std::none_of(before.begin(), before.end(), IsAlive); });
  }

  const std::string flagfile_ = NewTempPath("flags");
};

TEST_F(OriginsReloadTest, SighupTakesNewLists) {
  WriteFlags("");
  const uint16_t port = Serve({"--flagfile=" + flagfile_});
  const std::vector<Case> listed = {{"localhost", "https://app.example", 101},
                                    {"service.example", "null", 101}};
  ExpectAnswers(port,
                {{"localhost", "https://app.example", 403}, {"service.example", "null", 403}});
  Reload("--allowed_origins=https://app.example\n--allowed_hosts=service.example");
  ExpectAnswers(port, listed);

  for (const auto& [flags, sentence] :
       {std::pair<std::string, std::string>{"--allowed_origins=https://app.example/",
                                            "--allowed_origins: \"https://app.example/\" is not"},
        {"--allowed_hosts=https://app.example",
         "--allowed_hosts: \"https://app.example\" is not"}}) {
    WriteFlags(flags);
    const size_t from = service_->process().Output().size();
    service_->process().Signal(SIGHUP);
    service_->process().WaitForOutput("nothing changes: " + sentence, from);
    ExpectAnswers(port, listed);
  }
  Reload("");
  ExpectAnswers(port,
                {{"localhost", "https://app.example", 403}, {"service.example", "null", 403}});
}

// SIGHUP does not move the listener, so the flag's new value says nothing about it.
TEST_F(OriginsReloadTest, ANewBindAddressDoesNotOpenALoopbackListener) {
  WriteFlags("--bind_address=127.0.0.1");
  const uint16_t port = Serve({"--flagfile=" + flagfile_});
  Reload("--bind_address=0.0.0.0");
  EXPECT_EQ(Page(port, "evil.example").status, 403);
}

}  // namespace
}  // namespace groupcast::tests
