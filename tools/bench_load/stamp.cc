#include "tools/bench_load/stamp.h"

#include <bit>
#include <cstring>

namespace groupcast::bench {
namespace {

static_assert(std::endian::native == std::endian::little, "digits are read eight at a time");

constexpr uint64_t kZeroDigits = 0x4141414141414141;  // eight times 'A'

void WriteDigits(uint32_t value, char* out) {
  for (int digit = 7; digit >= 0; --digit, value >>= 4) {
    out[digit] = static_cast<char>('A' + (value & 0xf));
  }
}

// Eight digits at once: each byte becomes its value, and neighbours are pushed together. False:
// one of them is no digit.
bool ReadDigits(const char* text, uint32_t* value) {
  uint64_t digits;
  std::memcpy(&digits, text, sizeof(digits));
  digits -= kZeroDigits;
  if ((digits & 0xf0f0f0f0f0f0f0f0) != 0) return false;
  digits = __builtin_bswap64(digits);
  digits = (digits | digits >> 4) & 0x00ff00ff00ff00ff;
  digits = (digits | digits >> 8) & 0x0000ffff0000ffff;
  *value = static_cast<uint32_t>(digits | digits >> 16);
  return true;
}

}  // namespace

void WriteStamp(const Stamp& stamp, char* out) {
  const auto sent = static_cast<uint64_t>(stamp.sent_ns);
  WriteDigits(stamp.stream, out);
  WriteDigits(stamp.sequence, out + 8);
  WriteDigits(static_cast<uint32_t>(sent >> 32), out + 16);
  WriteDigits(static_cast<uint32_t>(sent), out + 24);
}

std::optional<Stamp> ReadStamp(std::string_view text) {
  Stamp stamp;
  uint32_t high = 0;
  uint32_t low = 0;
  if (text.size() < kStampBytes || !ReadDigits(text.data(), &stamp.stream) ||
      !ReadDigits(text.data() + 8, &stamp.sequence) || !ReadDigits(text.data() + 16, &high) ||
      !ReadDigits(text.data() + 24, &low)) {
    return std::nullopt;
  }
  stamp.sent_ns = static_cast<int64_t>(static_cast<uint64_t>(high) << 32 | low);
  return stamp;
}

}  // namespace groupcast::bench
