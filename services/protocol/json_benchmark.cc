// bazel run -c opt //services/protocol:json_benchmark

#include <string>

#include "benchmark/benchmark.h"
#include "services/protocol/json.h"

namespace groupcast::service {
namespace {

void Quote(benchmark::State& state, const std::string& text) {
  for (auto _ : state) {
    std::string json;
    AppendJsonString(text, &json);
    benchmark::DoNotOptimize(json);
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * text.size()));
}

void BM_QuoteLetters(benchmark::State& state) {
  Quote(state, std::string(static_cast<size_t>(state.range(0)), 'x'));
}
BENCHMARK(BM_QuoteLetters)->Arg(16)->Arg(128)->Arg(65'000);

// Each byte grows to six.
void BM_QuoteControlCharacters(benchmark::State& state) {
  Quote(state, std::string(static_cast<size_t>(state.range(0)), '\x01'));
}
BENCHMARK(BM_QuoteControlCharacters)->Arg(16)->Arg(65'000);

// JSON in a string: many short runs.
void BM_QuoteQuotes(benchmark::State& state) {
  std::string text;
  while (text.size() < 65'000) text += R"("name":"value",)";
  Quote(state, text);
}
BENCHMARK(BM_QuoteQuotes);

}  // namespace
}  // namespace groupcast::service

BENCHMARK_MAIN();
