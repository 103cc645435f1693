#ifndef GROUPCAST_SERVICES_HTTP_GATEWAY_CALLS_H_
#define GROUPCAST_SERVICES_HTTP_GATEWAY_CALLS_H_

#include <cstddef>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"
#include "services/groups/control/control_message.h"
#include "services/http_gateway/problem.h"
#include "services/http_gateway/route.h"
#include "services/protocol/command.h"

namespace groupcast::service {

struct CallLimits {
  CommandLimits commands;
  size_t messages_max = 1'000;  // of POST /v1/messages
  size_t stream_groups_max = 32;
};

// The parts of a request that are data.
struct CallInput {
  std::optional<absl::string_view> content_type;
  std::optional<absl::string_view> idempotency_key;
  std::optional<absl::string_view> last_event_id;
  absl::string_view body;
};

// What a request asks for: commands of the protocol. The id of each is its place in the list.
struct Calls {
  // A list has one result for each item, also for one that is no command.
  std::vector<std::variant<Command, CommandError>> items;
  bool is_list = false;  // the answer is the list of the results
  // There is one item, and it is no command: the answer is that of the services' admin ports.
  bool asks_services = false;
  bool is_stream = false;  // the commands are joins, and the answer is a stream of their events
  // A stream's groups, in the order of the request.
  std::vector<std::string> groups;
  // The request is a question to all workers, and has no commands.
  std::optional<ControlCommand> control;
};

// Reads what a request of an endpoint with groups asks for. `exclude_session` and `exclude_user`
// are the caller's concern.
std::variant<Calls, Problem> ReadCalls(const Route& route, const CallInput& input,
                                       const CallLimits& limits);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_HTTP_GATEWAY_CALLS_H_
