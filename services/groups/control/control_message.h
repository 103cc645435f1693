#ifndef GROUPCAST_SERVICES_GROUPS_CONTROL_CONTROL_MESSAGE_H_
#define GROUPCAST_SERVICES_GROUPS_CONTROL_CONTROL_MESSAGE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/groups/control/group_list.h"
#include "services/protocol/close_code.h"

namespace groupcast::service {

// The messages of control: JSON texts in reserved groups (docs/channel_wire.md). Workers of several
// versions may meet. So a worker ignores fields that it does not know, and says so of a command
// that it does not know.

// All workers are in this group.
inline constexpr absl::string_view kControlGroup = "$groupcast.control";

// The group in which a worker gets the answers to its questions. `worker` is random.
std::string AnswersGroup(uint64_t worker);

// What a worker is asked to do.
struct ControlCommand {
  enum class Kind : uint8_t {
    kGroups,      // list the groups with this prefix, after `after`, by their ids
    kBusiest,     // list those of them with the most messages
    kCount,       // list the members of `groups`
    kDisconnect,  // close the connections of `member` or `user`, of those in `group` if it is there
    kExpel,       // take `member` out of `group`
  };
  Kind kind = Kind::kGroups;
  std::string prefix;
  std::string after;
  uint32_t limit = 0;
  std::vector<std::string> groups;
  uint64_t member = 0;  // a connection id that clients see; 0: none
  std::string user;
  std::string group;
  CloseCode code{};
  std::string reason;

  friend bool operator==(const ControlCommand&, const ControlCommand&) = default;
};

// Whether the command ends something. The others ask for a list.
inline bool IsEnd(const ControlCommand& command) {
  return command.kind == ControlCommand::Kind::kDisconnect ||
         command.kind == ControlCommand::Kind::kExpel;
}

// A command of one worker to all.
struct ControlQuestion {
  uint64_t number = 0;  // random
  std::string answers;  // the group for the answers
  ControlCommand command;
};

// A worker's answer to it.
struct ControlAnswer {
  enum class Outcome : uint8_t {
    kDone,
    kBusy,     // the worker has done nothing, because it was asked for too much of late
    kUnknown,  // the worker does not know the command
  };
  uint64_t question = 0;
  uint64_t worker = 0;
  Outcome outcome = Outcome::kDone;
  GroupList list;      // of kGroups, kBusiest and kCount
  uint64_t count = 0;  // of kDisconnect and kExpel: the connections
};

std::string FormatQuestion(const ControlQuestion& question);
std::string FormatAnswer(const ControlAnswer& answer);

// The bytes of an answer around its groups, at most. Those of a question of kCount are no more.
inline constexpr size_t kAnswerBytes = 128;

// kInvalidArgument: it is not well-formed. kUnimplemented: the command is not known; `question` has
// what is needed for the answer.
absl::Status ParseQuestion(absl::string_view text, ControlQuestion* question);
absl::StatusOr<ControlAnswer> ParseAnswer(absl::string_view text);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_GROUPS_CONTROL_CONTROL_MESSAGE_H_
