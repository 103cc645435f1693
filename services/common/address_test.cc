#include "services/common/address.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include "gtest/gtest.h"
#include "services/common/posix.h"

namespace groupcast::service {
namespace {

TEST(AddressTest, AnIpv6HostHasBracketsBesideAPort) {
  EXPECT_EQ(HostPort("127.0.0.1", 1234), "127.0.0.1:1234");
  EXPECT_EQ(HostPort("::1", 1234), "[::1]:1234");
  EXPECT_EQ(HostPort("[::1]", 1234), "[::1]:1234");
  EXPECT_EQ(HostPort("fe80::1%eth0", 80), "[fe80::1%eth0]:80");
  EXPECT_EQ(HostPort("example.org", 65'535), "example.org:65535");
  EXPECT_EQ(UrlHost("::"), "[::]");
  EXPECT_EQ(UrlHost("localhost"), "localhost");
}

TEST(AddressTest, OnlyAPairOfBracketsIsRemoved) {
  EXPECT_EQ(WithoutBrackets("[::1]"), "::1");
  EXPECT_EQ(WithoutBrackets("[]"), "");
  for (const char* text : {"::1", "127.0.0.1", "[", "]", "", "[::1", "::1]"}) {
    EXPECT_EQ(WithoutBrackets(text), text);
  }
}

TEST(AddressTest, AnIpAddressHasOneSpellingIfItIsIpv4) {
  for (const char* host :
       {"127.0.0.1", "0.0.0.0", "::", "[::1]", "2001:DB8::1", "::ffff:1.2.3.4"}) {
    EXPECT_TRUE(IsIpAddress(host)) << host;
  }
  for (const char* host : {"", "[]", "127.1", "2130706433", "0x7f.0.0.1", "127.0.0.01", "1.2.3.4.",
                           "256.0.0.1", "fe80::1%eth0", "localhost", "1.2.3.4 ", "[::1", "::1]"}) {
    EXPECT_FALSE(IsIpAddress(host)) << host;
  }
  EXPECT_FALSE(IsIpAddress(absl::string_view("127.0.0.1\0.evil.example", 23)));
}

TEST(AddressTest, LoopbackIsThisMachineAlone) {
  for (const char* host : {"127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost", "0::1",
                           "::ffff:127.0.0.1", "[::ffff:7f01:203]"}) {
    EXPECT_TRUE(IsLoopback(host)) << host;
  }
  for (const char* host : {"0.0.0.0", "::", "[::]", "10.0.0.1", "128.0.0.1", "example.org", "",
                           "::ffff:10.0.0.1", "::7f00:1", "127.1"}) {
    EXPECT_FALSE(IsLoopback(host)) << host;
  }
}

TEST(AddressTest, NamesThePeerOfASocket) {
  const Fd listener(socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address{.sin_family = AF_INET};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  ASSERT_EQ(bind(listener.get(), any, size), 0);
  ASSERT_EQ(listen(listener.get(), 1), 0);
  ASSERT_EQ(getsockname(listener.get(), any, &size), 0);
  const Fd client(socket(AF_INET, SOCK_STREAM, 0));
  EXPECT_EQ(PeerHost(client.get()), "a peer without an address");
  ASSERT_EQ(connect(client.get(), any, size), 0);
  EXPECT_EQ(PeerHost(client.get()), "127.0.0.1");
}

}  // namespace
}  // namespace groupcast::service
