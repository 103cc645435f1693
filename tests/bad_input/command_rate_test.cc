// One client sends more commands than it may. It is told, and others do not notice.

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/support/services.h"
#include "tests/support/test_client.h"
#include "tests/support/wait.h"

namespace groupcast::tests {
namespace {

TEST(CommandRateTest, ACommandOverTheRateIsRefusedAndCounted) {
  ChannelServer channel;
  // So few a second that none comes back while the test runs.
  WebSocketService service(channel, /*workers=*/1,
                           {"--commands_per_second=0.001", "--command_burst=4"});
  TestClient client(service.port(), Mode::kV1);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(client.IsQuiet()) << i;
  client.Send(SendToGroup("\"g\"", "1", "5"));
  const Event error = client.NextEvent();
  EXPECT_TRUE(absl::StartsWith(
      error.text(),
      R"({"event":"error","id":5,"cmd":"send_to_group","code":"rate_limited","message":")"))
      << error.text();
  EXPECT_TRUE(error.Bool("retry"));

  TestClient bare(service.port());
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(bare.IsQuiet()) << i;
  EXPECT_FALSE(bare.IsQuiet());

  const pid_t worker = service.WorkerPids().front();
  WaitUntil("the table counts both", [&] { return service.RowOf(worker).limited == 2; });
}

}  // namespace
}  // namespace groupcast::tests
