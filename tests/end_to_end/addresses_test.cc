// The addresses that the services print can be pasted, also those of IPv6.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>
#include <memory>
#include <regex>
#include <string>

#include "gmock/gmock.h"
#include "groupcast/client.h"
#include "gtest/gtest.h"
#include "tests/support/services.h"

namespace groupcast::tests {
namespace {

using ::testing::HasSubstr;

bool HasIpv6() {
  const int fd = socket(AF_INET6, SOCK_STREAM, 0);
  sockaddr_in6 address{.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  const bool bound =
      fd >= 0 && bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  if (fd >= 0) close(fd);
  return bound;
}

// The first part of a process's output that the expression's group matches.
std::string Printed(const Process& process, const std::string& expression) {
  const std::string output = process.Output();
  std::smatch match;
  if (!std::regex_search(output, match, std::regex(expression))) {
    throw Failure("not printed: " + expression);
  }
  return match[1];
}

// Whether the C++ SDK gets an answer to a send at this URL.
void SendAt(const std::string& url) {
  ClientOptions options;
  options.url = url;
  absl::StatusOr<std::unique_ptr<Client>> client = Client::Create(std::move(options));
  ASSERT_TRUE(client.ok()) << client.status();
  auto sent = std::make_shared<std::promise<absl::Status>>();
  ASSERT_TRUE(
      (*client)
          ->Send("g", "hello",
                 [sent](const absl::StatusOr<Position>& at) { sent->set_value(at.status()); })
          .ok());
  EXPECT_EQ(sent->get_future().get(), absl::OkStatus());
}

class AddressesTest : public ::testing::TestWithParam<const char*> {};

TEST_P(AddressesTest, WhatIsPrintedCanBePasted) {
  const std::string host = GetParam();
  const bool is_v6 = host.find(':') != std::string::npos;
  if (is_v6 && !HasIpv6()) GTEST_SKIP() << "this machine has no IPv6";
  ChannelServer channel({"--bind_address=" + host});
  const std::string flag =
      Printed(channel.process(), "ready for workers: websocket_service (--channel=[^ ]+) ");
  EXPECT_THAT(flag, HasSubstr(is_v6 ? "--channel=[::1]:" : "--channel=127.0.0.1:"));
  EXPECT_THAT(channel.process().Output(), ::testing::Not(HasSubstr("WITHOUT KEYS")));

  // The last of two flags counts.
  WebSocketService service(channel, /*workers=*/1,
                           {flag, "--bind_address=" + host, "--pages=services"});
  service.process().WaitForOutput("numbers: kill -USR1");
  EXPECT_EQ(Printed(service.process(), "channel server: (.*)"), flag.substr(sizeof("--channel")));
  const std::string url = Printed(service.process(), "(ws://[^ ]+)");
  EXPECT_EQ(Printed(service.process(), "pages: +http(://[^/]+)/"), url.substr(2));
  SendAt(url);
}

INSTANTIATE_TEST_SUITE_P(Hosts, AddressesTest, ::testing::Values("127.0.0.1", "::1", "[::1]"));

}  // namespace
}  // namespace groupcast::tests
