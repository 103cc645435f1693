#ifndef GROUPCAST_TOOLS_GROUPCAST_EXIT_CODE_H_
#define GROUPCAST_TOOLS_GROUPCAST_EXIT_CODE_H_

#include "absl/status/status.h"

namespace groupcast::cli {

// How the program ends. docs/command_line.md has them too.
enum class ExitCode {
  kDone = 0,
  kFailed = 1,          // the server refused it, or something else failed
  kWrongUsage = 2,      // the arguments are wrong; nothing was tried
  kNotReachable = 3,    // there is no server at the address, or it can do nothing now
  kOutcomeUnknown = 4,  // a message was sent, and may or may not have its place
};

// The exit code of a command that ends with this status of the C++ client, or of HTTP.
ExitCode ExitCodeOf(const absl::Status& status);

}  // namespace groupcast::cli

#endif  // GROUPCAST_TOOLS_GROUPCAST_EXIT_CODE_H_
