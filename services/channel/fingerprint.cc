#include "services/channel/fingerprint.h"

#include <openssl/sha.h>

#include <cstring>
#include <string>

namespace groupcast::service {

Fingerprint FingerprintOf(std::initializer_list<absl::string_view> texts) {
  std::string all;
  for (const absl::string_view text : texts) {
    const uint64_t size = text.size();
    all.append(reinterpret_cast<const char*>(&size), sizeof(size));
    all.append(text.data(), text.size());
  }
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(all.data()), all.size(), digest);
  return FingerprintFromBytes({reinterpret_cast<const char*>(digest), sizeof(Fingerprint)});
}

std::string FingerprintBytes(const Fingerprint& fingerprint) {
  return std::string(reinterpret_cast<const char*>(&fingerprint), sizeof(fingerprint));
}

Fingerprint FingerprintFromBytes(absl::string_view bytes) {
  Fingerprint fingerprint;
  std::memcpy(&fingerprint, bytes.data(), sizeof(fingerprint));
  return fingerprint;
}

}  // namespace groupcast::service
