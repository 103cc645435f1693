#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "tools/groupcast/http_client.h"

namespace groupcast::cli {
namespace {

absl::Status Malformed(absl::string_view text) {
  return absl::InvalidArgumentError(absl::StrCat(
      "\"", text,
      "\" is no address of a gateway; it has the form http://HOST[:PORT] or https://…"));
}

}  // namespace

absl::StatusOr<HttpUrl> ParseHttpUrl(absl::string_view text) {
  HttpUrl url;
  absl::string_view rest = text;
  if (absl::ConsumePrefix(&rest, "https://")) {
    url.tls = true;
  } else if (!absl::ConsumePrefix(&rest, "http://")) {
    return Malformed(text);
  }
  const bool has_odd_byte = std::any_of(rest.begin(), rest.end(), [](char c) {
    return !absl::ascii_isgraph(static_cast<unsigned char>(c)) || c == '?' || c == '#' || c == '@';
  });
  if (has_odd_byte) return Malformed(text);
  const size_t slash = std::min(rest.find('/'), rest.size());
  url.authority = std::string(rest.substr(0, slash));
  url.path = std::string(absl::StripSuffix(rest.substr(slash), "/"));

  absl::string_view host = url.authority;
  url.port = url.tls ? "443" : "80";
  const size_t colon = host.rfind(':');
  if (colon != absl::string_view::npos && host.find(']', colon) == absl::string_view::npos) {
    int port = 0;
    if (!absl::SimpleAtoi(host.substr(colon + 1), &port) || port < 1 || port > 65535) {
      return Malformed(text);
    }
    url.port = absl::StrCat(port);
    host = host.substr(0, colon);
  }
  if (absl::ConsumePrefix(&host, "[") && !absl::ConsumeSuffix(&host, "]")) return Malformed(text);
  if (host.empty()) return Malformed(text);
  url.host = std::string(host);
  return url;
}

std::string EscapedForUrl(absl::string_view text) {
  std::string escaped;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (absl::ascii_isalnum(byte) || c == '-' || c == '.' || c == '_' || c == '~') {
      escaped.push_back(c);
    } else {
      absl::StrAppendFormat(&escaped, "%%%02X", byte);
    }
  }
  return escaped;
}

}  // namespace groupcast::cli
