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

// A group id of a command: the id, or its defect.
struct GroupIdField {
  std::string id;
  absl::string_view defect;  // the end of a sentence that begins with "group_id"; empty: none
};

// A valid command. docs/protocol.md defines the effect of each.
struct Command {
  enum class Kind {
    kAddGroup,
    kLeaveGroup,
    kSendToGroup,
    kGroupHistory,
    kGroupMembers,
    kAuthenticate,
    kPing,
  };

  Kind kind = Kind::kPing;
  std::string id;  // the JSON of the field `id`; empty: there is none
  // One id, without defect. With group_ids (send_to_group): all ids of the command.
  std::vector<GroupIdField> group_ids;
  bool many = false;  // the field was group_ids

  // send_to_group.
  Content::Kind message_kind{};
  std::string message;
  std::string key;  // empty: none
  bool exclude_self = false;
  // The session that does not get the message, beside exclude_self. Only of front ends that are not
  // the protocol: no command names it. Empty: none.
  Fingerprint excluded_session;

  // authenticate, and add_group with a token for the group. Empty: none.
  std::string token;

  // add_group, group_history: the last position that the client has seen.
  std::optional<Position> since;
  // The number of newest messages, at most CommandLimits::history_max. add_group: 0 for none; with
  // `since` it is 0. group_history: 1 or more.
  uint32_t history = 0;

  // add_group: the member gets the events of joins and leaves.
  bool presence = false;

  // group_members: the connection id after which the page begins, the number of members in it, and
  // whether only their number is asked for.
  std::optional<uint64_t> after;
  uint32_t limit = 0;
  bool count_only = false;
};

// Returns a command's name in JSON.
absl::string_view CommandName(Command::Kind kind);

struct CommandLimits {
  size_t message_bytes_max = 64 * 1024;
  size_t group_ids_max = 128;
  size_t key_bytes_max = 64;
  uint32_t history_max = 100;  // a larger number in a command counts as this value
  uint32_t members_max = 500;  // as history_max
};

// Reads one command from the JSON `text`, which must be UTF-8. Returns the command, or the error
// for its sender.
std::variant<Command, CommandError> ParseCommand(absl::string_view text,
                                                 const CommandLimits& limits);

// The same for a send_to_group that has no field `cmd`: an item of a list of sends.
std::variant<Command, CommandError> ParseSend(absl::string_view text, const CommandLimits& limits);

// Puts a message, which is any JSON value that JsonReader accepted, into `command`. False: it is
// over the limit, and `error` says so.
bool TakeMessage(absl::string_view value, const CommandLimits& limits, Command* command,
                 CommandError* error);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_PROTOCOL_COMMAND_H_
