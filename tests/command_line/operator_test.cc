// The commands for operators: status.

#include <csignal>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/command_line/shell.h"
#include "tests/support/http_gateway.h"
#include "tests/support/process.h"
#include "tests/support/services.h"
#include "tests/support/wait.h"

namespace groupcast::tests {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

TEST(OperatorTest, StatusNamesAllServices) {
  Installation groupcast;
  groupcast.gateway();
  const ShellResult status = RunShell("groupcast status");
  EXPECT_EQ(status.status, 0) << status.err;
  EXPECT_THAT(status.out, ContainsRegex("\nWebSocket +ws://127.0.0.1:[0-9]+ +reachable"));
  EXPECT_THAT(status.out, ContainsRegex("\nchannel_server +127.0.0.1:[0-9]+ +ready +[0-9.]+ "));
  EXPECT_THAT(status.out,
              ContainsRegex("\nwebsocket_service +127.0.0.1:[0-9]+ +ready +[0-9.]+ +2 workers, "
                            "channel connected, 0 connections\n"));
  EXPECT_THAT(status.out, ContainsRegex("\nhttp_gateway +[0-9.:]+ +ready +[0-9.]+ +1 worker, "));
  EXPECT_THAT(status.out, Not(HasSubstr("\x1b")));
  const ShellResult json = RunShell("groupcast status --json");
  EXPECT_THAT(json.out, ContainsRegex(R"("service":"channel_server","address":"[^"]*","ok":true,)"
                                      R"("state":"ready",)"));
}

TEST(OperatorTest, StatusFailsIfAServiceIsNotReady) {
  Installation groupcast;
  groupcast.gateway();
  groupcast.channel().Kill();
  ShellResult status;
  WaitUntil("the services notice", [&] {
    status = RunShell("groupcast status");
    return status.out.find("not ready") != std::string::npos;
  });
  EXPECT_EQ(status.status, 1);
  EXPECT_THAT(status.out, HasSubstr("not reachable"));
}

TEST(OperatorTest, StatusWithoutAGatewayIs3) {
  Installation groupcast;
  setenv("GROUPCAST_GATEWAY", "http://127.0.0.1:1", 1);  // nothing has this port
  const ShellResult status = RunShell("groupcast status");
  EXPECT_EQ(status.status, 3);
  EXPECT_THAT(status.err, HasSubstr("http://127.0.0.1:1 is not reachable: Connection refused\n"));
}

}  // namespace
}  // namespace groupcast::tests
