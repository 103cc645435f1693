#ifndef SDK_CPP_GROUPCAST_URL_H_
#define SDK_CPP_GROUPCAST_URL_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace groupcast {

// ws://HOST[:PORT][/PATH][?QUERY]. An IPv6 address is in brackets.
struct Url {
  // The host to resolve, without brackets.
  std::string host;
  // Decimal. "80" if the URL has no port.
  std::string port;
  // Path and query as in the HTTP request line, at least "/".
  std::string target;
  // The value of the Host header.
  std::string authority;
};

// kUnimplemented: wss. kInvalidArgument: not such a URL. The message says what is wrong.
absl::StatusOr<Url> ParseUrl(absl::string_view text);

// Adds NAME=VALUE to the query. Neither needs escapes. kInvalidArgument: the query already has that
// name.
absl::Status AddToQuery(absl::string_view name, absl::string_view value, Url* url);

}  // namespace groupcast

#endif  // SDK_CPP_GROUPCAST_URL_H_
