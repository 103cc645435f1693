// The ZeroMQ engine keeps the contract, with a channel server in a thread of its own. Relays stand
// between the two, so that connections can be broken while the server lives on.

#include <array>
#include <memory>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "services/channel/contract/channel_contract.h"
#include "services/channel/testing/relay.h"
#include "services/channel/zmq/zmq_channel.h"
#include "services/channel_server/testing/running_server.h"
#include "services/common/event_loop.h"

namespace groupcast::service::contract {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(30);

ServerOptions Options(uint16_t port) {
  ServerOptions options = ServerOptionsOnPort(port);
  options.broker.retention.bytes_max = 2 << 20;
  return options;
}

class ZmqEngine final : public EngineUnderTest {
 public:
  std::unique_ptr<Channel> Open(ChannelListener* listener) override {
    ZmqChannelOptions options;
    options.server.publish_port = publish_.port();
    options.server.subscribe_port = subscribe_.port();
    options.server.control_port = control_.port();
    options.client.window.bytes_max = 1 << 20;
    absl::StatusOr<std::unique_ptr<ZmqChannel>> channel =
        ZmqChannel::Create(options, loop_.get(), listener);
    EXPECT_TRUE(channel.ok()) << channel.status();
    return *std::move(channel);
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
    for (testing::Relay* relay : relays()) {
      relay->SetAccepting(false);
      relay->Reset();
    }
  }
  void Reconnect() override {
    for (testing::Relay* relay : relays()) relay->SetAccepting(true);
  }
  void LoseEverything() override {
    const uint16_t port = server_->address().publish_port;
    server_ = nullptr;
    server_ = std::make_unique<RunningServer>(Options(port));
  }

 private:
  std::array<testing::Relay*, 3> relays() { return {&publish_, &subscribe_, &control_}; }

  std::unique_ptr<RunningServer> server_ = std::make_unique<RunningServer>(Options(0));
  testing::Relay publish_{server_->address().publish_port};
  testing::Relay subscribe_{server_->address().subscribe_port};
  testing::Relay control_{server_->address().control_port};
  std::unique_ptr<EventLoop> loop_ = *EventLoop::Create();
};

INSTANTIATE_TEST_SUITE_P(Zmq, ChannelContractTest,
                         ::testing::Values(EngineFactory{
                             "Server", [] { return std::make_unique<ZmqEngine>(); }}),
                         EngineName);
INSTANTIATE_TEST_SUITE_P(Zmq, PresenceContractTest,
                         ::testing::Values(EngineFactory{
                             "Server", [] { return std::make_unique<ZmqEngine>(); }}),
                         EngineName);

}  // namespace
}  // namespace groupcast::service::contract
