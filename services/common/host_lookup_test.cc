#include "services/common/host_lookup.h"

#include <netinet/in.h>

#include <memory>
#include <optional>

#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

using Result = absl::StatusOr<HostLookup::Addresses>;

TEST(HostLookupTest, FindsAHost) {
  const std::unique_ptr<EventLoop> loop = *EventLoop::Create();
  std::optional<Result> result;
  HostLookup lookup(loop.get(), "localhost", 4222,
                    [&](Result found) { result = std::move(found); });
  EXPECT_FALSE(result.has_value()) << "from inside the constructor";
  while (!result.has_value()) loop->RunOnce(absl::Seconds(1));
  ASSERT_TRUE(result->ok()) << result->status();
  ASSERT_FALSE((*result)->empty());
  const SocketAddress& address = (*result)->front();
  ASSERT_TRUE(address.family() == AF_INET || address.family() == AF_INET6);
  const in_port_t port = address.family() == AF_INET
                             ? reinterpret_cast<const sockaddr_in*>(address.get())->sin_port
                             : reinterpret_cast<const sockaddr_in6*>(address.get())->sin6_port;
  EXPECT_EQ(ntohs(port), 4222);
}

TEST(HostLookupTest, TellsThatThereIsNone) {
  const std::unique_ptr<EventLoop> loop = *EventLoop::Create();
  std::optional<Result> result;
  HostLookup lookup(loop.get(), "no host..", 1, [&](Result found) { result = std::move(found); });
  while (!result.has_value()) loop->RunOnce(absl::Seconds(1));
  EXPECT_FALSE(result->ok());
  EXPECT_NE(result->status().message().find("no host.."), std::string::npos) << result->status();
}

TEST(HostLookupTest, MayBeDestroyedBeforeItsEndAndByItsCallback) {
  const std::unique_ptr<EventLoop> loop = *EventLoop::Create();
  bool called = false;
  {
    HostLookup dropped(loop.get(), "localhost", 1, [&](const Result&) { called = true; });
  }
  bool destroyed = false;
  std::unique_ptr<HostLookup> lookup;
  lookup = std::make_unique<HostLookup>(loop.get(), "localhost", 1, [&](const Result&) {
    lookup.reset();
    destroyed = true;
  });
  while (!destroyed) loop->RunOnce(absl::Seconds(1));
  EXPECT_FALSE(called);
}

TEST(HostLookupTest, NumbersNeedNoLookup) {
  for (const char* const host : {"127.0.0.1", "::1"}) {
    EXPECT_TRUE(HostLookup::OfNumbers(host, 1).ok()) << host;
  }
  EXPECT_EQ(HostLookup::OfNumbers("localhost", 1).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace groupcast::service
