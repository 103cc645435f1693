// The engine for NATS JetStream keeps the contract, with a real server. A relay stands between the
// two, so that connections can be broken while the server lives on.

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "services/channel/contract/channel_contract.h"
#include "services/channel/nats/nats_channel.h"
#include "services/channel/testing/relay.h"
#include "services/channel/testing/running_nats.h"
#include "services/common/event_loop.h"

namespace groupcast::service::contract {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(30);

class NatsEngine final : public EngineUnderTest {
 public:
  std::unique_ptr<Channel> Open(ChannelListener* listener) override {
    NatsChannelOptions options;
    options.connection.servers = {{.host = "127.0.0.1", .port = relay_.port()}};
    options.connection.retry_after = absl::Milliseconds(20);
    options.client.stream.name = stream_;
    options.client.stream.messages_per_group_max = 240;
    options.client.window_bytes_max = 1 << 20;
    return std::make_unique<NatsChannel>(options, loop_.get(), listener);
  }

  bool RunUntil(const std::function<bool()>& done) override {
    const absl::Time give_up = absl::Now() + kPatience;
    while (!done()) {
      if (absl::Now() > give_up) return false;
      loop_->RunOnce(absl::Milliseconds(20));
    }
    return true;
  }

  void Disconnect() override {
    relay_.SetAccepting(false);
    relay_.Reset();
  }
  void Reconnect() override { relay_.SetAccepting(true); }
  // Somebody deletes the stream.
  void LoseEverything() override;

 private:
  const std::string stream_ = "contract";
  testing::RunningNats server_;
  testing::Relay relay_{server_.port()};
  std::unique_ptr<EventLoop> loop_ = *EventLoop::Create();
};

class Deletion final : public NatsConnectionHandler {
 public:
  Deletion(EventLoop* loop, uint16_t port, std::string stream)
      : stream_(std::move(stream)),
        connection_({.servers = {{.host = "127.0.0.1", .port = port}}}, loop, this) {}
  bool is_done() const { return is_done_; }

 private:
  void OnNatsConnected(const NatsServerInfo&) override {
    connection_.Subscribe("answer", 1);
    connection_.Publish(absl::StrCat("$JS.API.STREAM.DELETE.", stream_), "answer", {}, "");
  }
  void OnNatsLost(const absl::Status& why) override { ADD_FAILURE() << why; }
  void OnNatsMessage(const NatsMessage& message) override {
    EXPECT_NE(message.data.find("\"success\":true"), absl::string_view::npos) << message.data;
    is_done_ = true;
  }
  void OnNatsInputEnds() override {}

  const std::string stream_;
  bool is_done_ = false;
  NatsConnection connection_;
};

void NatsEngine::LoseEverything() {
  Deletion deletion(loop_.get(), server_.port(), stream_);
  EXPECT_TRUE(RunUntil([&] { return deletion.is_done(); }));
}

INSTANTIATE_TEST_SUITE_P(Nats, ChannelContractTest,
                         ::testing::Values(EngineFactory{
                             "Server", [] { return std::make_unique<NatsEngine>(); }}),
                         EngineName);

}  // namespace
}  // namespace groupcast::service::contract
