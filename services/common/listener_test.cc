#include "services/common/listener.h"

#include <cerrno>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

TEST(ListenerTest, OpensAllSocketsOnOneFreePort) {
  const absl::StatusOr<Listeners> listeners = OpenListeners("127.0.0.1", 0, 4);
  ASSERT_TRUE(listeners.ok()) << listeners.status();
  EXPECT_EQ(listeners->sockets.size(), 4u);
  EXPECT_NE(listeners->port, 0);
}

// Without the probe, SO_REUSEPORT would let a second service share the port and take half of the
// connections.
TEST(ListenerTest, RefusesAPortOnWhichAnotherServiceListens) {
  const absl::StatusOr<Listeners> first = OpenListeners("127.0.0.1", 0, 2);
  ASSERT_TRUE(first.ok());
  const absl::StatusOr<Listeners> second = OpenListeners("127.0.0.1", first->port, 2);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE(absl::StrContains(second.status().message(), absl::StrCat("127.0.0.1:", first->port)))
      << second.status();
}

TEST(ListenerTest, ThePortIsFreeAgainOnceTheSocketsAreClosed) {
  uint16_t port;
  {
    const absl::StatusOr<Listeners> first = OpenListeners("127.0.0.1", 0, 2);
    ASSERT_TRUE(first.ok());
    port = first->port;
  }
  EXPECT_TRUE(OpenListeners("127.0.0.1", port, 2).ok());
}

TEST(ListenerTest, AnIpv6AddressMayBeInBrackets) {
  const absl::StatusOr<Listeners> first = OpenListeners("[::1]", 0, 1);
  if (!first.ok() && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)) {
    GTEST_SKIP() << "this machine has no IPv6";
  }
  ASSERT_TRUE(first.ok()) << first.status();
  const absl::Status second = OpenListeners("::1", first->port, 1).status();
  EXPECT_EQ(second.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE(absl::StrContains(second.message(), absl::StrCat("on [::1]:", first->port)))
      << second;
}

TEST(ListenerTest, AnAddressOfAnotherMachineIsNotAPortInUse) {
  // Of no interface (RFC 5737).
  EXPECT_EQ(OpenListeners("192.0.2.1", 0, 1).status().code(), absl::StatusCode::kNotFound);
}

TEST(ListenerTest, RefusesWhatIsNoAddress) {
  for (const char* text : {"example", "[]", "[::1", "::1]", ""}) {
    EXPECT_EQ(OpenListeners(text, 0, 1).status().code(), absl::StatusCode::kInvalidArgument)
        << text;
  }
}

}  // namespace
}  // namespace groupcast::service
