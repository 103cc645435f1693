#ifndef GROUPCAST_SERVICES_CHANNEL_FINGERPRINT_H_
#define GROUPCAST_SERVICES_CHANNEL_FINGERPRINT_H_

#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace groupcast::service {

// Stands for texts that clients choose, in 16 bytes. Without a text, nobody can build another text
// with the same fingerprint. Zero stands for no text.
struct Fingerprint {
  uint64_t high = 0;
  uint64_t low = 0;

  bool empty() const { return high == 0 && low == 0; }
  friend bool operator==(const Fingerprint&, const Fingerprint&) = default;

  template <typename H>
  friend H AbslHashValue(H state, const Fingerprint& fingerprint) {
    return H::combine(std::move(state), fingerprint.high, fingerprint.low);
  }
};

// The first half of SHA-256 (FIPS 180-4) over the texts. The length of each text precedes the text,
// so that ("ab", "c") and ("a", "bc") differ. The result is the same in every process and version:
// logs keep it.
Fingerprint FingerprintOf(std::initializer_list<absl::string_view> texts);

// The form on the wire: 16 bytes.
std::string FingerprintBytes(const Fingerprint& fingerprint);
// `bytes` must be 16.
Fingerprint FingerprintFromBytes(absl::string_view bytes);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_FINGERPRINT_H_
