#ifndef GROUPCAST_TOOLS_GROUPCAST_TOKEN_SIGNING_H_
#define GROUPCAST_TOOLS_GROUPCAST_TOKEN_SIGNING_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace groupcast::cli {

// A JSON Web Token with these claims, a JSON object, and a signature by `key`. The key decides the
// algorithm: a private RSA key in PEM RS256, a private P-256 key ES256, anything else HS256, as a
// secret. One line end at the end of a secret does not count.
// `key_id` becomes the header `kid`, if it is not empty.
// kInvalidArgument: the key is none of these, or a secret of less than 32 bytes.
absl::StatusOr<std::string> SignToken(absl::string_view claims, const std::string& key,
                                      const std::string& key_id);

}  // namespace groupcast::cli

#endif  // GROUPCAST_TOOLS_GROUPCAST_TOKEN_SIGNING_H_
