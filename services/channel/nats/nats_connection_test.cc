// Against a real server.

#include "services/channel/nats/nats_connection.h"

#include <sys/socket.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/channel/testing/relay.h"
#include "services/channel/testing/running_nats.h"

namespace groupcast::service {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Relay;
using testing::RunningNats;

class NatsConnectionTest : public ::testing::Test, public NatsConnectionHandler {
 protected:
  void Connect(NatsConnectionOptions options, const std::vector<uint16_t>& ports) {
    for (const uint16_t port : ports) {
      options.servers.push_back({.host = "127.0.0.1", .port = port});
    }
    options.retry_after = absl::Milliseconds(10);
    connection_ = std::make_unique<NatsConnection>(std::move(options), loop_.get(), this);
  }
  // False: it took too long, so the test fails.
  [[nodiscard]] bool RunUntil(const std::function<bool()>& done) {
    const absl::Time give_up = absl::Now() + absl::Seconds(30);
    while (!done() && absl::Now() < give_up) loop_->RunOnce(absl::Milliseconds(20));
    return done();
  }
  [[nodiscard]] bool IsLost() {
    return RunUntil([&] { return !lost_.empty(); });
  }

  void OnNatsConnected(const NatsServerInfo& server) override {
    ++connections_;
    server_ = server;
    connection_->Subscribe("a.*", 1);
  }
  void OnNatsLost(const absl::Status& why) override { lost_.push_back(std::string(why.message())); }
  void OnNatsMessage(const NatsMessage& message) override {
    messages_.push_back(absl::StrCat(message.subject, " ", message.reply, " ",
                                     NatsHeader(message.headers, "Key").value_or("-"), " ",
                                     message.data));
  }
  void OnNatsInputEnds() override { ++inputs_; }

  std::unique_ptr<EventLoop> loop_ = *EventLoop::Create();
  std::unique_ptr<NatsConnection> connection_;
  int connections_ = 0;
  int inputs_ = 0;
  NatsServerInfo server_;
  std::vector<std::string> lost_;
  std::vector<std::string> messages_;
};

TEST_F(NatsConnectionTest, PublishesAndGetsMessages) {
  const RunningNats server;
  Connect({}, {server.port()});
  EXPECT_FALSE(connection_->connected());
  ASSERT_TRUE(RunUntil([&] { return connections_ == 1; }));
  EXPECT_TRUE(connection_->connected());
  EXPECT_TRUE(server_.has_jet_stream);
  EXPECT_GE(server_.payload_bytes_max, 1'000'000u);
  EXPECT_THAT(server_.version, HasSubstr("."));
  connection_->Publish("a.1", "", {}, "one");
  const std::vector<std::pair<absl::string_view, absl::string_view>> headers = {{"Key", "k"}};
  connection_->Publish("a.2", "in.7", headers, "two\r\nlines");
  connection_->Publish("b.1", "", {}, "of another subject");
  connection_->Publish("a.3", "", headers, "");
  ASSERT_TRUE(RunUntil([&] { return messages_.size() == 3; }));
  EXPECT_THAT(messages_, ElementsAre("a.1  - one", "a.2 in.7 k two\r\nlines", "a.3  k "));
  connection_->Unsubscribe(1);
  connection_->Subscribe("end", 2);
  connection_->Publish("a.4", "", {}, "after the end");
  connection_->Publish("end", "", {}, "");
  ASSERT_TRUE(RunUntil([&] { return messages_.size() == 4; }));
  EXPECT_EQ(messages_.back(), "end  - ");
}

TEST_F(NatsConnectionTest, LargeMessagesAndManyFitThroughAFullSocket) {
  const RunningNats server;
  Connect({}, {server.port()});
  ASSERT_TRUE(RunUntil([&] { return connections_ == 1; }));
  const std::string large(500'000, 'x');
  for (int i = 0; i < 100; ++i) connection_->Publish("a.1", "", {}, large);
  ASSERT_TRUE(RunUntil([&] { return messages_.size() == 100; }));
  EXPECT_EQ(messages_.back().size(), large.size() + 7);
  EXPECT_EQ(connection_->unsent_bytes(), 0u);
}

TEST_F(NatsConnectionTest, ALostConnectionIsReplaced) {
  const RunningNats server;
  Relay relay(server.port());
  Connect({}, {relay.port()});
  ASSERT_TRUE(RunUntil([&] { return connections_ == 1; }));
  relay.Reset();
  ASSERT_TRUE(RunUntil([&] { return connections_ == 2; }));
  EXPECT_EQ(lost_.size(), 1u);
  connection_->Publish("a.1", "", {}, "again");
  EXPECT_TRUE(RunUntil([&] { return messages_.size() == 1; }));
}

TEST_F(NatsConnectionTest, AnotherServerOfTheClusterIsTried) {
  uint16_t nobody = 0;
  {
    const Relay gone(1);
    nobody = gone.port();
  }
  const RunningNats server;
  Connect({}, {nobody, server.port(), nobody});
  EXPECT_TRUE(RunUntil([&] { return connections_ == 1; }));
}

TEST_F(NatsConnectionTest, AServerThatStandsStillIsLeft) {
  RunningNats server;
  Connect({.connect_timeout = absl::Milliseconds(200), .silence_max = absl::Milliseconds(200)},
          {server.port()});
  ASSERT_TRUE(RunUntil([&] { return connections_ == 1; }));
  server.Stop();
  ASSERT_TRUE(IsLost());
  EXPECT_EQ(lost_.front(),
            absl::StrCat("127.0.0.1:", server.port(), ": the server says nothing any more"));
  lost_.clear();
  ASSERT_TRUE(IsLost());
  EXPECT_THAT(lost_.front(), HasSubstr("the server does not answer in time"));
  server.Continue();
  EXPECT_TRUE(RunUntil([&] { return connections_ >= 2; }));
}

TEST_F(NatsConnectionTest, ASilentServerThatAnswersStays) {
  const RunningNats server;
  Connect({.silence_max = absl::Seconds(1)}, {server.port()});
  ASSERT_TRUE(RunUntil([&] { return connections_ == 1; }));
  // Nothing comes but answers to its questions.
  inputs_ = 0;
  ASSERT_TRUE(RunUntil([&] { return inputs_ >= 2; }));
  EXPECT_TRUE(lost_.empty()) << lost_.front();
}

TEST_F(NatsConnectionTest, WrongCredentialsAreTold) {
  const RunningNats server({"--user=groupcast", "--pass=secret"});
  Connect({.user = "groupcast", .password = "wrong"}, {server.port()});
  ASSERT_TRUE(IsLost());
  EXPECT_THAT(lost_.front(), HasSubstr("the server says: Authorization Violation"));
  EXPECT_EQ(connections_, 0);
}

TEST_F(NatsConnectionTest, CredentialsOpenAServer) {
  const RunningNats server({"--user=groupcast", "--pass=secret"});
  Connect({.user = "groupcast", .password = "secret"}, {server.port()});
  EXPECT_TRUE(RunUntil([&] { return connections_ == 1; }));
}

TEST_F(NatsConnectionTest, ATokenOpensAServer) {
  const RunningNats server({"--auth=secret"});
  Connect({.token = "secret"}, {server.port()});
  EXPECT_TRUE(RunUntil([&] { return connections_ == 1; }));
}

TEST_F(NatsConnectionTest, NobodyListensIsTold) {
  uint16_t nobody = 0;
  {
    const Relay gone(1);
    nobody = gone.port();
  }
  Connect({}, {nobody});
  ASSERT_TRUE(IsLost());
  EXPECT_THAT(lost_.front(), HasSubstr("Connection refused"));
}

TEST_F(NatsConnectionTest, MayEndAtAnyTime) {
  const RunningNats server;
  Connect({}, {server.port()});
  connection_.reset();
  Connect({}, {server.port()});
  ASSERT_TRUE(RunUntil([&] { return connections_ == 1; }));
  connection_->Publish("a.1", "", {}, "x");
  connection_.reset();
  loop_->RunOnce(absl::ZeroDuration());
  EXPECT_TRUE(messages_.empty());
}

}  // namespace
}  // namespace groupcast::service
