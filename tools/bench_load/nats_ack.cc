#include "tools/bench_load/nats_ack.h"

#include <charconv>
#include <system_error>

namespace groupcast::bench {

std::optional<uint64_t> ReadNatsAck(std::string_view operation) {
  constexpr std::string_view kSequence = "\"seq\":";
  if (operation.substr(0, 4) != "MSG ") return std::nullopt;
  const size_t line = operation.find('\n');
  if (line == std::string_view::npos || operation.find("\"error\"", line) < operation.size()) {
    return std::nullopt;
  }
  const size_t at = operation.find(kSequence, line);
  if (at == std::string_view::npos) return std::nullopt;
  uint64_t sequence = 0;
  const char* const begin = operation.data() + at + kSequence.size();
  const auto [end, error] = std::from_chars(begin, operation.data() + operation.size(), sequence);
  if (error != std::errc() || sequence == 0) return std::nullopt;
  return sequence;
}

}  // namespace groupcast::bench
