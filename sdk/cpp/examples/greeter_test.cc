// How a program's own tests use FakeServer: a bot that greets whoever asks, and what becomes of it
// when the network fails.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "groupcast/client.h"
#include "groupcast/testing/fake_server.h"

namespace {

// The program under test: answers every "hello" in a group.
class Greeter {
 public:
  Greeter(const std::string& url, const std::string& group) {
    groupcast::ClientOptions options;
    options.url = url;
    client_ = groupcast::Client::Create(std::move(options)).value();
    const absl::Status joined = client_->Join(group, [this](const groupcast::Message& message) {
      if (message.text != "hello") return;
      const absl::Status sent = client_->Send(message.group_id, "welcome!");
      if (!sent.ok()) ADD_FAILURE() << sent;
    });
    EXPECT_EQ(joined, absl::OkStatus());
  }
  // The callback uses the pointer.
  ~Greeter() { client_->Close(); }

 private:
  std::unique_ptr<groupcast::Client> client_;
};

TEST(GreeterTest, GreetsWhoeverSaysHello) {
  auto server = groupcast::FakeServer::Start().value();
  Greeter greeter(server->url(), "lobby");
  ASSERT_EQ(server->AwaitMembers("lobby", 1), absl::OkStatus());
  server->Publish("lobby", "hello");
  ASSERT_EQ(server->AwaitMessages("lobby", 2), absl::OkStatus());
  EXPECT_EQ(server->Messages("lobby")[1].text, "welcome!");
}

TEST(GreeterTest, GreetsThoseWhoCameDuringAnOutage) {
  auto server = groupcast::FakeServer::Start().value();
  Greeter greeter(server->url(), "lobby");
  ASSERT_EQ(server->AwaitMembers("lobby", 1), absl::OkStatus());
  server->StopListening();
  server->DropConnections();
  server->Publish("lobby", "hello");
  ASSERT_EQ(server->Listen(), absl::OkStatus());
  ASSERT_EQ(server->AwaitMessages("lobby", 2), absl::OkStatus());
}

TEST(GreeterTest, GreetsOnceAlsoIfTheServerIsBusy) {
  auto server = groupcast::FakeServer::Start().value();
  server->FailNext("send_to_group", "unavailable", /*retry=*/true);
  Greeter greeter(server->url(), "lobby");
  ASSERT_EQ(server->AwaitMembers("lobby", 1), absl::OkStatus());
  server->Publish("lobby", "hello");
  ASSERT_EQ(server->AwaitMessages("lobby", 2), absl::OkStatus());
  server->Publish("lobby", "the last one");
  EXPECT_EQ(server->Messages("lobby").size(), 3u);
}

}  // namespace
