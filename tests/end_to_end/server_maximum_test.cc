// The channel server comes back with a smaller --max_message_bytes than the service's. That is an
// error at the service's start only: a running service goes on with the smaller one.

#include <csignal>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/services.h"
#include "tests/support/test_client.h"
#include "tests/support/wait.h"

namespace groupcast::tests {
namespace {

using ::testing::HasSubstr;

constexpr char kRoom[] = "\"room\"";

class ServerMaximumTest : public ::testing::Test {
 protected:
  // The server has no data directory, so both of its starts begin a new epoch.
  void StartAgainWith(const Flags& flags) {
    groupcast_.channel.SetFlags(flags);
    groupcast_.channel.StartAgain();
  }

  int64_t MaximumOfNewConnections() {
    const TestClient client(groupcast_.service.port(), Mode::kV1);
    return client.welcome().fields().at("limits").at("message_bytes").to_number<int64_t>();
  }

  static Event Send(TestClient* client, size_t bytes) {
    client->Send(SendToGroup(kRoom, Quoted(std::string(bytes, 'x')), "1"));
    return client->NextEvent();
  }

  Groupcast groupcast_{/*workers=*/2};
};

TEST_F(ServerMaximumTest, ARunningServiceGoesOnWithASmallerOne) {
  Process& service = groupcast_.service.process();
  std::vector<pid_t> workers = groupcast_.service.WorkerPids();
  TestClient client(groupcast_.service.port(), Mode::kV1);
  EXPECT_EQ(Send(&client, 1'001).name(), "reply");

  groupcast_.channel.Kill();
  service.WaitForOutputTimes("the channel is away", 2);
  // It waits for a server that will not take it.
  client.Send(SendToGroup(kRoom, Quoted(std::string(60'000, 'x')), "1"));
  EXPECT_TRUE(client.IsQuiet());
  StartAgainWith({"--max_message_bytes=1000"});
  EXPECT_EQ(client.NextEvent().Text("code"), "message_too_large");

  service.WaitForOutputTimes(
      "the channel takes messages of up to 1000 bytes, but --max_message_bytes is 65536", 2);
  EXPECT_EQ(groupcast_.service.WorkerPids(), workers);
  const Event refused = Send(&client, 1'001);
  EXPECT_EQ(refused.Text("code"), "message_too_large");
  EXPECT_THAT(refused.Text("message"), HasSubstr("the limit is 1000"));
  EXPECT_EQ(Send(&client, 1'000).name(), "reply");
  EXPECT_EQ(MaximumOfNewConnections(), 1'000);

  // Successors go on, too.
  for (const pid_t worker : workers) kill(worker, SIGKILL);
  service.WaitForOutputTimes("the channel takes messages of up to 1000 bytes", 4);
  WaitUntil("the successors", [&] { return groupcast_.service.WorkerPids().size() == 2; });
  workers = groupcast_.service.WorkerPids();
  TestClient next(groupcast_.service.port(), Mode::kV1);
  EXPECT_EQ(Send(&next, 1'001).Text("code"), "message_too_large");

  groupcast_.channel.Kill();
  StartAgainWith({});
  service.WaitForOutputTimes("the channel takes messages of up to 65536 bytes again", 2);
  EXPECT_EQ(Send(&next, 60'000).name(), "reply");
  EXPECT_EQ(MaximumOfNewConnections(), 65'536);
  EXPECT_EQ(groupcast_.service.WorkerPids(), workers);
}

// SIGHUP tests the configuration that it brings, also if it has not changed.
TEST_F(ServerMaximumTest, AReloadKeepsTheWorkersThatGoOn) {
  Process& service = groupcast_.service.process();
  const std::vector<pid_t> workers = groupcast_.service.WorkerPids();
  groupcast_.channel.Kill();
  StartAgainWith({"--max_message_bytes=1000"});
  service.WaitForOutputTimes("the channel takes messages of up to 1000 bytes", 2);
  service.Signal(SIGHUP);
  service.WaitForOutput("set --max_message_bytes of both alike; the old workers stay");
  EXPECT_EQ(groupcast_.service.WorkerPids(), workers);
}

}  // namespace
}  // namespace groupcast::tests
