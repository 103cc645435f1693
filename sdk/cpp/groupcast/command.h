#ifndef SDK_CPP_GROUPCAST_COMMAND_H_
#define SDK_CPP_GROUPCAST_COMMAND_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

// What this client says to the server: the text of each command's frame.
namespace groupcast {

// Pairs a command with its answer; unique over a client's life, also across reconnects.
enum class CommandId : uint64_t {};

// kInvalidArgument: not 1 to 128 bytes of UTF-8 without control characters.
absl::Status CheckGroupId(absl::string_view group_id);

// `text` as a JSON string. kInvalidArgument: it is not UTF-8.
absl::StatusOr<std::string> EncodeText(absl::string_view text);

// kInvalidArgument: not one JSON value (RFC 8259), or nested too deeply for the server.
absl::Status CheckJson(absl::string_view json);

// These require a valid group id and, for a message, valid JSON.
std::string AddGroupFrame(absl::string_view group_id, CommandId id);
// Without an id: nobody waits for the answer.
std::string LeaveGroupFrame(absl::string_view group_id);
std::string SendToGroupFrame(absl::string_view group_id, absl::string_view message_json,
                             CommandId id);

}  // namespace groupcast

#endif  // SDK_CPP_GROUPCAST_COMMAND_H_
