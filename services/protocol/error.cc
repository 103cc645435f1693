#include "services/protocol/error.h"

namespace groupcast::service {

absl::string_view ErrorWord(ErrorCode code) {
  switch (code) {
    case ErrorCode::kBadJson:
      return "bad_json";
    case ErrorCode::kUnknownCommand:
      return "unknown_command";
    case ErrorCode::kGroupIdInvalid:
      return "group_id_invalid";
    case ErrorCode::kMessageMissing:
      return "message_missing";
    case ErrorCode::kMessageTooLarge:
      return "message_too_large";
    case ErrorCode::kTooManyGroups:
      return "too_many_groups";
    case ErrorCode::kTooManyMembers:
      return "too_many_members";
    case ErrorCode::kTooManyConnections:
      return "too_many_connections";
    case ErrorCode::kRateLimited:
      return "rate_limited";
    case ErrorCode::kUnauthorized:
      return "unauthorized";
    case ErrorCode::kTokenExpired:
      return "token_expired";
    case ErrorCode::kForbidden:
      return "forbidden";
    case ErrorCode::kUnavailable:
      return "unavailable";
    case ErrorCode::kOutcomeUnknown:
      return "outcome_unknown";
    case ErrorCode::kInternal:
      return "internal";
  }
  return "internal";
}

std::optional<ErrorCode> ReadErrorWord(absl::string_view word) {
  for (size_t i = 0; i < kErrorCodes; ++i) {
    if (ErrorWord(static_cast<ErrorCode>(i)) == word) return static_cast<ErrorCode>(i);
  }
  return std::nullopt;
}

bool MayWorkLater(ErrorCode code) {
  return code == ErrorCode::kRateLimited || code == ErrorCode::kTooManyConnections ||
         code == ErrorCode::kUnavailable || code == ErrorCode::kOutcomeUnknown ||
         code == ErrorCode::kInternal;
}

ErrorCode ErrorCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
      return ErrorCode::kUnavailable;
    case absl::StatusCode::kUnknown:
      return ErrorCode::kOutcomeUnknown;
    case absl::StatusCode::kAborted:
      return ErrorCode::kRateLimited;
    case absl::StatusCode::kResourceExhausted:
      return ErrorCode::kMessageTooLarge;
    case absl::StatusCode::kUnauthenticated:
      return ErrorCode::kUnauthorized;
    case absl::StatusCode::kDeadlineExceeded:
      return ErrorCode::kTokenExpired;
    case absl::StatusCode::kPermissionDenied:
      return ErrorCode::kForbidden;
    default:
      return ErrorCode::kInternal;
  }
}

}  // namespace groupcast::service
