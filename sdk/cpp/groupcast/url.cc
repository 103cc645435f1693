#include "groupcast/url.h"

#include <algorithm>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
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

// Without the URL: it may have a password.
absl::Status InvalidProxy(absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat("proxy is not a URL like http://USER:PASSWORD@HOST:PORT: ", why));
}

constexpr absl::string_view kEscape = "blanks, control and non-ASCII characters are escaped";

// Whether the bytes can stand in a request line as they are.
bool IsPlain(absl::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return absl::ascii_isgraph(c); });
}

// Takes HOST[:PORT] apart. `port` stays as it is if there is none. Returns what is wrong, or
// nothing.
absl::string_view ParseAuthority(absl::string_view authority, std::string* host,
                                 std::string* port) {
  const bool bracketed = absl::ConsumePrefix(&authority, "[");
  const size_t host_end = std::min(authority.find(bracketed ? ']' : ':'), authority.size());
  *host = std::string(authority.substr(0, host_end));
  authority.remove_prefix(host_end);
  if (bracketed && !absl::ConsumePrefix(&authority, "]")) return "] is missing";
  if (!bracketed && std::count(authority.begin(), authority.end(), ':') > 1) {
    return "an IPv6 address is in brackets, as in ws://[::1]:1234";
  }
  if (host->empty()) return "the host is missing";
  if (authority.empty()) return "";

  uint32_t number = 0;
  if (!absl::ConsumePrefix(&authority, ":") || !absl::SimpleAtoi(authority, &number) ||
      number == 0 || number > 65535) {
    return "a port is a number from 1 to 65535";
  }
  *port = absl::StrCat(number);
  return "";
}

// Replaces %XX. False: an escape is not complete.
bool Unescape(absl::string_view text, std::string* plain) {
  while (!text.empty()) {
    if (text[0] != '%') {
      plain->push_back(text[0]);
      text.remove_prefix(1);
      continue;
    }
    if (text.size() < 3 || !absl::ascii_isxdigit(static_cast<unsigned char>(text[1])) ||
        !absl::ascii_isxdigit(static_cast<unsigned char>(text[2]))) {
      return false;
    }
    plain->append(absl::HexStringToBytes(text.substr(1, 2)));
    text.remove_prefix(3);
  }
  return true;
}

}  // namespace

absl::StatusOr<Url> ParseUrl(absl::string_view text) {
  Url url;
  absl::string_view rest = text;
  if (absl::StartsWithIgnoreCase(rest, "wss://")) {
    url.tls = true;
  } else if (!absl::StartsWithIgnoreCase(rest, "ws://")) {
    return Invalid(text, "it begins with ws:// or wss://");
  }
  rest.remove_prefix(url.tls ? 6 : 5);
  if (!IsPlain(rest)) return Invalid(text, kEscape);
  if (absl::StrContains(rest, '#')) return Invalid(text, "it has no fragment");

  const size_t authority_end = std::min(rest.find_first_of("/?"), rest.size());
  const absl::string_view authority = rest.substr(0, authority_end);
  const absl::string_view target = rest.substr(authority_end);
  if (absl::StrContains(authority, '@')) return Invalid(text, "it has no user name");

  url.authority = std::string(authority);
  url.target = absl::StartsWith(target, "/") ? std::string(target) : absl::StrCat("/", target);
  url.port = url.tls ? "443" : "80";
  const absl::string_view wrong = ParseAuthority(authority, &url.host, &url.port);
  if (!wrong.empty()) return Invalid(text, wrong);
  return url;
}

absl::StatusOr<Proxy> ParseProxy(absl::string_view text) {
  if (!absl::StartsWithIgnoreCase(text, "http://")) return InvalidProxy("it begins with http://");
  text.remove_prefix(7);
  if (!IsPlain(text)) return InvalidProxy(kEscape);
  absl::ConsumeSuffix(&text, "/");
  if (text.find_first_of("/?#") != absl::string_view::npos) return InvalidProxy("it has no path");

  Proxy proxy;
  const size_t at = text.rfind('@');
  if (at != absl::string_view::npos) {
    std::string credentials;
    if (!absl::StrContains(text.substr(0, at), ':')) return InvalidProxy("the password is missing");
    if (!Unescape(text.substr(0, at), &credentials)) {
      return InvalidProxy("% begins an escape of two hexadecimal digits");
    }
    proxy.authorization = absl::StrCat("Basic ", absl::Base64Escape(credentials));
    text.remove_prefix(at + 1);
  }
  const absl::string_view wrong = ParseAuthority(text, &proxy.host, &proxy.port);
  if (!wrong.empty()) return InvalidProxy(wrong);
  if (proxy.port.empty()) return InvalidProxy("the port is missing");
  return proxy;
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
