#include "services/websocket_service/proxy/forwarded.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

using ::testing::HasSubstr;

ProxyPolicy Policy(ForwardedHeader header) {
  return {.trusted = *IpNetworks::Create("", "10.0.0.0/8,2001:db8:1::/48"), .header = header};
}

// The client's address as text, or the error.
std::string Client(ForwardedHeader header, absl::string_view peer,
                   const std::vector<absl::string_view>& values) {
  const absl::StatusOr<IpAddress> client =
      ClientAddress(Policy(header), *IpAddress::Parse(peer), values);
  return client.ok() ? client->Text() : std::string(client.status().message());
}

std::string X(absl::string_view peer, const std::vector<absl::string_view>& values) {
  return Client(ForwardedHeader::kXForwardedFor, peer, values);
}

std::string F(const std::vector<absl::string_view>& values) {
  return Client(ForwardedHeader::kForwarded, "10.0.0.1", values);
}

TEST(XForwardedForTest, TheClientIsWhomTheTrustedProxyNames) {
  EXPECT_EQ(X("10.0.0.1", {"203.0.113.7"}), "203.0.113.7");
  EXPECT_EQ(X("10.0.0.1", {"203.0.113.7:4000"}), "203.0.113.7");
  EXPECT_EQ(X("10.0.0.1", {"2001:db8::7"}), "2001:db8::7");
  EXPECT_EQ(X("10.0.0.1", {"[2001:db8::7]:4000"}), "2001:db8::7");
  EXPECT_EQ(X("10.0.0.1", {"[2001:db8::7]"}), "2001:db8::7");
  EXPECT_EQ(X("10.0.0.1", {}), "10.0.0.1") << "a health check of the proxy itself";
  EXPECT_EQ(X("10.0.0.1", {""}), "10.0.0.1");
}

TEST(XForwardedForTest, AStrangerNamesNobody) {
  EXPECT_EQ(X("198.51.100.9", {"203.0.113.7"}), "198.51.100.9");
  EXPECT_EQ(X("198.51.100.9", {"no address"}), "198.51.100.9");
}

// What a client sends itself is in the front.
TEST(XForwardedForTest, TheListIsBelievedFromItsEnd) {
  EXPECT_EQ(X("10.0.0.1", {"1.1.1.1, 203.0.113.7"}), "203.0.113.7");
  EXPECT_EQ(X("10.0.0.1", {"1.1.1.1", "203.0.113.7"}), "203.0.113.7");
  EXPECT_EQ(X("10.0.0.1", {"1.1.1.1,203.0.113.7,10.0.0.2 , 2001:db8:1::5"}), "203.0.113.7");
  EXPECT_EQ(X("10.0.0.1", {"<script>, 203.0.113.7"}), "203.0.113.7");
  EXPECT_EQ(X("10.0.0.1", {"10.0.0.3, 10.0.0.2"}), "10.0.0.3") << "a client of the own network";
}

TEST(XForwardedForTest, ATrustedProxyMayNotKnow) {
  EXPECT_EQ(X("10.0.0.1", {"unknown"}), "10.0.0.1");
  EXPECT_EQ(X("10.0.0.1", {"203.0.113.7, unknown, 10.0.0.2"}), "10.0.0.2");
}

TEST(XForwardedForTest, AnythingElseIsAnError) {
  EXPECT_EQ(X("10.0.0.1", {"proxy.example"}),
            "The header X-Forwarded-For must be IP addresses with commas between them, not "
            "\"proxy.example\".");
  for (const absl::string_view value :
       {"203.0.113.7 x", "203.0.113", "203.0.113.7:", "[2001:db8::7", "[203.0.113.7]", "[::1]x",
        "203.0.113.7:a b", "1.2.3.4, 10.0.0.2:!", "\xff"}) {
    EXPECT_THAT(X("10.0.0.1", {value}), HasSubstr("must be IP addresses")) << value;
  }
}

TEST(ForwardedTest, TheClientIsWhomTheTrustedProxyNames) {
  EXPECT_EQ(F({"for=203.0.113.7"}), "203.0.113.7");
  EXPECT_EQ(F({"For=\"203.0.113.7:4000\""}), "203.0.113.7");
  EXPECT_EQ(F({"proto=https;by=10.0.0.1; for=203.0.113.7"}), "203.0.113.7");
  EXPECT_EQ(F({"for=\"[2001:db8::7]:4711\""}), "2001:db8::7");
  EXPECT_EQ(F({"for=203.0.113.7:4000"}), "203.0.113.7") << "without quotes, as many write it";
  EXPECT_EQ(F({"for=\"203.0.\\113.7\""}), "203.0.113.7");
  EXPECT_EQ(F({}), "10.0.0.1");
}

TEST(ForwardedTest, TheListIsBelievedFromItsEnd) {
  EXPECT_EQ(F({"for=1.1.1.1, for=203.0.113.7"}), "203.0.113.7");
  EXPECT_EQ(F({"for=1.1.1.1;host=\"a,b;for=2.2.2.2\"", "for=203.0.113.7,,for=10.0.0.2"}),
            "203.0.113.7");
  EXPECT_EQ(F({"for=1.1.1.1, for=_hidden, for=10.0.0.2"}), "10.0.0.2");
  EXPECT_EQ(F({"for=1.1.1.1, for=unknown"}), "10.0.0.1");
  EXPECT_EQ(F({"for=1.1.1.1, proto=https"}), "10.0.0.1") << "the last proxy does not tell";
}

TEST(ForwardedTest, AnythingElseIsAnError) {
  EXPECT_EQ(F({"203.0.113.7"}),
            "The header Forwarded must have the form of RFC 7239, such as for=192.0.2.1 or "
            "for=\"[2001:db8::1]\", not \"203.0.113.7\".");
  for (const absl::string_view value :
       {"for=", "for", "=1.1.1.1", "for=\"1.1.1.1", "for=\"1.1.1.1\\", "for=1.1.1.1;for=2.2.2.2",
        "for=1.1.1.1;", "for=1.1.1.1 x", "for=name.example", "for =1.1.1.1", "for=1.1.1.1\x01"}) {
    EXPECT_THAT(F({value}), HasSubstr("must have the form of RFC 7239")) << value;
  }
}

}  // namespace
}  // namespace groupcast::service
