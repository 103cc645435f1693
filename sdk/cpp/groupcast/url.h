#ifndef SDK_CPP_GROUPCAST_URL_H_
#define SDK_CPP_GROUPCAST_URL_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace groupcast {

// ws://HOST[:PORT][/PATH][?QUERY]; an IPv6 address stands in brackets.
struct Url {
  // What to resolve: no brackets.
  std::string host;
  // Decimal; "80" if the URL has none.
  std::string port;
  // Path and query, as the HTTP request line has it; at least "/".
  std::string target;
  // The value of the Host header.
  std::string authority;
};

// kUnimplemented: wss. kInvalidArgument: anything else that is not such a URL, with a sentence
// that says what is wrong.
absl::StatusOr<Url> ParseUrl(absl::string_view text);

// Adds NAME=VALUE to the query; neither needs escapes.
// kInvalidArgument: the query names it already.
absl::Status AddToQuery(absl::string_view name, absl::string_view value, Url* url);

}  // namespace groupcast

#endif  // SDK_CPP_GROUPCAST_URL_H_
