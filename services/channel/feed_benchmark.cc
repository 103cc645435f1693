// bazel run -c opt //services/channel:feed_benchmark

#include "benchmark/benchmark.h"
#include "services/channel/feed.h"

namespace groupcast::service {
namespace {

void BM_DeliverInOrder(benchmark::State& state) {
  Feed feed;
  feed.OnHead({Epoch{1}, 0});
  uint64_t offset = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(feed.OnMessage({Epoch{1}, offset + 1}, offset));
    ++offset;
  }
}
BENCHMARK(BM_DeliverInOrder);

}  // namespace
}  // namespace groupcast::service

BENCHMARK_MAIN();
