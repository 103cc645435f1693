#ifndef GROUPCAST_SERVICES_PROTOCOL_ERROR_H_
#define GROUPCAST_SERVICES_PROTOCOL_ERROR_H_

#include <cstddef>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace groupcast::service {

// The defects and failures of commands. docs/protocol.md has the table.
enum class ErrorCode {
  kBadJson,
  kUnknownCommand,
  kGroupIdInvalid,
  kMessageMissing,
  kMessageTooLarge,
  kTooManyGroups,
  kTooManyMembers,
  kTooManyConnections,
  kRateLimited,
  kUnauthorized,
  kTokenExpired,
  kForbidden,
  kUnavailable,
  kOutcomeUnknown,
  kInternal,
};
inline constexpr size_t kErrorCodes = static_cast<size_t>(ErrorCode::kInternal) + 1;

// Returns the word that clients see.
absl::string_view ErrorWord(ErrorCode code);
// The other way round. nullopt: it is no word of an error.
std::optional<ErrorCode> ReadErrorWord(absl::string_view word);

// Returns whether the same command may work later.
bool MayWorkLater(ErrorCode code);

// The error of one command, for its sender.
struct CommandError {
  ErrorCode code{};
  std::string message;  // a sentence for people
  std::string id;       // the JSON of the command's id; empty: none, or it could not be read
  std::string cmd;      // the command's name; empty if it could not be read
  // The group that the client has lost by a later event, and not by this command. Empty: none.
  std::string group_id = {};
  bool is_too_deep = false;  // kBadJson: its brackets are over the bound of the depth
};

// Returns the error of a command, from the error of its call to the channel, of the check of its
// token (TokenVerifier), or of the check of its rights (kPermissionDenied).
ErrorCode ErrorCodeOf(const absl::Status& status);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_PROTOCOL_ERROR_H_
