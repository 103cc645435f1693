// bazel run -c opt //services/channel:feed_benchmark

#include <string>

#include "benchmark/benchmark.h"
#include "services/channel/feed.h"

namespace groupcast::service {
namespace {

class NullSink final : public FeedSink {
 public:
  void Deliver(const Position&, uint64_t, absl::string_view) override {}
  void Tell(const Gap&) override {}
};

constexpr Epoch kEpoch{1};
constexpr size_t kHeldBytesMax = 1u << 20;

void BM_DeliverInOrder(benchmark::State& state) {
  const std::string frame(200, 'x');
  NullSink sink;
  Feed feed;
  feed.OnHead({kEpoch, 0}, kEpoch);
  uint64_t offset = 0;
  for (auto _ : state) {
    feed.OnMessage({kEpoch, offset + 1}, offset, frame, kEpoch, kHeldBytesMax, &sink);
    ++offset;
  }
  benchmark::DoNotOptimize(feed.position());
}
BENCHMARK(BM_DeliverInOrder);

// A hole, so many messages after it that are held, and its repair.
void BM_HoldAndRepair(benchmark::State& state) {
  const std::string frame(200, 'x');
  NullSink sink;
  Feed feed;
  feed.OnHead({kEpoch, 0}, kEpoch);
  uint64_t offset = 0;
  for (auto _ : state) {
    const uint64_t lost = offset + 1;
    for (int64_t i = 0; i < state.range(0); ++i) {
      const uint64_t next = lost + 1 + static_cast<uint64_t>(i);
      feed.OnMessage({kEpoch, next}, next - 1, frame, kEpoch, kHeldBytesMax, &sink);
    }
    const Position head{kEpoch, lost + static_cast<uint64_t>(state.range(0))};
    feed.OnHistoryBegin(head, 0, &sink);
    feed.OnHistoryMessage({kEpoch, lost}, offset, frame, &sink);
    feed.OnHistoryEnd(head, &sink);
    if (feed.behind()) state.SkipWithError("not repaired");
    offset = head.offset;
  }
  state.SetItemsProcessed(state.iterations() * (state.range(0) + 1));
}
BENCHMARK(BM_HoldAndRepair)->Arg(1)->Arg(1'000);

}  // namespace
}  // namespace groupcast::service

BENCHMARK_MAIN();
