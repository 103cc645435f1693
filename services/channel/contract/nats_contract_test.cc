// The engine for NATS JetStream keeps the contract, with a real server. A relay stands between the
// two, so that connections can be broken while the server lives on.

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "services/channel/contract/channel_contract.h"
#include "services/channel/nats/nats_channel.h"
#include "services/channel/testing/relay.h"
#include "services/common/event_loop.h"
#include "services/common/posix.h"

extern char** environ;

namespace groupcast::service::contract {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(30);

// A nats-server with JetStream in a folder of its own.
class RunningNats {
 public:
  RunningNats() {
    std::string pattern = absl::StrCat(std::getenv("TEST_TMPDIR"), "/nats.XXXXXX");
    folder_ = mkdtemp(pattern.data());
    const std::string ports = absl::StrCat("--ports_file_dir=", folder_);
    const std::string store = absl::StrCat("--store_dir=", folder_, "/store");
    const std::string log = absl::StrCat("--log=", folder_, "/log");
    std::array<const char*, 9> arguments = {
        "nats-server", "--addr=127.0.0.1", "--port=-1", "--jetstream",
        store.c_str(), ports.c_str(),      log.c_str(), nullptr};
    EXPECT_EQ(posix_spawnp(&pid_, "nats-server", nullptr, nullptr,
                           const_cast<char**>(arguments.data()), environ),
              0)
        << "Debian's package nats-server";
    const absl::Time give_up = absl::Now() + kPatience;
    while (!ReadPort() && absl::Now() < give_up) absl::SleepFor(absl::Milliseconds(5));
    EXPECT_NE(port_, 0);
  }
  ~RunningNats() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  uint16_t port() const { return port_; }

 private:
  // The server writes the file when it listens: {"nats": ["nats://127.0.0.1:43211"]}.
  bool ReadPort() {
    std::ifstream file(absl::StrCat(folder_, "/nats-server_", pid_, ".ports"));
    const std::string text((std::istreambuf_iterator<char>(file)), {});
    const size_t at = text.rfind("127.0.0.1:");
    uint32_t port = 0;
    if (at == std::string::npos || text.find('}') == std::string::npos) return false;
    const absl::string_view rest = absl::string_view(text).substr(at + 10);
    if (!absl::SimpleAtoi(rest.substr(0, rest.find('"')), &port)) return false;
    port_ = static_cast<uint16_t>(port);
    return true;
  }

  std::string folder_;
  pid_t pid_ = -1;
  uint16_t port_ = 0;
};

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
  RunningNats server_;
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
