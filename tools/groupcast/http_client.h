#ifndef GROUPCAST_TOOLS_GROUPCAST_HTTP_CLIENT_H_
#define GROUPCAST_TOOLS_GROUPCAST_HTTP_CLIENT_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace groupcast::cli {

// http://HOST[:PORT][/PATH], or the same with https. An IPv6 address is in brackets.
struct HttpUrl {
  bool tls = false;       // https
  std::string host;       // without brackets
  std::string port;       // decimal
  std::string path;       // without a slash at its end; may be empty
  std::string authority;  // the value of the Host header
};

// kInvalidArgument: not such a URL. The message says what is right.
absl::StatusOr<HttpUrl> ParseHttpUrl(absl::string_view text);

struct HttpAnswer {
  int status = 0;
  std::string body;
  std::string date;  // the field Date; may be empty
};

struct HttpOptions {
  std::string bearer;   // the value after "Authorization: Bearer "; empty: no such field
  std::string ca_file;  // for https, as ClientOptions::ca_file
  absl::Duration timeout = absl::Seconds(5);
  size_t body_bytes_max = size_t{16} << 20;
};

// GET of URL's path and `target`, which begins with "/". The connection is for this request alone.
// kUnavailable: nobody answers. kFailedPrecondition: TLS fails, for example because the certificate
// is not trusted. kDeadlineExceeded: the answer is not there in time. kInternal: it
// is no answer of HTTP, or too large. The messages do not name the URL.
absl::StatusOr<HttpAnswer> HttpGet(const HttpUrl& url, absl::string_view target,
                                   const HttpOptions& options);

// A value in a query, with escapes (RFC 3986 section 2.1).
std::string EscapedForUrl(absl::string_view text);

}  // namespace groupcast::cli

#endif  // GROUPCAST_TOOLS_GROUPCAST_HTTP_CLIENT_H_
