// The configurations of deploy/, with the proxies of Debian. They run as the test's own user, on
// free ports, with all files in the test's directory.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/websocket_service/tls/testing/certificates.h"
#include "tests/support/http_client.h"
#include "tests/support/http_gateway.h"
#include "tests/support/process.h"
#include "tests/support/raw_client.h"
#include "tests/support/services.h"
#include "tests/support/test_client.h"
#include "tests/support/wire.h"

namespace groupcast::tests {
namespace {

using service::CertificateFiles;
using testing::HasSubstr;
using testing::Not;

std::string Contents(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The configuration with all of these texts replaced, each of which it must have.
std::string Adapted(const std::string& path,
                    const std::vector<std::pair<std::string, std::string>>& replacements) {
  std::string text = Contents(path);
  for (const auto& [from, to] : replacements) {
    EXPECT_TRUE(absl::StrContains(text, from)) << path << " has no " << from;
    text = absl::StrReplaceAll(text, {{from, to}});
  }
  return text;
}

// It may be taken before the proxy listens: then the proxy says so, and Start tries another one.
uint16_t FreePort() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{.sin_family = AF_INET};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  const bool ok = bind(fd, generic, size) == 0 && getsockname(fd, generic, &size) == 0;
  close(fd);
  if (!ok) throw Failure("no free port");
  return ntohs(address.sin_port);
}

class DeployTest : public ::testing::Test {
 protected:
  explicit DeployTest(const Flags& flags) : groupcast_(/*workers=*/2, flags) {
    std::filesystem::create_directories(directory_);
  }

  // Runs the proxy until it accepts connections. `configure` returns the text of its configuration
  // for a port.
  template <class Configure>
  void Start(const std::string& binary, const std::vector<std::string>& arguments,
             const Configure& configure) {
    for (int tries = 1;; ++tries) {
      port_ = FreePort();
      std::ofstream(directory_ + "/proxy.conf") << configure(port_);
      proxy_ = std::make_unique<Process>(binary, arguments);
      bool accepts = false;
      WaitUntil("the proxy accepts connections or ends", [&] {
        try {
          RawClient probe(port_, 0, "127.0.0.1", RawClient::Transport::kPlain);
          accepts = true;
        } catch (const Failure&) {
        }
        return accepts || proxy_->Poll().has_value();
      });
      if (accepts && !proxy_->Poll().has_value()) return;
      if (tries == 10 || !absl::StrContains(proxy_->Output(), "in use")) {
        throw Failure(absl::StrCat("the proxy has ended: ", proxy_->Output()));
      }
    }
  }

  // Through the proxy, as a client that trusts the certificate of the proxy.
  TestClient Connect(Mode mode) {
    RawClient raw(port_, TlsClientOptions{.trusted = files_.certificate});
    raw.Write(absl::StrReplaceAll(HandshakeRequest(mode == Mode::kV1 ? kV1 : ""),
                                  {{"Host: 127.0.0.1", "Host: app.example"}}));
    return TestClient(std::move(raw), mode);
  }

  void ExpectMessagesAndAddresses() {
    TestClient member = Connect(Mode::kV1);
    TestClient sender = Connect(Mode::kBare);
    member.Join("room");
    const std::string message(50'000, 'x');
    sender.Send(SendToGroup("\"room\"", Quoted(message)));
    EXPECT_EQ(member.NextEvent().Text("message"), message);

    // The service sees the client's address, and not what the client writes.
    RawClient stranger(port_, 0, "127.0.0.77", RawClient::Transport::kTls);
    std::string request =
        absl::StrReplaceAll(HandshakeRequest(), {{"Host: 127.0.0.1", "Host: app.example"}});
    request.insert(request.size() - 2,
                   "X-Forwarded-For: 203.0.113.7\r\nOrigin: http://evil.example\r\n");
    stranger.Write(request);
    // nginx keeps the connection.
    while (!absl::StrContains(stranger.received(), " 403 ") && stranger.ReadMore()) {
    }
    groupcast_.service.process().WaitForOutput(
        " 127.0.0.77 came from a page of the origin http://evil.example");
  }

  const std::string directory_ = NewTempPath("proxy");
  CertificateFiles files_;
  Groupcast groupcast_;
  uint16_t port_ = 0;
  std::unique_ptr<Process> proxy_;
};

class NginxTest : public DeployTest {
 protected:
  NginxTest() : DeployTest({"--trusted_proxies=127.0.0.1", "--allowed_hosts=app.example"}) {
    const std::string paths = directory_ + "/";
    Start(
        "/usr/sbin/nginx", {"-e", "stderr", "-c", directory_ + "/proxy.conf"}, [&](uint16_t port) {
          std::string text = absl::StrCat("daemon off; master_process off; pid ", paths,
                                          "pid; error_log stderr warn;\n"
                                          "events { worker_connections 1000; }\n"
                                          "http { access_log off;\n");
          for (const char* kind : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"}) {
            absl::StrAppend(&text, kind, "_temp_path ", paths, kind, ";\n");
          }
          return absl::StrCat(
              text,
              Adapted(
                  "deploy/groupcast.nginx.conf",
                  {{"listen 443 ssl", absl::StrCat("listen 127.0.0.1:", port, " ssl")},
                   {"/etc/ssl/app.example/chain.pem", files_.certificate},
                   {"/etc/ssl/app.example/key.pem", files_.key},
                   {"http://127.0.0.1:1234",
                    absl::StrCat("http://127.0.0.1:", groupcast_.service.port())},
                   {"server 127.0.0.1:8080", absl::StrCat("server 127.0.0.1:", gateway_.port())}}),
              "}\n");
        });
  }

  // A request to the gateway, as a client that trusts the certificate of nginx.
  RawClient Request(absl::string_view method, absl::string_view target, absl::string_view body) {
    RawClient raw(port_, TlsClientOptions{.trusted = files_.certificate});
    raw.Write(absl::StrCat(method, " ", target,
                           " HTTP/1.1\r\nHost: app.example\r\nContent-Type: application/json\r\n"
                           "Content-Length: ",
                           body.size(), "\r\n\r\n", body));
    return raw;
  }

  static void WaitFor(absl::string_view text, RawClient* raw) {
    while (!absl::StrContains(raw->received(), text)) {
      if (!raw->ReadMore()) throw Failure(absl::StrCat("no ", text, " in: ", raw->received()));
    }
  }

  HttpGateway gateway_{groupcast_.channel, /*workers=*/1, {"--allowed_hosts=app.example"}};
};

TEST_F(NginxTest, EndsTlsAndNamesTheClient) { ExpectMessagesAndAddresses(); }

TEST_F(NginxTest, PassesRequestsAndEventsOfTheGateway) {
  TestClient member = Connect(Mode::kV1);
  member.Join("room");
  RawClient stream = Request("GET", "/v1/groups/room/events", "");
  WaitFor("event: joined", &stream);
  RawClient publisher = Request("POST", "/v1/groups/room/messages", "\"hello\"");
  WaitFor("HTTP/1.1 200 ", &publisher);
  EXPECT_EQ(member.NextEvent().Text("message"), "hello");
  // The stream goes on, so nginx must not wait for its end.
  WaitFor("hello", &stream);
}

// The rights of operators, which a gateway without keys on this machine gives to its callers.
constexpr std::pair<absl::string_view, absl::string_view> kOperators[] = {
    {"GET", "/v1/services"},
    {"GET", "/v1/groups"},
    {"GET", "/v1/groups?order=busiest"},
    {"DELETE", "/v1/connections/00000000000000ff"},
    {"DELETE", "/v1/users/ann/connections"},
    {"DELETE", "/v1/users/a%2Fb/connections?code=4900"},
    {"DELETE", "/v1/users/%2e%2e/connections"},
    {"DELETE", "/v1/groups/room/members/00000000000000ff"},
    {"DELETE", "/v1/groups/a%2Fb/members/00000000000000ff"},
    {"DELETE", "/v1/groups/%2e%2e/members/00000000000000ff?code=4900"}};

TEST_F(NginxTest, KeepsThePathsOfOperatorsOut) {
  std::vector<std::pair<absl::string_view, absl::string_view>> requests(std::begin(kOperators),
                                                                        std::end(kOperators));
  for (const char* target :
       {"https://app.example/v1/services", "/v1//services", "/v1/messages/../services"}) {
    requests.emplace_back("GET", target);
  }
  for (const auto& [method, target] : requests) {
    RawClient visitor = Request(method, target, "");
    WaitFor("\r\n\r\n", &visitor);
    EXPECT_THAT(visitor.received(), HasSubstr("HTTP/1.1 404 ")) << method << " " << target;
    EXPECT_THAT(visitor.received(), Not(HasSubstr("problem+json")))
        << method << " " << target << " came to the gateway";
  }
  for (const char* target : {"/dashboard", "/dashboard/"}) {
    RawClient visitor = Request("GET", target, "");
    WaitFor("This is a WebSocket service.", &visitor);
  }
}

// The gateway itself gives them to nobody whom a proxy of this name lets in.
TEST_F(NginxTest, TheGatewayOfThisRecipeLetsNobodyManage) {
  for (const auto& [method, target] : kOperators) {
    const HttpReply reply = HttpClient(gateway_.port()).Send(method, target);
    EXPECT_EQ(reply.status, 403) << method << " " << target << ": " << reply.body;
  }
}

TEST_F(NginxTest, PassesAllThatClientsAsk) {
  for (const char* target : {"/v1/openapi.json", "/v1/groups/a%2Fb/members",
                             "/v1/groups/%2e%2e/messages?limit=1", "/v1/events?group=a&group=b"}) {
    RawClient client = Request("GET", target, "");
    WaitFor("HTTP/1.1 200 ", &client);
  }
  for (const char* target : {"/v1/users/ann/messages", "/v1/groups/a%2Fb/messages?session=s"}) {
    RawClient client = Request("POST", target, "1");
    WaitFor("HTTP/1.1 200 ", &client);
  }
}

// nginx's own limit for bodies is below the gateway's.
TEST_F(NginxTest, PassesLargeBodiesToTheGateway) {
  std::string body = R"({"messages":[)";
  for (int i = 0; i < 50; ++i) {
    absl::StrAppend(&body, i == 0 ? "" : ",", R"({"group_id":"room","message":")",
                    std::string(50'000, 'x'), "\"}");
  }
  RawClient publisher = Request("POST", "/v1/messages", body + "]}");
  WaitFor("HTTP/1.1 200 ", &publisher);
}

class HaproxyTest : public DeployTest {
 protected:
  HaproxyTest()
      : DeployTest(
            {"--trusted_proxies=127.0.0.1", "--proxy_protocol", "--allowed_hosts=app.example"}) {}
};

TEST_F(HaproxyTest, EndsTlsAndNamesTheClient) {
  const std::string pair = directory_ + "/pair.pem";
  service::WriteFile(pair, Contents(files_.certificate) + Contents(files_.key));
  Start("/usr/sbin/haproxy", {"-db", "-f", directory_ + "/proxy.conf"}, [&](uint16_t port) {
    return Adapted("deploy/groupcast.haproxy.cfg",
                   {{"maxconn 50000", "maxconn 100"},  // of open files
                    {"bind :443", absl::StrCat("bind 127.0.0.1:", port)},
                    {"/etc/haproxy/app.example.pem", pair},
                    {"127.0.0.1:1234", absl::StrCat("127.0.0.1:", groupcast_.service.port())}});
  });
  ExpectMessagesAndAddresses();
}

}  // namespace
}  // namespace groupcast::tests
