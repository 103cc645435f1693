#ifndef SDK_CPP_GROUPCAST_EVENT_H_
#define SDK_CPP_GROUPCAST_EVENT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "groupcast/command.h"
#include "groupcast/status.h"
#include "groupcast/types.h"

// The events of the server: the parsed form of each event's frame.
namespace groupcast {

struct WelcomeEvent {};

struct MessageEvent {
  // Without its epoch, and in a reply without its group: the frame does not repeat them.
  Message message;
  // This client's session sent it with exclude_self. Only the group, offset and previous are set.
  bool excluded = false;
};

struct ReplyEvent {
  std::optional<CommandId> id;  // Not set if it is not an id of this client.
  std::optional<Position> position;
  std::optional<bool> recovered;
  bool pong = false;  // Of a ping.
  // Of a history.
  std::optional<std::vector<MessageEvent>> messages;
  // Of the members of a group. `members` is missing if only the number was asked for.
  std::optional<uint64_t> count;
  std::optional<std::vector<Member>> members;
  std::optional<std::string> next;
};

struct ErrorEvent {
  std::optional<CommandId> id;
  ServerError error;
  // The group that the connection is no longer in, for example because of its token. Then the error
  // answers no command.
  std::optional<std::string> lost_group;
  std::string cmd;  // Of the command. Empty if the server could not read it, or if there is none.
};

struct GapEvent {
  Gap gap;
};

// A member has come, or has other fields now; or it has gone. Then only its id and its user are
// set.
struct MemberEvent {
  std::string group_id;
  bool joined = false;
  Member member;
};

struct ClosingEvent {
  // The server names none if the client should not come back.
  std::optional<absl::Duration> reconnect_after;
};

// An event of a newer server. The client ignores it.
struct UnknownEvent {};

using Event = std::variant<WelcomeEvent, ReplyEvent, ErrorEvent, MessageEvent, GapEvent,
                           MemberEvent, ClosingEvent, UnknownEvent>;

// kInternal: `frame` is not an event of the protocol.
absl::StatusOr<Event> ParseEvent(absl::string_view frame);

}  // namespace groupcast

#endif  // SDK_CPP_GROUPCAST_EVENT_H_
