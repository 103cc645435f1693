#ifndef SDK_CPP_GROUPCAST_TESTING_SERVER_FRAMES_H_
#define SDK_CPP_GROUPCAST_TESTING_SERVER_FRAMES_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "groupcast/types.h"

// The protocol's frames from the server's side, for the servers of tests: text to commands, and
// events to text.
namespace groupcast {

// A command that a server received.
struct ReceivedCommand {
  std::string cmd;
  std::string group_id;
  uint64_t id = 0;      // 0 if there is none.
  std::string message;  // JSON without insignificant blanks; empty if there is none.
  std::string key;      // Empty if there is none.
  bool exclude_self = false;
  std::optional<Position> since;
  std::optional<uint64_t> history;
  std::optional<uint64_t> limit;
  bool presence = false;
  bool count_only = false;
  std::string after;  // Empty if there is none.
  std::string token;  // The same.
};

// kInvalidArgument: not a command that the C++ client writes.
absl::StatusOr<ReceivedCommand> ParseCommand(absl::string_view frame);

// `json`, which is valid, without insignificant blanks: as a server hands it on.
std::string CompactJson(absl::string_view json);

// `text` as a JSON string.
std::string QuoteJson(absl::string_view text);
// The text of a JSON string, or nothing if `text` is another value.
std::optional<std::string> UnquoteJson(absl::string_view text);

std::string WelcomeFrame(absl::string_view connection_id);
std::string PositionReplyFrame(uint64_t id, absl::string_view group_id, const Position& position,
                               std::optional<bool> recovered = std::nullopt);
// 0 is no id.
std::string ErrorFrame(uint64_t id, absl::string_view word, bool retry);

// The fields of a message in its event and in a history. `json` is the message.
std::string MessageFields(absl::string_view json, uint64_t previous, uint64_t offset,
                          int64_t sent_at_ms);
// Those of a message that the member's own session sent with exclude_self.
std::string ExcludedFields(uint64_t previous, uint64_t offset);
std::string MessageFrame(absl::string_view group_id, absl::string_view fields);

}  // namespace groupcast

#endif  // SDK_CPP_GROUPCAST_TESTING_SERVER_FRAMES_H_
