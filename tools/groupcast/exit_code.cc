#include "tools/groupcast/exit_code.h"

namespace groupcast::cli {

ExitCode ExitCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return ExitCode::kDone;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kCancelled:  // the command gave up before it was done
      return ExitCode::kNotReachable;
    case absl::StatusCode::kUnknown:
      return ExitCode::kOutcomeUnknown;
    default:
      return ExitCode::kFailed;
  }
}

}  // namespace groupcast::cli
