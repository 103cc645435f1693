#ifndef GROUPCAST_SERVICES_PROTOCOL_COMMAND_H_
#define GROUPCAST_SERVICES_PROTOCOL_COMMAND_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"
#include "services/channel/channel.h"
#include "services/protocol/error.h"

namespace groupcast::service {

// A group id as it stands in a command: the id, or what is wrong with it.
struct GroupIdField {
  std::string id;
  absl::string_view defect;  // the end of a sentence that begins with "group_id"; empty: none
};

// A command that was understood. docs/protocol.md says what each does.
struct Command {
  enum class Kind { kAddGroup, kLeaveGroup, kSendToGroup, kGroupHistory, kPing };

  Kind kind = Kind::kPing;
  std::string id;  // the JSON of the field `id`; empty: there is none
  // One, without defect; for send_to_group with group_ids: as many as given.
  std::vector<GroupIdField> group_ids;
  bool many = false;  // the field was group_ids

  // send_to_group.
  Content::Kind message_kind{};
  std::string message;
  std::string key;  // empty: none
  bool exclude_self = false;

  // add_group, group_history: what the client has seen.
  std::optional<Position> since;
  // How many of the newest messages. add_group: 0 for none, and then only without `since`;
  // group_history: 1 or more. At most CommandLimits::history_max.
  uint32_t history = 0;
};

// The name that a command has in JSON.
absl::string_view CommandName(Command::Kind kind);

struct CommandLimits {
  size_t message_bytes_max = 64 * 1024;
  size_t group_ids_max = 128;
  size_t key_bytes_max = 64;
  uint32_t history_max = 100;  // who asks for more gets so many
};

// Reads one text frame. The result is a command or what to tell its sender.
std::variant<Command, CommandError> ParseCommand(absl::string_view text,
                                                 const CommandLimits& limits);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_PROTOCOL_COMMAND_H_
