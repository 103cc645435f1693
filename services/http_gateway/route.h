#ifndef GROUPCAST_SERVICES_HTTP_GATEWAY_ROUTE_H_
#define GROUPCAST_SERVICES_HTTP_GATEWAY_ROUTE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "services/http_gateway/problem.h"

namespace groupcast::service {

// The things that a request can be about. docs/http_api.md describes each.
enum class Endpoint : uint8_t {
  kGroups,           // /v1/groups
  kGroupMessages,    // /v1/groups/{id}/messages
  kGroupMembers,     // /v1/groups/{id}/members
  kGroupMember,      // /v1/groups/{id}/members/{member}
  kGroupEvents,      // /v1/groups/{id}/events
  kConnection,       // /v1/connections/{id}
  kUserConnections,  // /v1/users/{id}/connections
  kUserMessages,     // /v1/users/{id}/messages
  kMessages,         // /v1/messages
  kEvents,           // /v1/events
  kServices,         // /v1/services
  kApiDescription,   // /v1/openapi.json
  kDashboard,        // /dashboard
  kDashboardFile,    // /dashboard/ and /dashboard/{id}
  kAlive,            // /healthz
  kReady,            // /readyz
};

enum class Method : uint8_t { kGet, kHead, kPost, kDelete, kOptions };

struct Route {
  Endpoint endpoint{};
  Method method{};
  std::string id;      // the {id} of the path: of a group, a user or a connection; or a file's name
  std::string member;  // the {member} of the path
  // The parameters of the query, in their order.
  std::vector<std::pair<std::string, std::string>> query;

  // The first parameter of this name. nullopt: it is not there.
  std::optional<absl::string_view> Parameter(absl::string_view name) const;
};

// Finds the route of a request. False: there is none, and `problem` says why. A path has no empty
// segments and no dots to resolve: each segment is taken as it is, with its percent-encoding (RFC
// 3986 section 2.1) decoded. So a group id with a slash is written with %2F.
bool FindRoute(absl::string_view method, absl::string_view target, Route* route, Problem* problem);

// The methods of the endpoint, for the field Allow.
absl::string_view AllowedMethods(Endpoint endpoint);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_HTTP_GATEWAY_ROUTE_H_
