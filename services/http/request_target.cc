#include "services/http/request_target.h"

#include "absl/strings/match.h"

namespace groupcast::service {

RequestTarget ReadRequestTarget(absl::string_view target) {
  RequestTarget parts;
  const size_t question = target.find('?');
  parts.path = target.substr(0, question);
  if (question != absl::string_view::npos) parts.query = target.substr(question + 1);
  // A scheme's case does not count (RFC 3986 section 3.1).
  for (const absl::string_view scheme : {"http://", "https://"}) {
    if (!absl::StartsWithIgnoreCase(parts.path, scheme)) continue;
    const absl::string_view rest = parts.path.substr(scheme.size());
    const size_t slash = rest.find('/');
    parts.host = rest.substr(0, slash);
    parts.path = slash == absl::string_view::npos ? "/" : rest.substr(slash);
    break;
  }
  return parts;
}

}  // namespace groupcast::service
