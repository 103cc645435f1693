#ifndef GROUPCAST_SERVICES_COMMON_FLAGS_H_
#define GROUPCAST_SERVICES_COMMON_FLAGS_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace groupcast::service {

// The reading of a program's flags, which are Abseil's (ABSL_FLAG). absl::ParseCommandLine ends the
// process at a wrong flag, so it cannot read flags again in a running service. It also names
// neither the nearest flag nor the form of a value.
//
//   --name=VALUE, --name VALUE    one dash is as good as two
//   --name, --noname              of a bool
//   --flagfile=FILE               the file has one flag a line, and comments after #
//   --help, -h, --version
//   --                            what follows are operands
//
// If a flag is there twice, the last one counts.
struct CommandLine {
  bool wants_help = false;
  bool wants_version = false;
  std::vector<std::string> operands;  // the arguments that are no flags
};

// Reads the arguments after the program's name. Flags that are not there get their default values.
// kInvalidArgument: the message names the wrong argument and says what would be right. No flag has
// changed. After wants_help or wants_version no flag has changed either.
absl::StatusOr<CommandLine> ParseFlags(const std::vector<std::string>& arguments);

// The text of --help: `usage`, and all flags with the forms of their values and their defaults.
std::string FormatHelp(absl::string_view usage);

// For main(): reads the flags and returns the operands, of which there may be `operands_max`.
// It ends the process after --help and --version (with 0), and after an error on stderr (with 1).
std::vector<std::string> ParseCommandLine(int argc, char** argv, absl::string_view usage,
                                          size_t operands_max = 0);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_COMMON_FLAGS_H_
