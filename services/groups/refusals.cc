#include "services/groups/refusals.h"

#include "services/protocol/event.h"

namespace groupcast::service {

CommandError CommandErrorOf(const absl::Status& status, const std::string& id, Command::Kind kind) {
  return {.code = ErrorCodeOf(status),
          .message = std::string(status.message()),
          .id = id,
          .cmd = std::string(CommandName(kind))};
}

absl::Status StoppingError() { return absl::UnavailableError("the service stops"); }

void Refusals::Tell(Member* member, const CommandError& error) {
  ++counters_.errors;
  Count(error.code);
  if (error.is_too_deep) ++counters_.too_deep;
  member->Reply(ErrorEvent(error));
}

void Refusals::CountToldElsewhere(ErrorCode code) {
  Count(code);
  if (code == ErrorCode::kUnauthorized || code == ErrorCode::kTokenExpired ||
      code == ErrorCode::kForbidden) {
    CountAccess();
  }
}

void Refusals::Count(ErrorCode code) {
  ++counters_.of_codes[static_cast<size_t>(code)];
  if (code == ErrorCode::kTooManyGroups) ++counters_.too_many_groups;
  if (code == ErrorCode::kMessageTooLarge) ++counters_.message_too_large;
}

}  // namespace groupcast::service
