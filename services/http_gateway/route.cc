#include "services/http_gateway/route.h"

#include <algorithm>
#include <array>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/common/utf8.h"
#include "services/http/request_target.h"

namespace groupcast::service {
namespace {

constexpr size_t kParametersMax = 256;

struct Pattern {
  Endpoint endpoint;
  absl::string_view path;  // the first "*" stands for the id, the second one for the member
  absl::string_view methods;
};

constexpr absl::string_view kRead = "GET, HEAD, OPTIONS";

constexpr absl::string_view kDeleteOnly = "DELETE, OPTIONS";

constexpr std::array kPatterns = {
    Pattern{Endpoint::kGroups, "/v1/groups", kRead},
    Pattern{Endpoint::kGroupMessages, "/v1/groups/*/messages", "GET, HEAD, POST, OPTIONS"},
    Pattern{Endpoint::kGroupMembers, "/v1/groups/*/members", kRead},
    Pattern{Endpoint::kGroupMember, "/v1/groups/*/members/*", kDeleteOnly},
    Pattern{Endpoint::kGroupEvents, "/v1/groups/*/events", "GET, OPTIONS"},
    Pattern{Endpoint::kConnection, "/v1/connections/*", kDeleteOnly},
    Pattern{Endpoint::kUserConnections, "/v1/users/*/connections", kDeleteOnly},
    Pattern{Endpoint::kUserMessages, "/v1/users/*/messages", "POST, OPTIONS"},
    Pattern{Endpoint::kMessages, "/v1/messages", "POST, OPTIONS"},
    Pattern{Endpoint::kEvents, "/v1/events", "GET, OPTIONS"},
    Pattern{Endpoint::kServices, "/v1/services", kRead},
    Pattern{Endpoint::kApiDescription, "/v1/openapi.json", kRead},
    Pattern{Endpoint::kDashboard, "/dashboard", kRead},
    Pattern{Endpoint::kDashboardFile, "/dashboard/", kRead},
    Pattern{Endpoint::kDashboardFile, "/dashboard/*", kRead},
    Pattern{Endpoint::kAlive, "/healthz", kRead},
    Pattern{Endpoint::kReady, "/readyz", kRead},
};

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// False: it is not well-formed, or not UTF-8.
bool Decode(absl::string_view encoded, bool plus_is_space, std::string* text) {
  text->clear();
  text->reserve(encoded.size());
  for (size_t i = 0; i < encoded.size(); ++i) {
    if (encoded[i] == '+' && plus_is_space) {
      text->push_back(' ');
      continue;
    }
    if (encoded[i] != '%') {
      text->push_back(encoded[i]);
      continue;
    }
    if (i + 2 >= encoded.size()) return false;
    const int high = HexDigit(encoded[i + 1]);
    const int low = HexDigit(encoded[i + 2]);
    if (high < 0 || low < 0) return false;
    text->push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  Utf8Checker utf8;
  return utf8.Check(*text) && utf8.complete();
}

bool Fail(Problem* problem, absl::string_view detail) {
  *problem = MakeProblem(400, kBadRequest, detail);
  return false;
}

bool ReadQuery(absl::string_view query, Route* route, Problem* problem) {
  if (query.empty()) return true;
  for (const absl::string_view field : absl::StrSplit(query, '&')) {
    if (field.empty()) continue;
    if (route->query.size() == kParametersMax) {
      return Fail(problem,
                  absl::StrCat("The query has more than ", kParametersMax, " parameters."));
    }
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(field, absl::MaxSplits('=', 1));
    auto& [name, value] = route->query.emplace_back();
    if (!Decode(parts.first, /*plus_is_space=*/true, &name) ||
        !Decode(parts.second, /*plus_is_space=*/true, &value)) {
      return Fail(problem,
                  "The query is not well-formed: a % must have two hexadecimal digits "
                  "behind it, and the text must be UTF-8.");
    }
  }
  return true;
}

// What stands for each * of a pattern. It is empty where there is none.
struct Ids {
  absl::string_view first;
  absl::string_view second;
};

// Takes the part before the next slash off the path, and the slash.
absl::string_view TakeSegment(absl::string_view* path) {
  const size_t slash = path->find('/');
  const absl::string_view segment = path->substr(0, slash);
  path->remove_prefix(slash == absl::string_view::npos ? path->size() : slash + 1);
  return segment;
}

// nullopt: the path is another one.
std::optional<Ids> Match(absl::string_view pattern, absl::string_view path) {
  if (std::count(pattern.begin(), pattern.end(), '/') !=
      std::count(path.begin(), path.end(), '/')) {
    return std::nullopt;
  }
  Ids ids;
  while (!pattern.empty() || !path.empty()) {
    const absl::string_view wanted = TakeSegment(&pattern);
    const absl::string_view given = TakeSegment(&path);
    if (wanted == "*" && !given.empty()) {
      (ids.first.empty() ? ids.first : ids.second) = given;
    } else if (wanted != given) {
      return std::nullopt;
    }
  }
  return ids;
}

std::optional<Method> ReadMethod(absl::string_view method) {
  if (method == "GET") return Method::kGet;
  if (method == "HEAD") return Method::kHead;
  if (method == "POST") return Method::kPost;
  if (method == "DELETE") return Method::kDelete;
  if (method == "OPTIONS") return Method::kOptions;
  return std::nullopt;
}

}  // namespace

std::optional<absl::string_view> Route::Parameter(absl::string_view name) const {
  for (const auto& [key, value] : query) {
    if (key == name) return value;
  }
  return std::nullopt;
}

absl::string_view AllowedMethods(Endpoint endpoint) {
  for (const Pattern& pattern : kPatterns) {
    if (pattern.endpoint == endpoint) return pattern.methods;
  }
  return "";
}

bool FindRoute(absl::string_view method, absl::string_view target, Route* route, Problem* problem) {
  const RequestTarget parts = ReadRequestTarget(target);
  for (const Pattern& pattern : kPatterns) {
    const std::optional<Ids> ids = Match(pattern.path, parts.path);
    if (!ids.has_value()) continue;
    const std::optional<Method> known = ReadMethod(method);
    const std::vector<absl::string_view> methods = absl::StrSplit(pattern.methods, ", ");
    if (!known.has_value() || std::find(methods.begin(), methods.end(), method) == methods.end()) {
      *problem = MakeProblem(405, kMethodNotAllowed,
                             absl::StrCat("This resource has the methods ", pattern.methods, "."));
      problem->allow = std::string(pattern.methods);
      return false;
    }
    route->endpoint = pattern.endpoint;
    route->method = *known;
    if (!Decode(ids->first, /*plus_is_space=*/false, &route->id) ||
        !Decode(ids->second, /*plus_is_space=*/false, &route->member)) {
      return Fail(problem,
                  "The path is not well-formed: a % must have two hexadecimal digits "
                  "behind it, and the text must be UTF-8.");
    }
    return ReadQuery(parts.query, route, problem);
  }
  *problem = MakeProblem(404, kNotFound,
                         "There is nothing at this path. /v1/openapi.json describes all that "
                         "there is.");
  return false;
}

}  // namespace groupcast::service
