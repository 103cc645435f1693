#ifndef GROUPCAST_SERVICES_HTTP_GATEWAY_API_KEYS_H_
#define GROUPCAST_SERVICES_HTTP_GATEWAY_API_KEYS_H_

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/access/grants.h"
#include "services/configuration/configuration_file.h"

namespace groupcast::service {

// The key of a program that calls this service.
struct ApiKey {
  std::string name;  // for the log, and the scope of its idempotency keys
  Grants grants;     // what it may do with groups
};

// The keys of programs. The configuration has only their hashes, so who reads it has no key. A key
// is random and long (tools/api_key), so a plain SHA-256 (FIPS 180-4) protects it: there is nothing
// to guess.
//
// Threads may share it.
class ApiKeys {
 public:
  static constexpr size_t kKeysMax = 1'000;
  static constexpr size_t kNameBytesMax = 64;
  // What all keys begin with. No JSON Web Token does.
  static constexpr absl::string_view kPrefix = "gck_";

  // Reads the file's api_keys. kInvalidArgument: the message names the place of the wrong value and
  // says what is allowed.
  static absl::StatusOr<ApiKeys> Read(const ConfigurationFile& file);

  // Finds the key. It compares the hash with the hashes of all keys, in a time that tells nothing
  // of them. Null: it is none of them. Valid as long as this object.
  const ApiKey* Find(absl::string_view key) const;

  // Whether a text can be a key, and is no token.
  static bool LooksLikeKey(absl::string_view text);

  bool empty() const { return keys_.empty(); }

 private:
  using Hash = std::array<unsigned char, 32>;
  struct Entry {
    Hash hash;
    std::shared_ptr<const ApiKey> key;
  };
  std::vector<Entry> keys_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_HTTP_GATEWAY_API_KEYS_H_
