#include "groupcast/url.h"

#include <algorithm>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace groupcast {
namespace {

absl::Status Invalid(absl::string_view text, absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat("\"", text, "\" is not a URL like ws://127.0.0.1:1234/: ", why));
}

// Whether the bytes can stand in a request line as they are.
bool IsPlain(absl::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return absl::ascii_isgraph(c); });
}

}  // namespace

absl::StatusOr<Url> ParseUrl(absl::string_view text) {
  absl::string_view rest = text;
  if (absl::StartsWithIgnoreCase(rest, "wss://")) {
    return absl::UnimplementedError("wss:// (TLS) is not supported by this version");
  }
  if (!absl::StartsWithIgnoreCase(rest, "ws://")) return Invalid(text, "it begins with ws://");
  rest.remove_prefix(5);
  if (!IsPlain(rest)) return Invalid(text, "blanks, control and non-ASCII characters are escaped");
  if (absl::StrContains(rest, '#')) return Invalid(text, "it has no fragment");

  const size_t authority_end = std::min(rest.find_first_of("/?"), rest.size());
  absl::string_view authority = rest.substr(0, authority_end);
  const absl::string_view target = rest.substr(authority_end);
  if (absl::StrContains(authority, '@')) return Invalid(text, "it has no user name");

  Url url;
  url.authority = std::string(authority);
  url.target = absl::StartsWith(target, "/") ? std::string(target) : absl::StrCat("/", target);
  const bool bracketed = absl::ConsumePrefix(&authority, "[");
  const size_t host_end = std::min(authority.find(bracketed ? ']' : ':'), authority.size());
  url.host = std::string(authority.substr(0, host_end));
  authority.remove_prefix(host_end);
  if (bracketed && !absl::ConsumePrefix(&authority, "]")) return Invalid(text, "] is missing");
  const bool looks_like_ipv6 =
      !bracketed && std::count(authority.begin(), authority.end(), ':') > 1;
  if (looks_like_ipv6)
    return Invalid(text, "an IPv6 address is in brackets, as in ws://[::1]:1234");
  if (url.host.empty()) return Invalid(text, "the host is missing");

  url.port = "80";
  if (!authority.empty()) {
    uint32_t port = 0;
    if (!absl::ConsumePrefix(&authority, ":") || !absl::SimpleAtoi(authority, &port) || port == 0 ||
        port > 65535) {
      return Invalid(text, "a port is a number from 1 to 65535");
    }
    url.port = absl::StrCat(port);
  }
  return url;
}

absl::Status AddToQuery(absl::string_view name, absl::string_view value, Url* url) {
  const size_t query = url->target.find('?');
  if (query == std::string::npos) {
    absl::StrAppend(&url->target, "?", name, "=", value);
    return absl::OkStatus();
  }
  const absl::string_view fields = absl::string_view(url->target).substr(query + 1);
  for (const absl::string_view field : absl::StrSplit(fields, '&')) {
    if (field.substr(0, field.find('=')) == name) {
      return absl::InvalidArgumentError(absl::StrCat("the URL's query names ", name, " already"));
    }
  }
  absl::StrAppend(&url->target, fields.empty() ? "" : "&", name, "=", value);
  return absl::OkStatus();
}

}  // namespace groupcast
