// bazel run -c opt //services/channel/zmq:channel_client_benchmark

#include <cstddef>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "benchmark/benchmark.h"
#include "services/channel/wire_content.h"
#include "services/channel/zmq/channel_client.h"

namespace groupcast::service {
namespace {

constexpr Epoch kEpoch{7};
constexpr PublisherId kServer{1};

class Links final : public ChannelLinks {
 public:
  void SendPublication(absl::string_view) override {}
  bool SendControl(absl::string_view) override { return true; }
  void Subscribe(const std::string& topic) override { last_topic = topic; }
  void Unsubscribe(const std::string&) override {}

  std::string last_topic;
};

class Listener final : public ChannelListener {
 public:
  void OnSubscribed(absl::string_view, const Position&) override {}
  void OnMessage(const Message& message) override { bytes += message.content.data.size(); }
  void OnGap(absl::string_view, const Gap&) override {}
  void OnConnectionState(bool) override {}
  void OnRoom() override {}
  void OnMisconfigured(const absl::Status&) override {}

  size_t bytes = 0;
};

// A message for a group in step: from the frame of the subscribe link to the listener.
void BM_LiveMessage(benchmark::State& state) {
  FakeClock clock;
  Links links;
  Listener listener;
  ChannelClient client({}, &clock, &links, &listener);
  const std::string group = "a group";
  client.Subscribe(group);
  const PublisherId nonce = ParseTopic(links.last_topic)->nonce;
  client
      .OnLiveFrame(LiveFramePrefix(
          group, {.kind = LiveKind::kAnnouncement, .publisher = nonce, .epoch = kEpoch}))
      .IgnoreError();
  channel::v1::Content content;
  const std::string data(static_cast<size_t>(state.range(0)), 'x');
  ContentToWire({.data = data, .sent_at_ms = 1'700'000'000'000}, &content);
  std::string frame =
      LiveFramePrefix(group, {.kind = LiveKind::kMessage, .publisher = kServer, .epoch = kEpoch}) +
      content.SerializeAsString();
  uint64_t offset = 0;
  for (auto _ : state) {
    PatchIntoMessage(absl::MakeSpan(frame), group.size(), {kEpoch, offset + 1}, offset);
    ++offset;
    client.OnLiveFrame(frame).IgnoreError();
  }
  if (listener.bytes != offset * data.size()) state.SkipWithError("not delivered");
}
BENCHMARK(BM_LiveMessage)->Arg(16)->Arg(200)->Arg(4'000);

}  // namespace
}  // namespace groupcast::service

BENCHMARK_MAIN();
