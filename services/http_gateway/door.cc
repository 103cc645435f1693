#include "services/http_gateway/door.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "services/groups/member.h"
#include "services/http/request_target.h"

namespace groupcast::service {
namespace {

namespace http = boost::beast::http;

constexpr size_t kSessionBytesMax = 64;
constexpr size_t kRefusedBytesMax = 100;

std::string Excerpt(absl::string_view text) {
  return absl::StrCat(absl::CHexEscape(text.substr(0, kRefusedBytesMax)),
                      text.size() > kRefusedBytesMax ? "..." : "");
}

// Of the other endpoints anybody may know.
bool NeedsCredentials(Endpoint endpoint) {
  switch (endpoint) {
    case Endpoint::kApiDescription:
    case Endpoint::kDashboard:
    case Endpoint::kDashboardFile:
    case Endpoint::kAlive:
    case Endpoint::kReady:
      return false;
    default:
      return true;
  }
}

bool IsForOperators(Endpoint endpoint) {
  switch (endpoint) {
    case Endpoint::kGroups:
    case Endpoint::kGroupMember:
    case Endpoint::kConnection:
    case Endpoint::kUserConnections:
    case Endpoint::kServices:
      return true;
    default:
      return false;
  }
}

Problem Unauthorized(absl::string_view detail) {
  return ProblemOf(ErrorCode::kUnauthorized, detail);
}

std::optional<Problem> CheckPage(const RequestParser& request, const Door& door, Head* head) {
  const absl::string_view named = ReadRequestTarget(request.target()).host;
  const absl::string_view host_name =
      named.empty() ? request.Field(http::field::host).value_or("") : named;
  switch (door.origins->CheckHost(host_name)) {
    case OriginPolicy::Verdict::kMalformed:
      return MakeProblem(400, kBadRequest, "The field Host is malformed.");
    case OriginPolicy::Verdict::kRefused:
      return ProblemOf(ErrorCode::kForbidden,
                       absl::StrCat("This service is not the host \"", Excerpt(host_name),
                                    "\". The flag --allowed_hosts lists the hosts that requests "
                                    "may name."));
    case OriginPolicy::Verdict::kPass:
      break;
  }
  if (const auto origin = request.Field(http::field::origin); origin.has_value()) {
    if (request.Count(http::field::origin) > 1) {
      return MakeProblem(400, kBadRequest, "The field Origin is there twice.");
    }
    switch (door.origins->CheckOrigin(*origin, host_name)) {
      case OriginPolicy::Verdict::kMalformed:
        return MakeProblem(400, kBadRequest, "The field Origin is malformed.");
      case OriginPolicy::Verdict::kRefused:
        return ProblemOf(ErrorCode::kForbidden,
                         absl::StrCat("Pages of the origin \"", Excerpt(*origin),
                                      "\" may not call this service. The flag --allowed_origins "
                                      "lists the origins that may."));
      case OriginPolicy::Verdict::kPass:
        head->origin = std::string(*origin);
    }
  }
  return std::nullopt;
}

// A proxy lets others in. These fields say that there is one: of RFC 7239, of RFC 9110 section
// 7.6.3, and those that are usual.
bool CameThroughProxy(const RequestParser& request) {
  constexpr absl::string_view kFields[] = {
      "Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP"};
  return std::any_of(std::begin(kFields), std::end(kFields),
                     [&](absl::string_view name) { return request.Field(name).has_value(); });
}

// A page of another site may have caused it. Of an image, for example, a browser names no origin.
bool IsOfForeignPage(const RequestParser& request) {
  return request.Field("Sec-Fetch-Site") == "cross-site" ||
         request.Field(http::field::origin) == kNullOrigin;
}

// Without the check of a token, which needs the groups.
std::optional<Problem> ReadCredentials(const RequestParser& request, const Door& door, Head* head) {
  std::string credentials;
  if (const auto field = request.Field(http::field::authorization); field.has_value()) {
    absl::string_view value = *field;
    constexpr absl::string_view kScheme = "bearer ";
    if (request.Count(http::field::authorization) > 1 ||
        !absl::StartsWithIgnoreCase(value, kScheme)) {
      return Unauthorized(
          "The field Authorization must be there once, with the scheme Bearer and "
          "an API key or a token.");
    }
    credentials = std::string(absl::StripAsciiWhitespace(value.substr(kScheme.size())));
  }
  if (const auto token = head->route.Parameter("token"); token.has_value() && !token->empty()) {
    if (!credentials.empty()) {
      return Unauthorized("There are two tokens: in the query and in the field Authorization.");
    }
    if (ApiKeys::LooksLikeKey(*token)) {
      return Unauthorized(
          "An API key does not belong into a URL, which ends up in logs. Send it "
          "in the field Authorization.");
    }
    credentials = std::string(*token);
  }
  if (credentials.empty() && door.needs_credentials) {
    return Unauthorized("This service needs an API key or a token: Authorization: Bearer KEY.");
  }
  if (ApiKeys::LooksLikeKey(credentials)) {
    if (door.api_keys->Find(credentials) == nullptr) {
      return Unauthorized("The API key is not one of this service.");
    }
  } else if (!credentials.empty() && door.needs_credentials && !door.knows_tokens) {
    return Unauthorized("This service has no keys for tokens. It needs an API key.");
  }
  head->credentials = std::move(credentials);
  return std::nullopt;
}

}  // namespace

std::optional<Problem> ReadHead(const RequestParser& request, const Door& door, Head* head) {
  if (std::optional<Problem> problem = CheckPage(request, door, head)) return problem;
  Problem problem;
  if (!FindRoute(request.method(), request.target(), &head->route, &problem)) return problem;
  head->manages = door.anyone_manages && IsForOperators(head->route.endpoint) &&
                  !CameThroughProxy(request) && !IsOfForeignPage(request);
  // A preflight has no credentials (the section "CORS protocol" of WHATWG Fetch).
  if (!NeedsCredentials(head->route.endpoint) || head->route.method == Method::kOptions) {
    return std::nullopt;
  }
  return ReadCredentials(request, door, head);
}

bool IsSession(absl::string_view text) {
  return !text.empty() && text.size() <= kSessionBytesMax &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return absl::ascii_isalnum(c) || c == '_' || c == '-';
         });
}

std::variant<Fingerprint, Problem> ReadExcluded(const Route& route, absl::string_view user,
                                                bool is_program) {
  const auto session = route.Parameter("exclude_session");
  const auto named_user = route.Parameter("exclude_user");
  if (!session.has_value() && !named_user.has_value()) return Fingerprint();
  if (!session.has_value() || !IsSession(*session)) {
    return MakeProblem(400, kBadRequest, kSessionDefect);
  }
  if (named_user.has_value()) {
    if (!is_program && user != *named_user) {
      return ProblemOf(ErrorCode::kForbidden,
                       "Only a program with an API key may exclude the session of another user.");
    }
    user = *named_user;
  }
  const Fingerprint excluded = FingerprintOf({*session});
  return user.empty() ? excluded : SessionOfUser(user, excluded);
}

}  // namespace groupcast::service
