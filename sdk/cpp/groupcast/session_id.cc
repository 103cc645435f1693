#include "groupcast/session_id.h"

#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "groupcast/command.h"
#include "groupcast/random.h"

namespace groupcast {
namespace {

constexpr absl::string_view kName = "session";

// The text of a name or a value of a query, without its escapes.
std::string Unescape(absl::string_view text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool is_escape = text[i] == '%' && i + 2 < text.size() &&
                           absl::ascii_isxdigit(static_cast<unsigned char>(text[i + 1])) &&
                           absl::ascii_isxdigit(static_cast<unsigned char>(text[i + 2]));
    if (!is_escape) {
      plain += text[i] == '+' ? ' ' : text[i];
      continue;
    }
    plain += absl::HexStringToBytes(text.substr(i + 1, 2));
    i += 2;
  }
  return plain;
}

}  // namespace

absl::StatusOr<std::string> AdoptSession(absl::string_view given, Url* url) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(url->target, absl::MaxSplits('?', 1));
  std::optional<std::string> in_url;
  for (const absl::string_view field : absl::StrSplit(parts.second, '&')) {
    const std::pair<absl::string_view, absl::string_view> pair =
        absl::StrSplit(field, absl::MaxSplits('=', 1));
    if (Unescape(pair.first) != kName) continue;
    if (in_url.has_value()) {
      return absl::InvalidArgumentError("the url has more than one session");
    }
    in_url = Unescape(pair.second);
  }
  if (in_url.has_value() && !given.empty() && given != *in_url) {
    return absl::InvalidArgumentError("the url has another session than the options");
  }
  std::string session = in_url.has_value() ? *in_url
                        : given.empty()    ? RandomHex(16)
                                           : std::string(given);
  if (absl::Status status = CheckSessionId(session); !status.ok()) return status;
  if (in_url.has_value()) return session;
  if (absl::Status status = AddToQuery(kName, session, url); !status.ok()) return status;
  return session;
}

}  // namespace groupcast
