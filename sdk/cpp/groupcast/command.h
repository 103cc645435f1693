#ifndef SDK_CPP_GROUPCAST_COMMAND_H_
#define SDK_CPP_GROUPCAST_COMMAND_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "groupcast/types.h"

// The commands of this client: the text of each command's frame.
namespace groupcast {

// Pairs a command with its answer. It is unique over a client's life, also over reconnects. A send
// keeps its id when the client writes it again.
enum class CommandId : uint64_t {};

// kInvalidArgument: not 1 to 128 bytes of UTF-8 without control characters.
absl::Status CheckGroupId(absl::string_view group_id);

// `text` as a JSON string. kInvalidArgument: it is not UTF-8.
absl::StatusOr<std::string> EncodeText(absl::string_view text);

// kInvalidArgument: not one JSON value (RFC 8259), or nested too deeply for the server.
absl::Status CheckJson(absl::string_view json);

// kInvalidArgument: not a position that a server gives.
absl::Status CheckPosition(const Position& position);

// kInvalidArgument: not 1 to 64 characters of A-Z, a-z, 0-9, _ and -.
absl::Status CheckSessionId(absl::string_view session_id);

// kInvalidArgument: it cannot be a token of this protocol. An empty one stands for none.
absl::Status CheckToken(absl::string_view token);

// Identifies a send over all its transmissions.
struct SendKey {
  absl::string_view prefix;
  CommandId id{};
};

// The following functions require a valid group id and, for a message, valid JSON. `options` has at
// most one of since and history, and UTF-8. `presence`: ask for the events of members.
std::string AddGroupFrame(absl::string_view group_id, const JoinOptions& options, bool presence,
                          CommandId id);
std::string LeaveGroupFrame(absl::string_view group_id, CommandId id);
// `key` gives the frame its key and its id.
std::string SendToGroupFrame(absl::string_view group_id, absl::string_view message_json,
                             const SendOptions& options, const SendKey& key);
std::string GroupHistoryFrame(absl::string_view group_id, const HistoryOptions& options,
                              CommandId id);
std::string GroupMembersFrame(absl::string_view group_id, const MembersOptions& options,
                              CommandId id);
std::string PingFrame(CommandId id);
// Requires a token that CheckToken() accepts.
std::string AuthenticateFrame(absl::string_view token, CommandId id);

}  // namespace groupcast

#endif  // SDK_CPP_GROUPCAST_COMMAND_H_
