#ifndef GROUPCAST_SERVICES_ACCESS_TOKEN_H_
#define GROUPCAST_SERVICES_ACCESS_TOKEN_H_

#include <cstddef>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/access/grants.h"
#include "services/access/token_keys.h"

namespace groupcast::service {

// The claims of a JSON Web Token (RFC 7519) that Groupcast uses. docs/security.md has them all.
struct Token {
  std::string user;     // sub; empty: it names no user
  std::string info;     // the JSON of `info`, compact; empty: none
  Grants grants;        // groups
  std::string group;    // the only group of a token for a group; empty: it is for a connection
  Rights group_rights;  // of a token for a group
  // The end of its validity: `exp` and the leeway. InfiniteFuture: it has no `exp`.
  absl::Time valid_until = absl::InfiniteFuture();
};

struct TokenOptions {
  std::string issuer;    // what `iss` must be; empty: anything
  std::string audience;  // what `aud` must name; empty: tokens must name no audience
  // By how much the clocks of issuer and service may differ.
  absl::Duration leeway = absl::Seconds(30);
};

// Checks tokens. Threads may share it.
class TokenVerifier {
 public:
  static constexpr size_t kTokenBytesMax = 8 * 1024;
  static constexpr size_t kInfoBytesMax = 1024;

  TokenVerifier(TokenKeys keys, TokenOptions options)
      : keys_(std::move(keys)), options_(std::move(options)) {}

  // Returns the claims of a token that is valid at `now`.
  // kUnauthenticated: it is not valid. kDeadlineExceeded: it has expired, and is valid otherwise.
  // The message is a sentence for the client; it has nothing of the token.
  absl::StatusOr<Token> Verify(absl::string_view token, absl::Time now) const;

 private:
  absl::StatusOr<Token> ReadClaims(absl::string_view payload, absl::Time now) const;

  const TokenKeys keys_;
  const TokenOptions options_;
};

// The personal group of a user: what is sent to it reaches all connections of the user.
std::string PersonalGroup(absl::string_view user);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_ACCESS_TOKEN_H_
