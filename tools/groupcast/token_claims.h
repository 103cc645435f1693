#ifndef GROUPCAST_TOOLS_GROUPCAST_TOKEN_CLAIMS_H_
#define GROUPCAST_TOOLS_GROUPCAST_TOKEN_CLAIMS_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace groupcast::cli {

// What a new token says. docs/security.md describes the claims.
struct TokenRequest {
  std::string user;
  absl::Duration valid_for = absl::Hours(1);
  std::vector<std::string> groups;  // for all rights
  // For one right each.
  std::vector<std::string> join;
  std::vector<std::string> send;
  std::vector<std::string> read;
  std::vector<std::string> observe;
  std::string group;                // of a token for one group
  std::vector<std::string> rights;  // of a token for one group; empty: the server's default
  std::string info;                 // JSON; empty: none
  std::string issuer;
  std::string audience;
};

// The claims as a JSON object, for a token that is made at `now`.
// kInvalidArgument: `info` is not JSON, or the parts do not fit together.
absl::StatusOr<std::string> ClaimsJson(const TokenRequest& request, absl::Time now);

// The readable parts of a JSON Web Token, which anyone can write: nothing of it is checked.
struct ReadableToken {
  std::string header;  // JSON, compact
  std::string claims;  // JSON, compact
  std::optional<absl::Time> expires_at;
  std::optional<absl::Time> not_before;
};

// kInvalidArgument: the text is no JSON Web Token in compact form (RFC 7519).
absl::StatusOr<ReadableToken> ReadToken(absl::string_view token);

// A sentence about the time in which a token is valid, such as "expired 2m ago".
std::string ValidityText(const ReadableToken& token, absl::Time now);
// Whether `now` is in that time, as far as the token says.
bool IsInTime(const ReadableToken& token, absl::Time now);

}  // namespace groupcast::cli

#endif  // GROUPCAST_TOOLS_GROUPCAST_TOKEN_CLAIMS_H_
