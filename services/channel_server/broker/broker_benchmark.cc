// bazel run -c opt //services/channel_server/broker:broker_benchmark

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "benchmark/benchmark.h"
#include "services/channel_server/broker/broker.h"
#include "services/common/clock.h"

namespace groupcast::service {
namespace {

class NullSink final : public BrokerSink {
 public:
  absl::Status WriteLog(std::string* record) override {
    benchmark::DoNotOptimize(record->data());
    return absl::OkStatus();
  }
  bool HandOut(size_t) override { return true; }
  bool Announce(absl::string_view) override { return true; }
  Sent SendControl(PublisherId, absl::string_view) override { return Sent::kSent; }
};

constexpr PublisherId kPublisher{1};
constexpr uint64_t kPublicationsPerTurn = 1'000;

BrokerOptions Options(bool has_log) {
  return {.new_epoch = [] { return Epoch{1}; }, .has_log = has_log};
}

std::string Publication(const std::string& group_id) {
  return LiveFramePrefix(group_id, {.kind = LiveKind::kPublication, .publisher = kPublisher}) +
         std::string(200, 'x');
}

// Publications of 200 bytes over so many groups, with an acknowledgement for each thousand: all
// that the server does for a message between its sockets, and with a log what it does for its
// record.
void BM_Publish(benchmark::State& state) {
  MonotonicClock clock;
  NullSink sink;
  Broker broker(Options(state.range(1) != 0), &clock, &clock);
  broker.BeginTurn();
  if (!broker.OnControl(kPublisher, ControlFrame(ControlKind::kHello, channel::v1::Hello()), &sink)
           .ok()) {
    state.SkipWithError("hello refused");
    return;
  }
  std::vector<std::string> group_ids;
  for (int64_t i = 0; i < state.range(0); ++i) group_ids.push_back(absl::StrCat("group ", i));
  // The broker keeps to a turn's frames until its end.
  std::vector<std::string> frames(kPublicationsPerTurn, Publication(group_ids.back()));
  uint64_t number = 0;
  for (auto _ : state) {
    const std::string& group_id = group_ids[number % group_ids.size()];
    std::string& frame = frames[number % kPublicationsPerTurn];
    frame.resize(LiveFramePrefixBytes(group_id) + 200);
    ++number;
    WriteLiveFramePrefix(group_id,
                         {.kind = LiveKind::kPublication,
                          .publisher = kPublisher,
                          .number = number,
                          .offset = number - (number - 1) % kPublicationsPerTurn},
                         frame.data());
    if (!broker.OnPublication(absl::MakeSpan(frame)).ok()) state.SkipWithError("refused");
    if (number % kPublicationsPerTurn == 0) {
      if (!broker.EndTurn(&sink).ok()) state.SkipWithError("not written");
      broker.BeginTurn();
    }
  }
  if (!broker.EndTurn(&sink).ok()) state.SkipWithError("not written");
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_Publish)->ArgNames({"groups", "log"})->ArgsProduct({{1, 1'000, 100'000}, {0, 1}});

void BM_SubscribeAndAnnounce(benchmark::State& state) {
  MonotonicClock clock;
  NullSink sink;
  Broker broker(Options(false), &clock, &clock);
  broker.BeginTurn();
  int64_t group = 0;
  for (auto _ : state) {
    const std::string topic = TopicOf(absl::StrCat("group ", ++group % 100'000));
    if (!broker.OnSubscription(topic).ok()) state.SkipWithError("refused");
    if (group % 1'000 == 0) {
      if (!broker.EndTurn(&sink).ok()) state.SkipWithError("not written");
      broker.BeginTurn();
    }
  }
}
BENCHMARK(BM_SubscribeAndAnnounce);

}  // namespace
}  // namespace groupcast::service

BENCHMARK_MAIN();
