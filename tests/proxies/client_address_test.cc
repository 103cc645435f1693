// Whose address counts as the client's: the log names it, and the rules for addresses use it.

#include <csignal>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/websocket_service/tls/testing/certificates.h"
#include "tests/support/kernel_sockets.h"
#include "tests/support/process.h"
#include "tests/support/raw_client.h"
#include "tests/support/services.h"
#include "tests/support/test_client.h"
#include "tests/support/wire.h"

namespace groupcast::tests {
namespace {

using ::testing::HasSubstr;

// The proxies of these tests are 127.0.0.1. Anybody else is a stranger.
const std::string kTrusted = "--trusted_proxies=127.0.0.1, 10.0.0.0/8";

// With another header line before its end.
std::string RequestWith(absl::string_view line, absl::string_view subprotocol = "") {
  std::string request = HandshakeRequest(subprotocol);
  request.insert(request.size() - 2, absl::StrCat(line, "\r\n"));
  return request;
}

// A request that is refused, so that the log names its client.
std::string Refused(absl::string_view line = "X-Nothing: x") {
  return RequestWith(absl::StrCat(line, "\r\nOrigin: http://evil.example"));
}

constexpr char kRefusal[] = " came from a page of the origin http://evil.example and was refused";

std::string Answer(RawClient* client, const std::string& bytes) {
  client->Write(bytes);
  client->ReadToEnd();
  return client->received();
}

RawClient From(const std::string& address, uint16_t port) {
  return RawClient(port, 0, address, RawClient::Transport::kPlain);
}

struct AddressCase {
  std::string name;
  std::string from;
  std::string line;
  std::string client;  // in the log
  std::string flag = "--log_level=info";
};

class ClientAddressTest : public ::testing::TestWithParam<AddressCase> {};

TEST_P(ClientAddressTest, IsWhatTheLogNames) {
  const AddressCase& c = GetParam();
  Groupcast groupcast(/*workers=*/1, {kTrusted, c.flag});
  RawClient client = From(c.from, groupcast.service.port());
  EXPECT_THAT(Answer(&client, Refused(c.line)), HasSubstr("HTTP/1.1 403"));
  groupcast.service.process().WaitForOutput(absl::StrCat(" ", c.client, kRefusal));
}

INSTANTIATE_TEST_SUITE_P(
    Headers, ClientAddressTest,
    ::testing::Values(
        AddressCase{"OfATrustedProxy", "127.0.0.1", "X-Forwarded-For: 203.0.113.7", "203.0.113.7"},
        AddressCase{"OfAChain", "127.0.0.1",
                    "X-Forwarded-For: 192.0.2.1, 203.0.113.7\r\nX-Forwarded-For: 10.0.0.2",
                    "203.0.113.7"},
        AddressCase{"OfAStranger", "127.0.0.2", "X-Forwarded-For: 203.0.113.7", "127.0.0.2"},
        AddressCase{"OfAStrangerWithGarbage", "127.0.0.2", "X-Forwarded-For: ?", "127.0.0.2"},
        AddressCase{"Missing", "127.0.0.1", "X-Nothing: x", "127.0.0.1"},
        AddressCase{"TheOtherHeaderDoesNotCount", "127.0.0.1", "Forwarded: for=203.0.113.7",
                    "127.0.0.1"},
        AddressCase{"Rfc7239", "127.0.0.1", "Forwarded: for=\"[2001:db8::7]:4711\";proto=https",
                    "2001:db8::7", "--forwarded_header=forwarded"},
        AddressCase{"Rfc7239WithTheOtherHeader", "127.0.0.1", "X-Forwarded-For: 203.0.113.7",
                    "127.0.0.1", "--forwarded_header=forwarded"}),
    [](const ::testing::TestParamInfo<AddressCase>& info) { return info.param.name; });

TEST(ForwardedHeaderTest, ATrustedProxyThatWritesNoAddressIsTold) {
  Groupcast groupcast(/*workers=*/1, {kTrusted});
  RawClient client = From("127.0.0.1", groupcast.service.port());
  const std::string answer = Answer(&client, RequestWith("X-Forwarded-For: proxy.example"));
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 400"));
  EXPECT_THAT(answer, HasSubstr("The header X-Forwarded-For must be IP addresses with commas "
                                "between them, not \"proxy.example\"."));
}

// All come through one proxy, and the rule for addresses tells them apart.
TEST(ForwardedHeaderTest, RulesForAddressesTakeTheClients) {
  Groupcast groupcast(/*workers=*/1, {kTrusted, "--unfinished_bytes=1000000"});
  const uint16_t port = groupcast.service.port();
  const auto connect = [&](absl::string_view address) {
    RawClient raw = From("127.0.0.1", port);
    raw.Write(RequestWith(absl::StrCat("X-Forwarded-For: ", address), kV1));
    return TestClient(std::move(raw), Mode::kV1);
  };
  const auto wait_until_read = [&] {
    WaitUntil("the worker has read everything", [&] {
      int64_t bytes = 0;
      for (const KernelSocket& socket : SocketsOfClients(port)) bytes += socket.send_bytes;
      for (const KernelSocket& socket : SocketsOfServer(port)) bytes += socket.receive_bytes;
      return bytes == 0;
    });
  };
  // The oldest message of all, but its address has taken little.
  TestClient honest = connect("203.0.113.7");
  const std::string frame = TextFrame(SendToGroup("\"g\"", Quoted(std::string(60'000, 'x')), "1"));
  honest.raw().Write(frame.substr(0, 50'000));
  wait_until_read();
  std::vector<TestClient> attackers;
  for (int i = 0; i < 40; ++i) {
    attackers.push_back(connect("198.51.100.9"));
    attackers.back().raw().Write(MakeFrame(kText, std::string(50'000, ' '), {.fin = false}));
    wait_until_read();
  }
  honest.raw().Write(frame.substr(50'000));
  EXPECT_EQ(honest.NextEvent().Number("id"), 1);
  EXPECT_EQ(attackers.front().WaitForEnd().close_code, 1009);
}

TEST(ForwardedHeaderTest, EachClientHasItsOwnNumberOfConnections) {
  Groupcast groupcast(/*workers=*/2, {kTrusted, "--max_connections_per_address=2"});
  const uint16_t port = groupcast.service.port();
  const auto request = [](absl::string_view address) {
    return RequestWith(absl::StrCat("X-Forwarded-For: ", address), kV1);
  };
  std::vector<TestClient> clients;
  for (const absl::string_view address : {"203.0.113.7", "203.0.113.7", "198.51.100.9"}) {
    RawClient raw = From("127.0.0.1", port);
    raw.Write(request(address));
    clients.emplace_back(std::move(raw), Mode::kV1);
  }
  RawClient third = From("127.0.0.1", port);
  EXPECT_THAT(Answer(&third, request("203.0.113.7")), HasSubstr("HTTP/1.1 429"));
  clients.front().raw().Close();
  WaitUntil("there is room again", [&] {
    RawClient raw = From("127.0.0.1", port);
    raw.Write(request("203.0.113.7"));
    raw.ReadMore();
    return absl::StrContains(raw.received(), "HTTP/1.1 101");
  });
  // A stranger names itself alone.
  std::vector<RawClient> strangers;
  for (int i = 0; i < 2; ++i) {
    strangers.push_back(From("127.0.0.2", port));
    strangers.back().Write(request("192.0.2.1"));
    ASSERT_TRUE(strangers.back().ReadMore());
  }
  RawClient one_more = From("127.0.0.2", port);
  EXPECT_THAT(Answer(&one_more, request("192.0.2.2")), HasSubstr("HTTP/1.1 429"));
}

// From 203.0.113.7.
const std::string kHeader(
    "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x07\x0a\0\0\x01\x0f\xa0\x04\xd2", 28);

class ProxyProtocolTest : public ::testing::Test {
 protected:
  explicit ProxyProtocolTest(const Flags& more = {})
      : groupcast_(/*workers=*/1, [&] {
          Flags flags = {kTrusted, "--proxy_protocol", "--handshake_timeout=24h"};
          flags.insert(flags.end(), more.begin(), more.end());
          return flags;
        }()) {}

  Process& process() { return groupcast_.service.process(); }

  Groupcast groupcast_;
  const uint16_t port_ = groupcast_.service.port();
};

TEST_F(ProxyProtocolTest, ATrustedProxyNamesTheClient) {
  RawClient client = From("127.0.0.1", port_);
  EXPECT_THAT(Answer(&client, kHeader + Refused()), HasSubstr("HTTP/1.1 403"));
  process().WaitForOutput(absl::StrCat(" 203.0.113.7", kRefusal));
}

TEST_F(ProxyProtocolTest, TheHeaderMayComeInPartsAndBeforeTheFirstFrame) {
  RawClient raw = From("127.0.0.1", port_);
  for (const char c : kHeader) raw.Write(std::string(1, c));
  raw.Write(HandshakeRequest(kV1) + TextFrame(Ping("1")));
  EXPECT_EQ(TestClient(std::move(raw), Mode::kV1).NextEvent().Number("id"), 1);
}

// A proxy may be a client of another proxy, which writes the header of HTTP.
TEST_F(ProxyProtocolTest, TheClientThatItNamesMayBeATrustedProxyToo) {
  std::string header = kHeader;
  header.replace(16, 4, "\x0a\x00\x00\x09", 4);
  RawClient client = From("127.0.0.1", port_);
  Answer(&client, header + Refused("X-Forwarded-For: 198.51.100.77"));
  process().WaitForOutput(absl::StrCat(" 198.51.100.77", kRefusal));
}

TEST_F(ProxyProtocolTest, ATrustedProxyMustSpeakIt) {
  RawClient client = From("127.0.0.1", port_);
  EXPECT_THAT(Answer(&client, HandshakeRequest()),
              HasSubstr("A trusted proxy must begin with version 2 of the PROXY protocol"));
  process().WaitForOutput(
      "127.0.0.1 is a trusted proxy that did not begin with the PROXY protocol: it does not begin "
      "with the signature of version 2 and was refused: turn on version 2 at the proxy");
}

TEST_F(ProxyProtocolTest, AStrangerMayNotSpeakIt) {
  RawClient liar = From("127.0.0.2", port_);
  EXPECT_THAT(Answer(&liar, kHeader + HandshakeRequest()),
              HasSubstr("takes the PROXY protocol from trusted proxies alone"));
  // It is served as itself.
  RawClient client = From("127.0.0.2", port_);
  Answer(&client, Refused());
  process().WaitForOutput(absl::StrCat(" 127.0.0.2", kRefusal));
}

// Without turning in circles: the time-out is a day.
TEST_F(ProxyProtocolTest, AHeaderThatIsCutOffEndsTheConnection) {
  for (const size_t size : {size_t{1}, size_t{16}, kHeader.size() - 1}) {
    RawClient client = From("127.0.0.1", port_);
    client.Write(kHeader.substr(0, size));
    client.CloseWriting();
    client.ReadToEnd();
    EXPECT_EQ(client.received(), "") << size;
  }
}

// The header names the client, so its connections count before their requests.
TEST(ProxyProtocolLimitTest, ClientsCountFromTheHeaderOn) {
  Groupcast groupcast(/*workers=*/1, {kTrusted, "--proxy_protocol", "--handshake_timeout=24h",
                                      "--max_connections_per_address=2"});
  const uint16_t port = groupcast.service.port();
  // Two without a whole request. The worker accepts connections in their order.
  std::vector<RawClient> silent;
  for (int i = 0; i < 2; ++i) {
    silent.push_back(From("127.0.0.1", port));
    silent.back().Write(kHeader + "GET / HTTP/1.1\r\n");
  }
  std::string other = kHeader;
  other.replace(16, 4, "\xc6\x33\x64\x09", 4);
  WaitUntil("both count", [&] {
    RawClient third = From("127.0.0.1", port);
    return absl::StrContains(Answer(&third, kHeader + HandshakeRequest()), "HTTP/1.1 429");
  });
  RawClient neighbour = From("127.0.0.1", port);
  neighbour.Write(other + HandshakeRequest());
  ASSERT_TRUE(neighbour.ReadMore());
  EXPECT_THAT(neighbour.received(), HasSubstr("HTTP/1.1 101"));
}

class ProxyProtocolTlsTest : public ProxyProtocolTest {
 protected:
  ProxyProtocolTlsTest() : ProxyProtocolTest(TlsFlags(service::CertificateFiles())) {}
};

TEST_F(ProxyProtocolTlsTest, ItComesBeforeTls) {
  RawClient client = From("127.0.0.1", port_);
  client.Write(kHeader);
  client.StartTls();
  EXPECT_THAT(Answer(&client, Refused()), HasSubstr("HTTP/1.1 403"));
  process().WaitForOutput(absl::StrCat(" 203.0.113.7", kRefusal));
}

TEST(ProxyFlagsTest, WrongOnesAreFoundAtTheStart) {
  const struct {
    Flags flags;
    std::string error;
  } cases[] = {
      {{"--trusted_proxies=localhost"}, "--trusted_proxies: \"localhost\" is no IP address"},
      {{"--proxy_protocol"}, "--proxy_protocol needs --trusted_proxies"},
      {{"--forwarded_header=x-real-ip"},
       "--forwarded_header: \"x-real-ip\" is not x-forwarded-for or forwarded"},
  };
  for (const auto& c : cases) {
    Flags flags = c.flags;
    flags.push_back("--check_config");
    Process process(kWebSocketServiceBinary, flags);
    EXPECT_EQ(process.WaitForEnd(), 1);
    EXPECT_THAT(process.Output(), HasSubstr(c.error));
  }
}

}  // namespace
}  // namespace groupcast::tests
