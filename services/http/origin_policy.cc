#include "services/http/origin_policy.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "services/common/address.h"

namespace groupcast::service {
namespace {

constexpr size_t kHostBytesMax = 255;  // RFC 1035 section 2.3.4

// RFC 3986 section 3.2.2.
bool IsRegisteredName(absl::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      const absl::string_view digits = text.substr(i + 1, 2);
      if (digits.size() < 2 || !absl::ascii_isxdigit(static_cast<unsigned char>(digits[0])) ||
          !absl::ascii_isxdigit(static_cast<unsigned char>(digits[1]))) {
        return false;
      }
      i += 2;
    } else if (!absl::ascii_isalnum(static_cast<unsigned char>(text[i])) &&
               !absl::StrContains("-._~!$&'()*+,;=", text[i])) {
      return false;
    }
  }
  return true;
}

// Labels with dots between them. A name with a dot at its end is another name for a browser, and
// not one of these.
bool IsDnsName(absl::string_view text) {
  bool in_label = false;
  for (const char c : text) {
    if (c == '.' && !in_label) return false;
    in_label = c != '.';
    if (in_label && !absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '-' && c != '_') {
      return false;
    }
  }
  return in_label;
}

// "localhost" and the names below it never leave the machine (RFC 6761 section 6.3).
bool IsLoopbackHost(absl::string_view host) {
  return absl::EqualsIgnoreCase(host, "localhost") ||
         (absl::EndsWithIgnoreCase(host, ".localhost") && IsDnsName(host)) || IsLoopback(host);
}

// RFC 3986 section 3.2, without user information.
struct Authority {
  absl::string_view host;  // with brackets around an IPv6 address; may be empty
  uint16_t port = 0;       // 0: none
};

std::optional<Authority> ParseAuthority(absl::string_view text) {
  Authority authority;
  if (absl::StartsWith(text, "[")) {
    const size_t end = text.find(']');
    if (end == absl::string_view::npos) return std::nullopt;
    authority.host = text.substr(0, end + 1);
    if (!absl::StrContains(authority.host, ':') || !IsIpAddress(authority.host)) {
      return std::nullopt;
    }
  } else {
    authority.host = text.substr(0, text.find(':'));
    if (authority.host.size() > kHostBytesMax || !IsRegisteredName(authority.host)) {
      return std::nullopt;
    }
  }
  absl::string_view port = text.substr(authority.host.size());
  if (port.empty()) return authority;
  if (!absl::ConsumePrefix(&port, ":") || port.size() > 5) return std::nullopt;
  uint32_t number = 0;
  for (const char c : port) {
    if (!absl::ascii_isdigit(static_cast<unsigned char>(c))) return std::nullopt;
    number = number * 10 + static_cast<uint32_t>(c - '0');
  }
  if (!port.empty() && (number == 0 || number > 65'535)) return std::nullopt;
  authority.port = static_cast<uint16_t>(number);
  return authority;
}

// RFC 6454 section 6.1: one that is not null.
struct Origin {
  absl::string_view scheme;
  absl::string_view authority;
};

std::optional<Origin> SplitOrigin(absl::string_view text) {
  const size_t end = text.find("://");
  if (end == absl::string_view::npos || end == 0) return std::nullopt;
  const Origin origin{.scheme = text.substr(0, end), .authority = text.substr(end + 3)};
  const bool is_scheme =
      absl::ascii_isalpha(static_cast<unsigned char>(origin.scheme[0])) &&
      std::all_of(origin.scheme.begin(), origin.scheme.end(), [](unsigned char c) {
        return absl::ascii_isalnum(c) || c == '+' || c == '-' || c == '.';
      });
  if (!is_scheme) return std::nullopt;
  return origin;
}

uint16_t DefaultPort(absl::string_view scheme) {
  if (absl::EqualsIgnoreCase(scheme, "http")) return 80;
  if (absl::EqualsIgnoreCase(scheme, "https")) return 443;
  return 0;
}

// Only these are of the web: of others, "localhost" may be the name of anything.
bool IsWebScheme(absl::string_view scheme) { return DefaultPort(scheme) != 0; }

// Entries of a flag. None: its value is empty.
std::vector<absl::string_view> Entries(absl::string_view value) {
  std::vector<absl::string_view> entries;
  if (absl::StripAsciiWhitespace(value).empty()) return entries;
  for (const absl::string_view entry : absl::StrSplit(value, ',')) {
    entries.push_back(absl::StripAsciiWhitespace(entry));
  }
  return entries;
}

absl::Status AtList(const OriginPolicyOptions::List& list, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(list.name, ": ", status.message()));
}

absl::Status WrongOrigin(absl::string_view entry) {
  return absl::InvalidArgumentError(absl::StrCat(
      "\"", entry,
      "\" is not an origin; an entry must be like https://app.example, https://app.example:8443 or "
      "https://*.example.com, without a path, or * for all origins"));
}

absl::Status WrongHost(absl::string_view entry) {
  return absl::InvalidArgumentError(
      absl::StrCat("\"", entry,
                   "\" is not a host; an entry must be like app.example or *.example.com, without "
                   "a scheme or a port, or * for all hosts"));
}

}  // namespace

absl::StatusOr<OriginPolicy::HostPattern> OriginPolicy::ParseHostPattern(absl::string_view entry) {
  HostPattern pattern;
  absl::string_view host = entry;
  pattern.is_of_subdomains = absl::ConsumePrefix(&host, "*.");
  const bool is_address = IsIpAddress(host);
  const bool is_name = IsDnsName(host) && host.size() <= kHostBytesMax;
  if (!is_name && !is_address) return WrongHost(entry);
  if (pattern.is_of_subdomains && is_address) return WrongHost(entry);
  pattern.host = pattern.is_of_subdomains ? absl::StrCat(".", host) : UrlHost(host);
  return pattern;
}

absl::StatusOr<OriginPolicy::OriginPattern> OriginPolicy::ParseOriginPattern(
    absl::string_view entry) {
  const std::optional<Origin> origin = SplitOrigin(entry);
  if (!origin.has_value()) return WrongOrigin(entry);
  if (absl::EqualsIgnoreCase(origin->scheme, "ws") ||
      absl::EqualsIgnoreCase(origin->scheme, "wss")) {
    return absl::InvalidArgumentError(absl::StrCat(
        "\"", entry, "\": an entry must name the page, which begins with https:// or http://"));
  }
  const std::optional<Authority> authority = ParseAuthority(origin->authority);
  if (!authority.has_value()) return WrongOrigin(entry);
  OriginPattern pattern{
      .scheme = std::string(origin->scheme),
      .port = authority->port != 0 ? authority->port : DefaultPort(origin->scheme)};
  // Some applications have a scheme of their own, and no host.
  if (authority->host.empty() && !IsWebScheme(origin->scheme)) return pattern;
  absl::StatusOr<HostPattern> host = ParseHostPattern(authority->host);
  if (!host.ok()) return WrongOrigin(entry);
  pattern.host = *std::move(host);
  return pattern;
}

absl::StatusOr<OriginPolicy> OriginPolicy::Create(const OriginPolicyOptions& options) {
  OriginPolicy policy;
  policy.null_origin_ = options.allow_null_origin;
  for (const absl::string_view entry : Entries(options.allowed_origins.entries)) {
    if (entry == "*") {
      policy.any_origin_ = true;
      continue;
    }
    absl::StatusOr<OriginPattern> pattern = ParseOriginPattern(entry);
    if (!pattern.ok()) return AtList(options.allowed_origins, pattern.status());
    policy.origins_.push_back(*std::move(pattern));
  }
  bool any_host = false;
  for (const absl::string_view entry : Entries(options.allowed_hosts.entries)) {
    if (entry == "*") {
      any_host = true;
      continue;
    }
    absl::StatusOr<HostPattern> pattern = ParseHostPattern(entry);
    if (!pattern.ok()) return AtList(options.allowed_hosts, pattern.status());
    policy.hosts_.push_back(*std::move(pattern));
  }
  policy.has_entries_ =
      policy.any_origin_ || !policy.origins_.empty() || any_host || !policy.hosts_.empty();
  policy.any_host_ = any_host || (policy.hosts_.empty() && !options.is_loopback);
  return policy;
}

bool OriginPolicy::Matches(const HostPattern& pattern, absl::string_view host) {
  if (!pattern.is_of_subdomains) return absl::EqualsIgnoreCase(host, pattern.host);
  return absl::EndsWithIgnoreCase(host, pattern.host) && IsDnsName(host);
}

OriginPolicy::Verdict OriginPolicy::CheckHost(absl::string_view host) const {
  if (host.empty()) return Verdict::kPass;
  const std::optional<Authority> authority = ParseAuthority(host);
  if (!authority.has_value() || authority->host.empty()) return Verdict::kMalformed;
  // No site can make a browser take an address for its name.
  if (any_host_ || IsIpAddress(authority->host) || IsLoopbackHost(authority->host)) {
    return Verdict::kPass;
  }
  const bool is_listed = std::any_of(hosts_.begin(), hosts_.end(), [&](const HostPattern& pattern) {
    return Matches(pattern, authority->host);
  });
  return is_listed ? Verdict::kPass : Verdict::kRefused;
}

OriginPolicy::Verdict OriginPolicy::CheckOrigin(absl::string_view origin,
                                                absl::string_view host) const {
  if (origin == kNullOrigin) {
    return null_origin_ || any_origin_ ? Verdict::kPass : Verdict::kRefused;
  }
  const std::optional<Origin> split = SplitOrigin(origin);
  if (!split.has_value()) return Verdict::kMalformed;
  const std::optional<Authority> page = ParseAuthority(split->authority);
  const bool is_web = IsWebScheme(split->scheme);
  if (!page.has_value() || (is_web && page->host.empty())) return Verdict::kMalformed;
  if (any_origin_ || (is_web && IsLoopbackHost(page->host))) return Verdict::kPass;

  const uint16_t default_port = DefaultPort(split->scheme);
  const uint16_t port = page->port != 0 ? page->port : default_port;
  // A Host without a port may be one of http:// or of https://: a proxy before the service ends
  // TLS. The page's own scheme decides.
  const std::optional<Authority> own = ParseAuthority(host);
  if (is_web && own.has_value() && absl::EqualsIgnoreCase(page->host, own->host) &&
      port == (own->port != 0 ? own->port : default_port)) {
    return Verdict::kPass;
  }
  const bool is_listed =
      std::any_of(origins_.begin(), origins_.end(), [&](const OriginPattern& pattern) {
        return absl::EqualsIgnoreCase(split->scheme, pattern.scheme) && port == pattern.port &&
               Matches(pattern.host, page->host);
      });
  return is_listed ? Verdict::kPass : Verdict::kRefused;
}

}  // namespace groupcast::service
