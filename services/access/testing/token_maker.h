#ifndef GROUPCAST_SERVICES_ACCESS_TESTING_TOKEN_MAKER_H_
#define GROUPCAST_SERVICES_ACCESS_TESTING_TOKEN_MAKER_H_

#include <string>

#include "absl/strings/string_view.h"

namespace groupcast::service {

// Makes tokens for tests, and with OpenSSL alone: what the library under test gets wrong, this must
// not get wrong too. Headers and claims are taken as they are, so that tests can make bad ones.

std::string Base64Url(absl::string_view bytes);

// "HEADER.PAYLOAD." and a signature over it by HMAC with SHA-256.
std::string HmacToken(absl::string_view header, absl::string_view claims, absl::string_view secret);
// The same, with the usual header.
std::string HmacToken(absl::string_view claims, absl::string_view secret);

// A key pair that is made anew in each process.
class SigningKey {
 public:
  enum class Type { kRsa1024, kRsa2048, kP256, kP384 };
  explicit SigningKey(Type type);
  SigningKey(const SigningKey&) = delete;
  SigningKey& operator=(const SigningKey&) = delete;
  ~SigningKey();

  std::string PublicPem() const;
  std::string PrivatePem() const;
  // The members of the public key as a JWK, without braces.
  std::string JwkMembers() const;

  // A token with a signature by SHA-256 and this key: RS256, or ES256.
  std::string Sign(absl::string_view header, absl::string_view claims) const;
  std::string Sign(absl::string_view claims) const;

 private:
  struct Key;
  Key* const key_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_ACCESS_TESTING_TOKEN_MAKER_H_
