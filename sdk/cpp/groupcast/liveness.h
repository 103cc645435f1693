#ifndef SDK_CPP_GROUPCAST_LIVENESS_H_
#define SDK_CPP_GROUPCAST_LIVENESS_H_

#include <optional>

#include "absl/time/time.h"
#include "groupcast/command.h"

namespace groupcast {

// Finds out that a connection is dead although nobody closed it. After a silence of the server it
// asks for a ping, and the connection counts as dead if its answer does not come.
//
// Not thread-safe. `now` is of a clock that does not go back.
class Liveness {
 public:
  enum class Verdict {
    kNothing,
    kPing,  // Write a ping, and tell its id with OnPing().
    kDead,
  };

  // `timeout` is the longest silence of a connection that is alive. The ping comes 10 s before its
  // end, or in its middle if that is later.
  Liveness(absl::Duration timeout, absl::Time now);

  // The server gave a sign of life, apart from an answer to a ping.
  void OnHeard(absl::Time now);
  // An answer counts only for the ping that waits: an older one may have been under way for long,
  // and does not show that the line works now.
  void OnPong(CommandId ping, absl::Time now);
  void OnPing(CommandId ping, absl::Time now);

  // To call at next_deadline() or later.
  Verdict OnTimer(absl::Time now);
  absl::Time next_deadline() const { return deadline_; }

 private:
  const absl::Duration answer_time_;   // For the answer to a ping.
  const absl::Duration silence_time_;  // Until a ping.
  std::optional<CommandId> ping_;      // It waits for its answer.
  absl::Time deadline_;                // Of the silence, or of the answer.
};

}  // namespace groupcast

#endif  // SDK_CPP_GROUPCAST_LIVENESS_H_
