#include "services/connections/peer_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstring>

#include "absl/strings/match.h"
#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

PeerAddress Of(const char* text) {
  sockaddr_storage storage{};
  if (absl::StrContains(text, ':')) {
    sockaddr_in6 address{.sin6_family = AF_INET6, .sin6_port = htons(99)};
    EXPECT_EQ(inet_pton(AF_INET6, text, &address.sin6_addr), 1) << text;
    std::memcpy(&storage, &address, sizeof(address));
  } else {
    sockaddr_in address{.sin_family = AF_INET, .sin_port = htons(99)};
    EXPECT_EQ(inet_pton(AF_INET, text, &address.sin_addr), 1) << text;
    std::memcpy(&storage, &address, sizeof(address));
  }
  return PeerAddressOf(storage);
}

TEST(PeerAddressTest, AnIpv4AddressCountsAlone) {
  EXPECT_EQ(Of("192.0.2.7"), Of("192.0.2.7"));
  EXPECT_NE(Of("192.0.2.7"), Of("192.0.2.8"));
  EXPECT_NE(Of("192.0.2.7"), Of("193.0.2.7"));
}

TEST(PeerAddressTest, AnIpv6NetworkOf64BitsCountsAsOne) {
  EXPECT_EQ(Of("2001:db8:1:2::1"), Of("2001:db8:1:2:ffff:ffff:ffff:ffff"));
  EXPECT_NE(Of("2001:db8:1:2::1"), Of("2001:db8:1:3::1"));
  EXPECT_NE(Of("2001:db8:1:2::1"), Of("2002:db8:1:2::1"));
}

TEST(PeerAddressTest, AMappedIpv4AddressIsTheSameAddress) {
  EXPECT_EQ(Of("::ffff:192.0.2.7"), Of("192.0.2.7"));
  EXPECT_NE(Of("::ffff:192.0.2.7"), Of("::ffff:192.0.2.8"));
}

// Otherwise all clients behind all such translators would be one address.
TEST(PeerAddressTest, AnAddressBehindANat64IsTheIpv4Address) {
  EXPECT_EQ(Of("64:ff9b::192.0.2.7"), Of("192.0.2.7"));
  EXPECT_NE(Of("64:ff9b::192.0.2.7"), Of("64:ff9b::192.0.2.8"));
  // Local prefixes are networks like any others.
  EXPECT_EQ(Of("64:ff9b:1::192.0.2.7"), Of("64:ff9b:1::192.0.2.8"));
}

TEST(PeerAddressTest, ASocketWithoutAPeerHasNone) { EXPECT_EQ(PeerAddressOf(-1), PeerAddress{}); }

}  // namespace
}  // namespace groupcast::service
