#ifndef GROUPCAST_SERVICES_HTTP_GATEWAY_CONTROL_CALL_H_
#define GROUPCAST_SERVICES_HTTP_GATEWAY_CONTROL_CALL_H_

#include <optional>
#include <string>
#include <variant>

#include "absl/status/statusor.h"
#include "services/access/grants.h"
#include "services/groups/control/control_message.h"
#include "services/groups/control/control_questions.h"
#include "services/http_gateway/problem.h"
#include "services/http_gateway/route.h"

namespace groupcast::service {

// Reads a request that is a question to all workers: the list of groups, and the ends of
// connections and memberships.
std::variant<ControlCommand, Problem> ReadControlCall(const Route& route);

// Whether the caller may ask. nullopt: it may. `program`: the rights of its API key; null: it has
// none. `anyone_may`: the service lets in everyone, for everything.
std::optional<Problem> CheckControl(const ControlCommand& command, const Grants* program,
                                    bool anyone_may);

// For the log: the command, which ends something, and its target. It follows "asks to ".
std::string DescribeEnd(const ControlCommand& command);
// And what came of it.
std::string ControlOutcome(const absl::StatusOr<ControlResult>& result);

// The answer to the request.
std::variant<std::string, Problem> ControlJson(const ControlCommand& command,
                                               const absl::StatusOr<ControlResult>& result);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_HTTP_GATEWAY_CONTROL_CALL_H_
