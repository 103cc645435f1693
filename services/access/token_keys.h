#ifndef GROUPCAST_SERVICES_ACCESS_TOKEN_KEYS_H_
#define GROUPCAST_SERVICES_ACCESS_TOKEN_KEYS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace groupcast::service {

// The algorithms of RFC 7518 section 3.1 that tokens may have.
enum class TokenAlgorithm : uint8_t { kHs256, kRs256, kEs256 };

absl::string_view TokenAlgorithmName(TokenAlgorithm algorithm);

// The keys that tokens are checked with. Each key belongs to one algorithm, by what it is: a secret
// to HS256, an RSA key to RS256, a P-256 key to ES256. So a token cannot choose the algorithm of a
// key.
//
// Threads may share it.
class TokenKeys {
 public:
  static constexpr size_t kKeysMax = 64;
  // RFC 7518 sections 3.2 and 3.3.
  static constexpr size_t kSecretBytesMin = 32;
  static constexpr int kRsaBitsMin = 2048;

  // Reads keys from files. A file's content says what it is:
  //   -----BEGIN PUBLIC KEY-----   one RSA or P-256 key, as PEM (RFC 7468)
  //   {"keys":[...]}               a JWK set (RFC 7517) of RSA, EC and oct keys. Keys of other
  //                                types, algorithms and uses are left out
  //   anything else                one secret, without a line end at its end
  // A file with a secret must not be accessible to others than its owner and group.
  // kInvalidArgument: the message names the file and says what is allowed.
  static absl::StatusOr<TokenKeys> Load(const std::vector<std::string>& files);

  // The same, of the content of one file. Errors have no name of a file.
  absl::Status Add(absl::string_view content, bool others_may_access);

  bool empty() const { return keys_.empty(); }
  size_t size() const { return keys_.size(); }

  // Checks the signature of a JWS in compact form (RFC 7515 section 3.1), which says that it is
  // by this algorithm and by the key `key_id`; empty: by no particular key.
  // A key with an id signs tokens with this id, and tokens without one. A key without an id signs
  // all tokens of its algorithm.
  bool Verify(absl::string_view token, TokenAlgorithm algorithm, absl::string_view key_id) const;

 private:
  struct Key {
    TokenAlgorithm algorithm;
    std::string id;     // empty: none
    std::string bytes;  // the secret, or the public key as PEM
  };

  absl::Status AddSecret(std::string id, absl::string_view secret);
  absl::Status AddPem(std::string id, const std::string& pem);
  absl::Status AddSet(absl::string_view json, bool others_may_access);
  absl::Status Push(Key key);

  std::vector<Key> keys_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_ACCESS_TOKEN_KEYS_H_
