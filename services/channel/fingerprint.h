#ifndef GROUPCAST_SERVICES_CHANNEL_FINGERPRINT_H_
#define GROUPCAST_SERVICES_CHANNEL_FINGERPRINT_H_

#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace groupcast::service {

// Stands for texts that clients choose, in 16 bytes: who does not know a text cannot make another
// one with its fingerprint. Zero stands for none.
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

// The first half of SHA-256 (FIPS 180-4) over the texts, each preceded by its length, so that
// ("ab", "c") and ("a", "bc") differ. The same in every process and version: logs keep them.
Fingerprint FingerprintOf(std::initializer_list<absl::string_view> texts);

// As it travels: 16 bytes.
std::string FingerprintBytes(const Fingerprint& fingerprint);
// `bytes` must be 16.
Fingerprint FingerprintFromBytes(absl::string_view bytes);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_FINGERPRINT_H_
