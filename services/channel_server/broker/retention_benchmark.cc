// bazel run -c opt //services/channel_server/broker:retention_benchmark
//
// What a read costs beside the number of messages that its group has, and what a message costs
// beside the number of groups when the store is full.

#include <cstdint>
#include <string>
#include <vector>

#include "benchmark/benchmark.h"
#include "services/channel_server/broker/retention.h"

namespace groupcast::service {
namespace {

class Deep final : private Retention::Listener {
 public:
  explicit Deep(int64_t depth)
      : retention_({.bytes_max = size_t{16} << 30}, this), frame_(200, 'x') {
    for (int64_t i = 1; i <= depth; ++i) Add();
  }
  ~Deep() { retention_.ClearAll(); }

  void Add() {
    retention_.Add(&chain_, retention_.Copy({frame_.data(), frame_.size()}, frame_.size() - 60),
                   ++offset_, since_);
  }
  const Retention& retention() const { return retention_; }
  const Retention::Chain& chain() const { return chain_; }
  uint64_t offset() const { return offset_; }
  absl::Time since() const { return since_; }

 private:
  void OnEmptied(Retention::Chain*) override {}

  Retention retention_;
  Retention::Chain chain_;
  const std::string frame_;
  const absl::Time since_ = absl::UnixEpoch();
  uint64_t offset_ = 0;
};

void Depths(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgName("depth")->RangeMultiplier(10)->Range(100, 1'000'000);
}

// A repair: the first page after an offset in the middle.
void BM_PageAfter(benchmark::State& state) {
  const Deep deep(state.range(0));
  uint64_t after = deep.offset() / 2;
  for (auto _ : state) {
    benchmark::DoNotOptimize(deep.retention().PageAfter(deep.chain(), after));
  }
}
BENCHMARK(BM_PageAfter)->Apply(Depths);

// A member that was away for a moment: the last ten messages.
void BM_PageAtTheEnd(benchmark::State& state) {
  const Deep deep(state.range(0));
  for (auto _ : state) {
    benchmark::DoNotOptimize(deep.retention().PageAfter(deep.chain(), deep.offset() - 10));
  }
}
BENCHMARK(BM_PageAtTheEnd)->Apply(Depths);

// A join with `history: 10`.
void BM_NewestTen(benchmark::State& state) {
  const Deep deep(state.range(0));
  for (auto _ : state) {
    benchmark::DoNotOptimize(deep.retention().NewestPage(deep.chain(), 0, 10, deep.since()));
  }
}
BENCHMARK(BM_NewestTen)->Apply(Depths);

void BM_Add(benchmark::State& state) {
  Deep deep(state.range(0));
  for (auto _ : state) deep.Add();
}
BENCHMARK(BM_Add)->ArgName("depth")->Arg(100);

// Each message pushes another one out.
void BM_AddToAFullStore(benchmark::State& state) {
  class Listener final : public Retention::Listener {
    void OnEmptied(Retention::Chain*) override {}
  };
  const auto groups = static_cast<size_t>(state.range(0));
  Listener listener;
  std::vector<Retention::Chain> chains(groups);
  Retention retention({.bytes_max = groups * 4 * 456}, &listener);
  const std::string frame(200, 'x');
  uint64_t offset = 0;
  const auto add = [&](size_t group) {
    retention.Add(&chains[group], retention.Copy({frame.data(), frame.size()}, frame.size()),
                  ++offset, absl::UnixEpoch());
  };
  for (size_t i = 0; i < 8 * groups; ++i) add(i % groups);
  for (auto _ : state) add(offset * 7919 % groups);
}
BENCHMARK(BM_AddToAFullStore)->ArgName("groups")->RangeMultiplier(10)->Range(10, 100'000);

}  // namespace
}  // namespace groupcast::service

BENCHMARK_MAIN();
