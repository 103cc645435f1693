#ifndef GROUPCAST_SERVICES_COMMON_LOGGING_H_
#define GROUPCAST_SERVICES_COMMON_LOGGING_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "spdlog/spdlog.h"

namespace groupcast::service {

// The form of log lines: text for people, JSON (log_line.h) for machines.
enum class LogFormat : uint8_t { kText, kJson };

// kInvalidArgument: it is neither text nor json.
absl::StatusOr<LogFormat> ParseLogFormat(absl::string_view name);

// Log lines are written to stderr. The calling thread writes each line at once, so a crash loses no
// line and a fork breaks nothing. But nothing waits for the reader of stderr: a line that cannot be
// written at once is dropped, and a later line says how many (LineWriter). `level` is trace, debug,
// info, warning, error or off. `service` is the name of the program in each line.
absl::Status InitLogging(absl::string_view level, LogFormat format, absl::string_view service);

// For a child after the fork, so that it counts its own dropped lines. It is worker `number`, from
// 1, of the service that the parent's InitLogging has named, and has the parent's format.
absl::Status InitWorkerLogging(absl::string_view level, int number);

// Of the last InitLogging, else text.
LogFormat log_format();

// kInvalidArgument: it is no level of InitLogging.
absl::Status CheckLogLevel(absl::string_view level);

// The log lines of this process that were dropped, since InitLogging. Any thread may call it, but
// not during InitLogging. It does not wait for a thread that writes a line.
uint64_t DroppedLogLines();

// Writes lines to stderr as they are, each with its newline, in the way of log lines. In JSON, each
// line that is not empty is the message of a log line of this level.
void PrintLines(absl::string_view lines, spdlog::level::level_enum level = spdlog::level::info);

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
