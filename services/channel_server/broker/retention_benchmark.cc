// bazel run -c opt //services/channel_server/broker:retention_benchmark
//
// What a read costs beside the number of messages that its group has, and what a message costs
// beside the number of groups when the store is full.

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
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
    retention_.Add(
        &chain_,
        retention_.Copy(PublisherId{1}, {frame_.data(), frame_.size()}, frame_.size() - 60),
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
    retention.Add(&chains[group],
                  retention.Copy(PublisherId{1}, {frame.data(), frame.size()}, frame.size()),
                  ++offset, absl::UnixEpoch());
  };
  for (size_t i = 0; i < 8 * groups; ++i) add(i % groups);
  for (auto _ : state) add(offset * 7919 % groups);
}
BENCHMARK(BM_AddToAFullStore)->ArgName("groups")->RangeMultiplier(10)->Range(10, 100'000);

// Messages of publishers that take turns. Each publisher sends its message to 128 groups.
// `bytes_per_message`: what the store counts for one.
void BM_AddToManyGroups(benchmark::State& state) {
  class Listener final : public Retention::Listener {
    void OnEmptied(Retention::Chain*) override {}
  };
  constexpr size_t kGroups = 128;
  const auto publishers = static_cast<uint64_t>(state.range(0));
  Listener listener;
  std::vector<Retention::Chain> chains(kGroups);
  Retention retention({.bytes_max = 64 << 20}, &listener);
  std::vector<std::string> frames(publishers,
                                  std::string(static_cast<size_t>(state.range(1)), 'x'));
  uint64_t offset = 0;
  size_t bytes_max = 0;
  for (auto _ : state) {
    const uint64_t publisher = offset % publishers;
    const uint64_t round = offset / publishers;
    std::string& frame = frames[publisher];
    if (round % kGroups == 0) {
      frame.replace(100, 16, absl::StrCat(absl::Hex(offset + publisher, absl::kZeroPad16)));
    }
    retention.Add(
        &chains[round % kGroups],
        retention.Copy(PublisherId{publisher}, {frame.data(), frame.size()}, frame.size() - 60),
        ++offset, absl::UnixEpoch());
    if (offset == 4 * kGroups) bytes_max = retention.bytes();
  }
  if (bytes_max > 0) {
    state.counters["bytes_per_message"] = static_cast<double>(bytes_max) / (4 * kGroups);
  }
  retention.ClearAll();
}
BENCHMARK(BM_AddToManyGroups)
    ->ArgNames({"publishers", "bytes"})
    ->ArgsProduct({{1, 2}, {1'000, 60'000}});

// Each message has a new body.
void BM_AddNewBodies(benchmark::State& state) {
  class Listener final : public Retention::Listener {
    void OnEmptied(Retention::Chain*) override {}
  };
  Listener listener;
  Retention::Chain chain;
  Retention retention({.bytes_max = 16 << 20}, &listener);
  std::string frame(static_cast<size_t>(state.range(0)), 'x');
  uint64_t offset = 0;
  for (auto _ : state) {
    std::memcpy(&frame[100], &offset, sizeof(offset));
    retention.Add(&chain,
                  retention.Copy(PublisherId{1}, {frame.data(), frame.size()}, frame.size() - 60),
                  ++offset, absl::UnixEpoch());
  }
  retention.ClearAll();
}
BENCHMARK(BM_AddNewBodies)->ArgName("bytes")->Arg(200)->Arg(400)->Arg(1'000)->Arg(60'000);

}  // namespace
}  // namespace groupcast::service

BENCHMARK_MAIN();
