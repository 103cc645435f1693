#ifndef GROUPCAST_SERVICES_COMMON_LOG_LINE_H_
#define GROUPCAST_SERVICES_COMMON_LOG_LINE_H_

#include <sys/types.h>

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace groupcast::service {

// The process that a log line comes from.
struct LogSource {
  std::string service;
  int worker = 0;  // its number; 0: it is not a worker
  pid_t pid = 0;
};

// A log line for machines: one JSON object (RFC 8259) and a newline. Its fields are, in this order,
// `time` (RFC 3339, UTC, milliseconds), `level`, `service`, `worker` (of a worker alone), `pid` and
// `message`.
//
// The message may have any bytes. What is not UTF-8 becomes U+FFFD, and control characters are
// escaped. The line has at most `bytes_max` bytes: a longer message is cut and ends with
// "... (cut)". `bytes_max` must be enough for the other fields and the mark.
std::string FormatJsonLogLine(absl::Time time, absl::string_view level, const LogSource& source,
                              absl::string_view message, size_t bytes_max);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_COMMON_LOG_LINE_H_
