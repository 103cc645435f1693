#include "services/common/ip_address.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

using ::testing::HasSubstr;

IpAddress Address(absl::string_view text) {
  const std::optional<IpAddress> address = IpAddress::Parse(text);
  EXPECT_TRUE(address.has_value()) << text;
  return address.value_or(IpAddress());
}

bool Contains(absl::string_view entries, absl::string_view address) {
  const absl::StatusOr<IpNetworks> networks = IpNetworks::Create("--list", entries);
  EXPECT_TRUE(networks.ok()) << networks.status();
  return networks->Contains(Address(address));
}

std::string ErrorOf(absl::string_view entries) {
  const absl::StatusOr<IpNetworks> networks = IpNetworks::Create("--list", entries);
  return networks.ok() ? "" : std::string(networks.status().message());
}

TEST(IpAddressTest, OneAddressHasOneValue) {
  EXPECT_EQ(Address("10.0.0.5").Text(), "10.0.0.5");
  EXPECT_EQ(Address("::ffff:10.0.0.5"), Address("10.0.0.5"));
  EXPECT_EQ(Address("2001:DB8:0:0::1").Text(), "2001:db8::1");
  EXPECT_NE(Address("::1"), Address("127.0.0.1"));
  EXPECT_TRUE(Address("10.0.0.5").is_v4());
  EXPECT_FALSE(Address("::1").is_v4());
}

TEST(IpAddressTest, AnythingElseIsNoAddress) {
  for (const absl::string_view text : {"", "x", "10.0.0", "10.0.0.5.6", "010.0.0.1", "10.0.0.256",
                                       "10.0.0.5:80", "[::1]", "::1%lo", " ::1", "fe80::1::2"}) {
    EXPECT_FALSE(IpAddress::Parse(text).has_value()) << text;
  }
  EXPECT_FALSE(IpAddress::Parse(absl::string_view("::1\0x", 5)).has_value());
}

TEST(IpNetworksTest, AnEntryIsAnAddressOrANetwork) {
  EXPECT_TRUE(Contains("10.0.0.5", "10.0.0.5"));
  EXPECT_FALSE(Contains("10.0.0.5", "10.0.0.4"));
  EXPECT_TRUE(Contains("1.2.3.4, 10.0.0.0/8", "10.255.0.1"));
  EXPECT_FALSE(Contains("1.2.3.4, 10.0.0.0/8", "11.0.0.1"));
  EXPECT_TRUE(Contains("172.16.0.0/12", "172.31.255.255"));
  EXPECT_FALSE(Contains("172.16.0.0/12", "172.32.0.0"));
  EXPECT_TRUE(Contains("2001:db8::/32", "2001:db8:ffff::1"));
  EXPECT_FALSE(Contains("2001:db8::/32", "2001:db9::1"));
  EXPECT_TRUE(Contains("fd00::/9", "fd7f::1"));
  EXPECT_FALSE(Contains("fd00::/9", "fd80::1"));
  EXPECT_TRUE(Contains("0.0.0.0/0", "9.9.9.9"));
  EXPECT_FALSE(Contains("0.0.0.0/0", "2001:db8::1")) << "it is all of IPv4";
  EXPECT_TRUE(Contains("::/0", "9.9.9.9"));
  EXPECT_FALSE(Contains("", "::1"));
  EXPECT_TRUE(Contains("10.0.0.5/32", "::ffff:10.0.0.5"));
}

TEST(IpNetworksTest, AWrongEntryIsNamed) {
  EXPECT_THAT(ErrorOf("10.0.0.5,localhost"),
              HasSubstr("--list: \"localhost\" is no IP address and no network; an entry is"));
  EXPECT_THAT(ErrorOf("10.0.0.5,"), HasSubstr("\"\" is no IP address"));
  EXPECT_THAT(ErrorOf("10.0.0.0/33"), HasSubstr("needs a number from 0 to 32 after its /"));
  EXPECT_THAT(ErrorOf("::/129"), HasSubstr("needs a number from 0 to 128 after its /"));
  for (const absl::string_view entry : {"10.0.0.0/", "10.0.0.0/x", "10.0.0.0/-1", "10.0.0.0/+8"}) {
    EXPECT_THAT(ErrorOf(entry), HasSubstr("needs a number")) << entry;
  }
  EXPECT_THAT(ErrorOf("10.1.0.0/8"), HasSubstr("has bits behind its prefix; the network is "
                                               "10.0.0.0/8"));
  EXPECT_THAT(ErrorOf("172.31.0.0/12"), HasSubstr("the network is 172.16.0.0/12"));
}

}  // namespace
}  // namespace groupcast::service
