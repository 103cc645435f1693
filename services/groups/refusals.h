#ifndef GROUPCAST_SERVICES_GROUPS_REFUSALS_H_
#define GROUPCAST_SERVICES_GROUPS_REFUSALS_H_

#include <array>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "services/groups/member.h"
#include "services/protocol/command.h"
#include "services/protocol/error.h"

namespace groupcast::service {

// The error of a command, from the status of what it asked for. `id` is the command's.
CommandError CommandErrorOf(const absl::Status& status, const std::string& id, Command::Kind kind);

// The same, because the worker ends.
absl::Status StoppingError();

// Tells members the errors of their commands, and counts them.
//
// Not thread-safe.
class Refusals {
 public:
  struct Counters {
    uint64_t errors = 0;  // error events
    // Commands and connections, for want of a right or of a valid token.
    uint64_t access = 0;
    // Commands, or groups of a command, that are over a limit.
    uint64_t too_many_groups = 0;
    uint64_t message_too_large = 0;
    uint64_t too_deep = 0;  // JSON whose brackets nest too deep
    // All errors by their codes, with those of single groups of a command.
    std::array<uint64_t, kErrorCodes> of_codes = {};
  };

  void Tell(Member* member, const CommandError& error);
  // Counts the error of one group of a command, which is told in the command's reply.
  void Count(ErrorCode code);
  // Counts an error that a front end has told by itself.
  void CountToldElsewhere(ErrorCode code);
  // What is told, or ends a connection, is a matter of access.
  void CountAccess() { ++counters_.access; }

  const Counters& counters() const { return counters_; }

 private:
  Counters counters_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_GROUPS_REFUSALS_H_
