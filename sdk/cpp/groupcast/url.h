#ifndef SDK_CPP_GROUPCAST_URL_H_
#define SDK_CPP_GROUPCAST_URL_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace groupcast {

// ws://HOST[:PORT][/PATH][?QUERY], or the same with wss://. An IPv6 address is in brackets.
struct Url {
  // wss://
  bool tls = false;
  // The host to resolve, without brackets.
  std::string host;
  // Decimal. If the URL has no port: "80", and "443" for wss.
  std::string port;
  // Path and query as in the HTTP request line, at least "/".
  std::string target;
  // The value of the Host header.
  std::string authority;
};

// kInvalidArgument: not such a URL. The message says what is wrong.
absl::StatusOr<Url> ParseUrl(absl::string_view text);

// http://[USER:PASSWORD@]HOST:PORT. Escapes of USER and PASSWORD are those of URLs, as %40 for @.
struct Proxy {
  // As in Url.
  std::string host;
  std::string port;
  // The value of the Proxy-Authorization header. Empty if there is no user.
  std::string authorization;
};

// kInvalidArgument: not such a URL. The message says what is wrong, and has no password.
absl::StatusOr<Proxy> ParseProxy(absl::string_view text);

// Adds NAME=VALUE to the query. Neither needs escapes. kInvalidArgument: the query already has that
// name.
absl::Status AddToQuery(absl::string_view name, absl::string_view value, Url* url);

}  // namespace groupcast

#endif  // SDK_CPP_GROUPCAST_URL_H_
