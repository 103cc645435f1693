#include "tools/bench_load/nats_reader.h"

#include <charconv>
#include <system_error>

namespace groupcast::bench {

std::optional<uint64_t> NatsReader::BytesAfterLine(std::string_view line) {
  constexpr std::string_view kLineEnd = "\r\n";
  if (!line.starts_with("MSG ")) return 0;
  // A line that is longer than what was kept of it has no end here.
  if (!line.ends_with(kLineEnd)) return std::nullopt;
  line.remove_suffix(kLineEnd.size());
  const std::string_view digits = line.substr(line.rfind(' ') + 1);
  uint32_t bytes = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bytes);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return uint64_t{bytes} + kLineEnd.size();
}

}  // namespace groupcast::bench
