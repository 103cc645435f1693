// bazel run -c opt //services/protocol:command_benchmark

#include <string>

#include "benchmark/benchmark.h"
#include "services/protocol/command.h"

namespace groupcast::service {
namespace {

void BM_ParseJoin(benchmark::State& state) {
  const CommandLimits limits;
  for (auto _ : state)
    benchmark::DoNotOptimize(ParseCommand(R"({"cmd":"add_group","group_id":"123"})", limits));
}
BENCHMARK(BM_ParseJoin);

void BM_ParseSend(benchmark::State& state) {
  const CommandLimits limits;
  const std::string text = R"({"cmd":"send_to_group","group_id":"123","message":")" +
                           std::string(static_cast<size_t>(state.range(0)), 'x') + "\"}";
  for (auto _ : state) benchmark::DoNotOptimize(ParseCommand(text, limits));
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * text.size()));
}
BENCHMARK(BM_ParseSend)->Arg(16)->Arg(128)->Arg(4096);

}  // namespace
}  // namespace groupcast::service

BENCHMARK_MAIN();
