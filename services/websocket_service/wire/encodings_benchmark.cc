// bazel run -c opt //services/websocket_service/wire:encodings_benchmark

#include <cstddef>
#include <string>

#include "benchmark/benchmark.h"
#include "services/websocket_service/wire/encodings.h"

namespace groupcast::service {
namespace {

// A message's frame is made once in each worker for each encoding.
void Encode(benchmark::State& state, const Encoding& encoding) {
  const std::string data(static_cast<size_t>(state.range(0)), 'x');
  const Message message{.group_id = "a group",
                        .epoch = Epoch{7},
                        .offset = 123'456,
                        .previous = 123'455,
                        .content = {.data = data, .sent_at_ms = 1'700'000'000'000}};
  for (auto _ : state) benchmark::DoNotOptimize(encoding.EncodeMessage(message));
}

void BM_Bare(benchmark::State& state) { Encode(state, kBareEncoding); }
BENCHMARK(BM_Bare)->Arg(16)->Arg(200)->Arg(4'000)->Arg(65'000);

void BM_V1(benchmark::State& state) { Encode(state, kV1Encoding); }
BENCHMARK(BM_V1)->Arg(16)->Arg(200)->Arg(4'000)->Arg(65'000);

}  // namespace
}  // namespace groupcast::service

BENCHMARK_MAIN();
