// bazel run -c opt //services/channel_server:broker_benchmark

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "benchmark/benchmark.h"
#include "services/channel_server/broker.h"

namespace groupcast::service {
namespace {

class NullSink final : public BrokerSink {
 public:
  void Announce(absl::string_view) override {}
  bool SendControl(PublisherId, absl::string_view) override { return true; }
};

constexpr PublisherId kPublisher{1};

// Publications of 200 bytes over so many groups, with an acknowledgement for each thousand: all
// that the server does for a message between its sockets.
void BM_Publish(benchmark::State& state) {
  MonotonicClock clock;
  NullSink sink;
  Broker broker({.epoch = Epoch{1}}, &clock);
  if (!broker.OnControl(kPublisher, ControlFrame(ControlKind::kHello, channel::v1::Hello()), &sink)
           .ok()) {
    state.SkipWithError("hello refused");
    return;
  }
  std::vector<std::string> frames;
  for (int64_t i = 0; i < state.range(0); ++i) {
    frames.push_back(LiveFramePrefix(absl::StrCat("group ", i),
                                     {.kind = LiveKind::kPublication, .publisher = kPublisher}) +
                     std::string(200, 'x'));
  }
  uint64_t number = 0;
  size_t at = 0;
  for (auto _ : state) {
    std::string& frame = frames[at];
    at = at + 1 == frames.size() ? 0 : at + 1;
    // The number as the next publication's; the kind back from what the last round made of the
    // frame.
    const size_t group_id_bytes = frame.find('\0');
    WriteLiveFramePrefix(
        absl::string_view(frame).substr(0, group_id_bytes),
        {.kind = LiveKind::kPublication, .publisher = kPublisher, .number = ++number},
        frame.data());
    if (!broker.OnPublication(absl::MakeSpan(frame)).ok()) state.SkipWithError("refused");
    if (number % 1'000 == 0) {
      broker.EndTurn(&sink);
      broker.BeginTurn();
    }
  }
}
BENCHMARK(BM_Publish)->Arg(1)->Arg(1'000)->Arg(100'000);

void BM_SubscribeAndAnnounce(benchmark::State& state) {
  MonotonicClock clock;
  NullSink sink;
  Broker broker({.epoch = Epoch{1}}, &clock);
  int64_t group = 0;
  for (auto _ : state) {
    const std::string topic = TopicOf(absl::StrCat("group ", ++group % 100'000));
    if (!broker.OnSubscription(topic).ok()) state.SkipWithError("refused");
    if (group % 1'000 == 0) {
      broker.EndTurn(&sink);
      broker.BeginTurn();
    }
  }
}
BENCHMARK(BM_SubscribeAndAnnounce);

}  // namespace
}  // namespace groupcast::service

BENCHMARK_MAIN();
