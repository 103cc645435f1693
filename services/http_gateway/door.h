#ifndef GROUPCAST_SERVICES_HTTP_GATEWAY_DOOR_H_
#define GROUPCAST_SERVICES_HTTP_GATEWAY_DOOR_H_

#include <optional>
#include <string>
#include <variant>

#include "absl/strings/string_view.h"
#include "services/channel/fingerprint.h"
#include "services/http/origin_policy.h"
#include "services/http/request_parser.h"
#include "services/http_gateway/api_keys.h"
#include "services/http_gateway/problem.h"
#include "services/http_gateway/route.h"

namespace groupcast::service {

// What a worker lets in. All must outlive the call.
struct Door {
  const OriginPolicy* origins;
  const ApiKeys* api_keys;
  bool needs_credentials = false;  // of requests about groups
  bool knows_tokens = false;       // the service has keys for tokens
  // The service is for its machine alone and has no keys: who calls it directly may do everything.
  bool anyone_manages = false;
};

// What the head of a request shows.
struct Head {
  std::string origin;  // of the page that sends it; empty: no page, or none that may
  Route route;
  std::string credentials;  // an API key of the service, or a token that nobody has checked yet
  bool manages = false;     // it is an operator's, and may go on also without an API key
};

// Reads the head, and decides whether the request may go on: its host, its page, its path and its
// credentials. Returns why not. `head` has then what was read before the refusal.
std::optional<Problem> ReadHead(const RequestParser& request, const Door& door, Head* head);

// Whether a text can be the name of a session, and the sentence for one that cannot.
bool IsSession(absl::string_view text);
inline constexpr absl::string_view kSessionDefect =
    "A session (session, exclude_session) has 1 to 64 characters of A-Z a-z 0-9 _ -.";

// The session that must not get the messages of a request, by its exclude_session and exclude_user.
// Empty: it names none. `user`: of the caller; empty: it has none. A session belongs to its user,
// and only a program may name another user's.
std::variant<Fingerprint, Problem> ReadExcluded(const Route& route, absl::string_view user,
                                                bool is_program);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_HTTP_GATEWAY_DOOR_H_
