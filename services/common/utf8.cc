#include "services/common/utf8.h"

#include <cstddef>
#include <cstring>

namespace groupcast::service {
namespace {

// How many bytes at the beginning of `text` are ASCII, in steps of eight.
size_t AsciiPrefix(absl::string_view text) {
  size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    uint64_t word;
    std::memcpy(&word, text.data() + i, sizeof(word));
    if ((word & 0x8080808080808080u) != 0) break;
  }
  return i;
}

}  // namespace

bool Utf8Checker::Check(absl::string_view piece) {
  size_t i = 0;
  while (i < piece.size()) {
    if (missing_ == 0) {
      i += AsciiPrefix(piece.substr(i));
      if (i == piece.size()) break;
    }
    const uint8_t byte = piece[i++];
    if (missing_ > 0) {
      if (byte < low_ || byte > high_) return false;
      --missing_;
      low_ = 0x80;
      high_ = 0xbf;
    } else if (byte >= 0x80) {
      if (byte < 0xc2 || byte > 0xf4) return false;
      missing_ = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
      if (byte == 0xe0) low_ = 0xa0;   // shorter forms exist below
      if (byte == 0xed) high_ = 0x9f;  // surrogates above
      if (byte == 0xf0) low_ = 0x90;   // shorter forms exist below
      if (byte == 0xf4) high_ = 0x8f;  // the end of Unicode
    }
  }
  return true;
}

size_t Utf8CharacterBytes(absl::string_view text) {
  Utf8Checker checker;
  for (size_t i = 0; i < text.size(); ++i) {
    if (!checker.Check(text.substr(i, 1))) return 0;
    if (checker.complete()) return i + 1;
  }
  return 0;
}

}  // namespace groupcast::service
