#include "services/channel/open_channel.h"

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

// "HOST PUBLISH SUBSCRIBE CONTROL", "unix DIR", "memory NAME", or the error's code.
std::string Read(absl::string_view text) {
  const absl::StatusOr<ChannelUrl> url = ParseChannelUrl(text);
  if (!url.ok()) return absl::StatusCodeToString(url.status().code());
  if (url->engine == ChannelUrl::Engine::kMemory) return absl::StrCat("memory ", url->memory_name);
  const ChannelAddress& server = url->server;
  if (!server.socket_dir.empty()) return absl::StrCat("unix ", server.socket_dir);
  return absl::StrCat(server.host, " ", server.publish_port, " ", server.subscribe_port, " ",
                      server.control_port);
}

std::string ErrorOf(absl::string_view text) {
  return std::string(ParseChannelUrl(text).status().message());
}

TEST(ChannelUrlTest, HostAndPortNameAChannelServer) {
  EXPECT_EQ(Read("127.0.0.1:2206"), "127.0.0.1 2206 2207 2208");
  EXPECT_EQ(Read("channel.example:65533"), "channel.example 65533 65534 65535");
  EXPECT_EQ(Read("[::1]:2206"), "::1 2206 2207 2208");
  EXPECT_EQ(Read("::1:2206"), "::1 2206 2207 2208");
  EXPECT_EQ(Read("nats:4222"), "nats 4222 4223 4224");  // a host
}

TEST(ChannelUrlTest, TcpMayNameEachPort) {
  EXPECT_EQ(Read("tcp://host:2206"), "host 2206 2207 2208");
  EXPECT_EQ(Read("tcp://host:2206?subscribe_port=9"), "host 2206 9 2208");
  EXPECT_EQ(Read("tcp://host:2206?control_port=8&subscribe_port=9"), "host 2206 9 8");
  EXPECT_EQ(Read("tcp://host:65535?subscribe_port=1&control_port=2"), "host 65535 1 2");
  EXPECT_EQ(Read("tcp://[fe80::1]:2206"), "fe80::1 2206 2207 2208");
  EXPECT_EQ(Read("tcp://memory:2206"), "memory 2206 2207 2208");
}

TEST(ChannelUrlTest, UnixNamesADirectory) {
  EXPECT_EQ(Read("unix:/run/groupcast"), "unix /run/groupcast");
  EXPECT_EQ(Read("unix:relative"), "unix relative");
  EXPECT_EQ(Read("unix:" + std::string(97, 'd')), "unix " + std::string(97, 'd'));
}

TEST(ChannelUrlTest, MemoryHasANameOrNone) {
  EXPECT_EQ(Read("memory:"), "memory ");
  EXPECT_EQ(Read("memory:tests"), "memory tests");
}

TEST(ChannelUrlTest, WhatIsWrongIsNamed) {
  const std::vector<std::pair<std::string, std::string>> errors = {
      {"", "HOST:PORT, tcp://HOST:PORT, unix:DIR or memory:NAME"},
      {"host", "HOST:PORT, tcp://HOST:PORT, unix:DIR or memory:NAME"},
      {"http://host:2206", "no scheme \"http\""},
      {"http://host:2206", "HOST:PORT, tcp://HOST:PORT, unix:DIR or memory:NAME"},
      {":2206", "the host is missing"},
      {"[]:2206", "the host is missing"},
      {"tcp://host", "the port is missing"},
      {"tcp://:2206", "the host is missing"},
      {"host:", "\"\" is not a port"},
      {"host:0", "\"0\" is not a port"},
      {"host:x", "\"x\" is not a port"},
      {"host:65536", "\"65536\" is not a port"},
      {"host:65534", "no ports for the other two"},
      {"tcp://host:65535?subscribe_port=1", "no ports for the other two"},
      {"tcp://host:2206/", "\"2206/\" is not a port"},
      {"tcp://host:2206?", "\"\" is neither subscribe_port nor control_port"},
      {"tcp://host:2206?port=1", "\"port\" is neither subscribe_port nor control_port"},
      {"tcp://host:2206?subscribe_port=", "\"\" is not a port"},
      {"host:2206?subscribe_port=1", "only tcp://"},
      {"unix:", "the directory is missing"},
      {"unix:" + std::string(98, 'd'), "too long"}};
  for (const auto& [text, why] : errors) {
    EXPECT_EQ(Read(text), "INVALID_ARGUMENT") << text;
    EXPECT_TRUE(absl::StrContains(ErrorOf(text), why)) << ErrorOf(text);
    EXPECT_TRUE(absl::StrContains(ErrorOf(text), absl::StrCat("\"", text, "\""))) << ErrorOf(text);
  }
}

TEST(ChannelUrlTest, NatsIsNotBuiltIn) {
  EXPECT_EQ(Read("nats://host:4222"), "UNIMPLEMENTED");
  EXPECT_TRUE(absl::StrContains(ErrorOf("nats://host:4222"), "NATS"));
}

class Recorder final : public ChannelListener {
 public:
  void OnSubscribed(absl::string_view group_id, const Position&) override {
    joined = std::string(group_id);
  }
  void OnMessage(const Message& message) override { text = std::string(message.content.data); }
  void OnGap(absl::string_view, const Gap&) override {}
  void OnConnectionState(bool is) override { connected = is; }
  void OnRoom() override {}
  void OnMisconfigured(const absl::Status&) override {}
  bool connected = false;
  std::string joined;
  std::string text;
};

TEST(ChannelUrlTest, AFormattedUrlIsReadAgain) {
  for (const auto& [text, formatted] : {
           std::pair{"127.0.0.1:2206", "127.0.0.1:2206"},
           {"tcp://localhost:2206", "localhost:2206"},
           {"::1:2206", "[::1]:2206"},
           {"tcp://[fd00::2]:2206?subscribe_port=2207", "[fd00::2]:2206"},
           {"tcp://[::1]:2206?control_port=9",
            "tcp://[::1]:2206?subscribe_port=2207&control_port=9"},
           {"unix:/run/groupcast", "unix:/run/groupcast"},
           {"memory:", "memory:"},
           {"memory:name", "memory:name"},
       }) {
    const absl::StatusOr<ChannelUrl> url = ParseChannelUrl(text);
    ASSERT_TRUE(url.ok()) << url.status();
    EXPECT_EQ(FormatChannelUrl(*url), formatted);
    const absl::StatusOr<ChannelUrl> again = ParseChannelUrl(FormatChannelUrl(*url));
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(again->server.host, url->server.host);
    EXPECT_EQ(again->server.subscribe_port, url->server.subscribe_port);
    EXPECT_EQ(again->server.control_port, url->server.control_port);
  }
}

class OpenChannelTest : public testing::Test {
 protected:
  std::unique_ptr<Channel> Open(absl::string_view url, Recorder* recorder) {
    absl::StatusOr<std::unique_ptr<Channel>> channel =
        OpenChannel(url, loop_.get(), recorder, {.message_bytes_max = 10});
    EXPECT_TRUE(channel.ok()) << channel.status();
    return *std::move(channel);
  }
  std::unique_ptr<EventLoop> loop_ = *EventLoop::Create();
};

TEST_F(OpenChannelTest, MemoryChannelsOfOneNameMeet) {
  Recorder first_log;
  Recorder second_log;
  Recorder other_log;
  const auto first = Open("memory:meet", &first_log);
  const auto second = Open("memory:meet", &second_log);
  const auto other = Open("memory:other", &other_log);
  EXPECT_FALSE(first->connected());
  first->Subscribe("g");
  other->Subscribe("g");
  while (first_log.joined.empty() || other_log.joined.empty()) {
    loop_->RunOnce(absl::InfiniteDuration());
  }
  EXPECT_TRUE(first_log.connected);
  int answered = 0;
  second->Publish({.group_id = "g", .content = {.data = "hello"}, .key = {}},
                  [&](const absl::StatusOr<Position>& position) { answered += position.ok(); });
  while (answered == 0 || first_log.text.empty()) loop_->RunOnce(absl::InfiniteDuration());
  EXPECT_EQ(first_log.text, "hello");
  EXPECT_EQ(other_log.text, "");
}

TEST_F(OpenChannelTest, MemoryTakesTheSizesOfTheOptions) {
  Recorder log;
  const auto channel = Open("memory:", &log);
  absl::Status status;
  channel->Publish({.group_id = "g", .content = {.data = "eleven byte"}, .key = {}},
                   [&](const absl::StatusOr<Position>& result) { status = result.status(); });
  while (status.ok()) loop_->RunOnce(absl::InfiniteDuration());
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(OpenChannelTest, AMemoryHubIsOnOneLoop) {
  Recorder log;
  const auto second_loop = *EventLoop::Create();
  auto channel = Open("memory:loops", &log);
  EXPECT_EQ(OpenChannel("memory:loops", second_loop.get(), &log, {}).status().code(),
            absl::StatusCode::kFailedPrecondition);
  channel = nullptr;
  EXPECT_TRUE(OpenChannel("memory:loops", second_loop.get(), &log, {}).ok());
}

TEST_F(OpenChannelTest, AChannelServerNeedNotBeThere) {
  Recorder log;
  const auto channel = Open("tcp://127.0.0.1:1", &log);
  EXPECT_FALSE(channel->connected());
  const auto local = Open("unix:/nowhere", &log);
  EXPECT_FALSE(local->connected());
}

TEST_F(OpenChannelTest, RefusesWhatIsNoUrl) {
  Recorder log;
  EXPECT_EQ(OpenChannel("nonsense", loop_.get(), &log, {}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace groupcast::service
