#ifndef GROUPCAST_SERVICES_WEBSOCKET_SERVICE_COMMAND_H_
#define GROUPCAST_SERVICES_WEBSOCKET_SERVICE_COMMAND_H_

#include <cstddef>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"
#include "services/channel/channel.h"
#include "services/websocket_service/error.h"

namespace groupcast::service {

// A group id as it stands in a command: the id, or what is wrong with it.
struct GroupIdField {
  std::string id;
  absl::string_view defect;  // the end of a sentence that begins with "group_id"; empty: none
};

// A command that was understood. docs/protocol.md says what each does.
struct Command {
  enum class Kind { kAddGroup, kLeaveGroup, kSendToGroup, kPing };

  Kind kind = Kind::kPing;
  std::string id;  // the JSON of the field `id`; empty: there is none
  // add_group, leave_group: one, without defect. send_to_group with group_ids: as many as given.
  std::vector<GroupIdField> group_ids;
  bool many = false;  // the field was group_ids
  Content::Kind message_kind{};
  std::string message;
};

// The name that a command has in JSON.
absl::string_view CommandName(Command::Kind kind);

struct CommandLimits {
  size_t message_bytes_max = 64 * 1024;
  size_t group_ids_max = 128;
};

// Reads one text frame. The result is a command or what to tell its sender.
std::variant<Command, CommandError> ParseCommand(absl::string_view text,
                                                 const CommandLimits& limits);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_WEBSOCKET_SERVICE_COMMAND_H_
