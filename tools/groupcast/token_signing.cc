#include "tools/groupcast/token_signing.h"

#include <jwt.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <cstdlib>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "services/access/token_keys.h"

namespace groupcast::cli {
namespace {

template <auto kFree>
struct Free {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using Jwt = std::unique_ptr<jwt_t, Free<jwt_free>>;
using Bio = std::unique_ptr<BIO, Free<BIO_free_all>>;
using PrivateKey = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using Text = std::unique_ptr<char, Free<std::free>>;

// A file that asks for a passphrase would otherwise ask at the terminal.
int NoPassphrase(char*, int, int, void*) { return 0; }

absl::StatusOr<jwt_alg_t> AlgorithmOf(const std::string& key) {
  if (absl::StrContains(key, "-----BEGIN")) {
    const Bio bio(BIO_new_mem_buf(key.data(), static_cast<int>(key.size())));
    const PrivateKey pem(PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassphrase, nullptr));
    if (pem != nullptr && EVP_PKEY_is_a(pem.get(), "RSA") == 1 &&
        EVP_PKEY_get_bits(pem.get()) >= service::TokenKeys::kRsaBitsMin) {
      return JWT_ALG_RS256;
    }
    if (pem != nullptr && EVP_PKEY_is_a(pem.get(), "EC") == 1 &&
        EVP_PKEY_get_bits(pem.get()) == 256) {
      return JWT_ALG_ES256;
    }
    return absl::InvalidArgumentError(
        "the key must be a private key in PEM without a passphrase: RSA with 2048 bits or more, or "
        "EC of the curve P-256");
  }
  if (key.size() < service::TokenKeys::kSecretBytesMin) {
    return absl::InvalidArgumentError(
        absl::StrCat("the secret has ", key.size(), " bytes; it must have ",
                     service::TokenKeys::kSecretBytesMin, " at least"));
  }
  return JWT_ALG_HS256;
}

}  // namespace

absl::StatusOr<std::string> SignToken(absl::string_view claims, const std::string& key,
                                      const std::string& key_id) {
  absl::string_view secret = key;
  if (absl::ConsumeSuffix(&secret, "\n")) absl::ConsumeSuffix(&secret, "\r");
  const std::string used(secret);
  const absl::StatusOr<jwt_alg_t> algorithm = AlgorithmOf(used);
  if (!algorithm.ok()) return algorithm.status();
  jwt_t* made = nullptr;
  if (jwt_new(&made) != 0) return absl::InternalError("libjwt has no memory");
  const Jwt jwt(made);
  if (jwt_add_grants_json(jwt.get(), std::string(claims).c_str()) != 0 ||
      (!key_id.empty() && jwt_add_header(jwt.get(), "kid", key_id.c_str()) != 0) ||
      jwt_set_alg(jwt.get(), *algorithm, reinterpret_cast<const unsigned char*>(used.data()),
                  static_cast<int>(used.size())) != 0) {
    return absl::InvalidArgumentError("libjwt does not take these claims or this key");
  }
  const Text token(jwt_encode_str(jwt.get()));
  if (token == nullptr) return absl::InvalidArgumentError("libjwt cannot sign with this key");
  return std::string(token.get());
}

}  // namespace groupcast::cli
