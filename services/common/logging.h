#ifndef GROUPCAST_SERVICES_COMMON_LOGGING_H_
#define GROUPCAST_SERVICES_COMMON_LOGGING_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "spdlog/spdlog.h"

namespace groupcast::service {

// Log lines are written to stderr. The calling thread writes each line at once, so a crash loses no
// line and a fork breaks nothing. But nothing waits for the reader of stderr: a line that cannot be
// written at once is dropped, and a later line says how many (LineWriter). `level` is trace, debug,
// info, warning, error or off. `who` is the name of the process in each line.
//
// A child calls it again after the fork, so that it counts its own dropped lines.
absl::Status InitLogging(absl::string_view level, absl::string_view who);

// kInvalidArgument: it is no level of InitLogging.
absl::Status CheckLogLevel(absl::string_view level);

// Writes lines to stderr as they are, each with its newline, in the way of log lines.
void PrintLines(absl::string_view lines);

// Lets one line through per period and counts all calls. So the bad input of a peer cannot flood
// the log:
//   if (auto n = limit.Admit(now)) spdlog::warn("bad frame ({} since the last line)", n);
class LogLimit {
 public:
  explicit LogLimit(absl::Duration period = absl::Seconds(1)) : period_(period) {}

  // If a line may be written now: the number of calls since the last line, with this call. Else 0.
  int64_t Admit(absl::Time now);

 private:
  absl::Duration period_;
  absl::Time next_ = absl::InfinitePast();
  int64_t count_ = 0;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_COMMON_LOGGING_H_
