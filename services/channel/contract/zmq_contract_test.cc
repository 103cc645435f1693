// The ZeroMQ engine keeps the contract, with a channel server in a thread of its own. Relays stand
// between the two, so that connections can be broken while the server lives on.

#include <pthread.h>

#include <array>
#include <csignal>
#include <memory>
#include <thread>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "services/channel/contract/channel_contract.h"
#include "services/channel/testing/relay.h"
#include "services/channel/zmq/zmq_channel.h"
#include "services/channel_server/server.h"
#include "services/common/event_loop.h"
#include "services/common/posix.h"

namespace groupcast::service::contract {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(30);

sigset_t StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGUSR2);
  return signals;
}

class RunningServer {
 public:
  // Port 0 takes three free ports. There is no log: another server begins another epoch.
  explicit RunningServer(uint16_t port) {
    const sigset_t signals = StopSignals();
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // the threads inherit it
    ServerOptions options;
    options.address.publish_port = port;
    options.address.subscribe_port = static_cast<uint16_t>(port + 1);
    options.address.control_port = static_cast<uint16_t>(port + 2);
    options.broker.new_epoch = [] { return Epoch{RandomId()}; };
    options.broker.retention.bytes_max = 2 << 20;
    absl::StatusOr<std::unique_ptr<Server>> server = Server::Create(options);
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    thread_ = std::thread([this] { EXPECT_TRUE(server_->Run(StopSignals()).ok()); });
  }
  ~RunningServer() {
    pthread_kill(thread_.native_handle(), SIGUSR2);
    thread_.join();
  }
  ChannelAddress address() const { return server_->address(); }

 private:
  std::unique_ptr<Server> server_;
  std::thread thread_;
};

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
    server_ = std::make_unique<RunningServer>(port);
  }

 private:
  std::array<testing::Relay*, 3> relays() { return {&publish_, &subscribe_, &control_}; }

  std::unique_ptr<RunningServer> server_ = std::make_unique<RunningServer>(uint16_t{0});
  testing::Relay publish_{server_->address().publish_port};
  testing::Relay subscribe_{server_->address().subscribe_port};
  testing::Relay control_{server_->address().control_port};
  std::unique_ptr<EventLoop> loop_ = *EventLoop::Create();
};

INSTANTIATE_TEST_SUITE_P(Zmq, ChannelContractTest,
                         ::testing::Values(EngineFactory{
                             "Server", [] { return std::make_unique<ZmqEngine>(); }}),
                         EngineName);

}  // namespace
}  // namespace groupcast::service::contract
