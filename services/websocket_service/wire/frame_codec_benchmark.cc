// bazel run -c opt //services/websocket_service/wire:frame_codec_benchmark

#include <string>

#include "benchmark/benchmark.h"
#include "services/websocket_service/wire/frame_codec.h"

namespace groupcast::service {
namespace {

std::string ClientFrame(size_t payload_bytes) {
  const uint8_t mask[4] = {0x11, 0x22, 0x33, 0x44};
  const SharedBytes unmasked = MakeFrame(Opcode::kText, std::string(payload_bytes, 'x'));
  std::string frame(unmasked.bytes());
  frame[1] = static_cast<char>(frame[1] | 0x80);
  frame.insert(frame.size() - payload_bytes, reinterpret_cast<const char*>(mask), 4);
  Unmask(absl::MakeSpan(&frame[frame.size() - payload_bytes], payload_bytes), mask, 0);
  return frame;
}

// One whole frame per read, as under light load. The copy stands for the read: decoding unmasks in
// place.
void BM_DecodeText(benchmark::State& state) {
  const std::string frame = ClientFrame(static_cast<size_t>(state.range(0)));
  std::string bytes;
  FrameDecoder decoder;
  for (auto _ : state) {
    bytes = frame;
    absl::Span<char> input = absl::MakeSpan(bytes);
    if (decoder.Next(&input, 1 << 20) != FrameDecoder::Event::kText)
      state.SkipWithError("not a text");
    benchmark::DoNotOptimize(decoder.payload().data());
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) * state.range(0));
}
BENCHMARK(BM_DecodeText)->Arg(16)->Arg(128)->Arg(4096)->Arg(65536);

void BM_EncodeText(benchmark::State& state) {
  const std::string payload(static_cast<size_t>(state.range(0)), 'x');
  for (auto _ : state) benchmark::DoNotOptimize(MakeFrame(Opcode::kText, payload));
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) * state.range(0));
}
BENCHMARK(BM_EncodeText)->Arg(128)->Arg(65536);

}  // namespace
}  // namespace groupcast::service

BENCHMARK_MAIN();
