#ifndef GROUPCAST_SERVICES_COMMON_UTF8_H_
#define GROUPCAST_SERVICES_COMMON_UTF8_H_

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace groupcast::service {

// Checks UTF-8 (RFC 3629 section 4) piece by piece. It refuses a text at the first byte that cannot
// be part of any valid text. It refuses overlong forms, surrogates and code points above U+10FFFF
// at their second byte.
class Utf8Checker {
 public:
  // Reads the next piece of the text. False: no valid text begins with the pieces so far. Then the
  // caller must call Reset before the next call.
  bool Check(absl::string_view piece);

  // Whether the text may end here: it does not end inside a character.
  bool complete() const { return missing_ == 0; }

  void Reset() { *this = Utf8Checker(); }

 private:
  uint8_t missing_ = 0;  // continuation bytes that the present character still needs
  uint8_t low_ = 0x80;   // the range of the next one
  uint8_t high_ = 0xbf;
};

// The bytes of the character at the beginning of `text`, from 1 to 4. 0: no character begins there,
// or not all of it is there.
size_t Utf8CharacterBytes(absl::string_view text);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_COMMON_UTF8_H_
