#ifndef GROUPCAST_SERVICES_CHANNEL_SERVER_TESTING_RUNNING_SERVER_H_
#define GROUPCAST_SERVICES_CHANNEL_SERVER_TESTING_RUNNING_SERVER_H_

#include <pthread.h>

#include <csignal>
#include <cstdint>
#include <memory>
#include <thread>
#include <utility>

#include "gtest/gtest.h"
#include "services/channel_server/published.h"
#include "services/channel_server/server.h"
#include "services/channel_server/server_metrics.h"
#include "services/common/posix.h"

namespace groupcast::service {

// The options of a server on `port` and the next two. Port 0 takes three free ports. There is no
// log: another server begins another epoch.
inline ServerOptions ServerOptionsOnPort(uint16_t port) {
  ServerOptions options;
  options.address.publish_port = port;
  options.address.subscribe_port = static_cast<uint16_t>(port + 1);
  options.address.control_port = static_cast<uint16_t>(port + 2);
  options.broker.new_epoch = [] { return Epoch{RandomId()}; };
  return options;
}

// A channel server in a thread of its own. Its end is the server's end.
class RunningServer {
 public:
  explicit RunningServer(const ServerOptions& options) {
    const sigset_t signals = StopSignals();
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // the threads inherit it
    absl::StatusOr<std::unique_ptr<Server>> server = Server::Create(options);
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    thread_ = std::thread([this] {
      const auto publish = [this](absl::Time) { numbers_.Publish(server_->numbers()); };
      EXPECT_TRUE(server_->Run(StopSignals(), publish).ok());
    });
  }
  ~RunningServer() {
    pthread_kill(thread_.native_handle(), SIGUSR2);
    thread_.join();
  }
  RunningServer(const RunningServer&) = delete;
  RunningServer& operator=(const RunningServer&) = delete;

  ChannelAddress address() const { return server_->address(); }
  // Of the last turn.
  ServerNumbers numbers() const { return numbers_.Read(); }

 private:
  static sigset_t StopSignals() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGUSR2);
    return signals;
  }

  std::unique_ptr<Server> server_;
  Published<ServerNumbers> numbers_;
  std::thread thread_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_SERVER_TESTING_RUNNING_SERVER_H_
