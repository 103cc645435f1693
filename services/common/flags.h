#ifndef GROUPCAST_SERVICES_COMMON_FLAGS_H_
#define GROUPCAST_SERVICES_COMMON_FLAGS_H_

#include <cstddef>
#include <functional>
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

// A value from another source, for a flag that the arguments do not name.
struct FlagPreset {
  std::string flag;
  std::string value;
  std::string place;  // the value's name in errors
};

// Returns the presets. At the call, the flags have the values of the arguments.
using FlagPresets = std::function<absl::StatusOr<std::vector<FlagPreset>>()>;

// Reads the arguments after the program's name. Flags that are not there get their presets, and the
// others get their default values.
// kInvalidArgument: the message names the wrong argument, or the place of the wrong preset, and
// says what would be right. No flag has changed. After wants_help or wants_version no flag has
// changed either.
// Also returns the errors of `presets`.
absl::StatusOr<CommandLine> ParseFlags(const std::vector<std::string>& arguments,
                                       const FlagPresets& presets = nullptr);

// The name of a flag's value in errors: the place of its preset, if it has one, and else "--flag".
// It is about the last ParseFlags that returned no error. Not thread-safe.
std::string FlagPlace(absl::string_view flag);

// Whether an argument or a preset gives the flag its value. Otherwise it has its default. As
// FlagPlace, it is about the last ParseFlags that returned no error, and not thread-safe.
bool IsFlagNamed(absl::string_view flag);

// Puts the place of the flag's preset before an error about its value. A value without a preset
// leaves the error as it is.
absl::Status AtPresetPlace(absl::string_view flag, const absl::Status& status);

// The text of --help: `usage`, and all flags with the forms of their values and their defaults.
std::string FormatHelp(absl::string_view usage);

// For main(): reads the flags and returns the operands, of which there may be `operands_max`.
// It ends the process after --help and --version (with 0), and after an error on stderr (with 1).
std::vector<std::string> ParseCommandLine(int argc, char** argv, absl::string_view usage,
                                          size_t operands_max = 0,
                                          const FlagPresets& presets = nullptr);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_COMMON_FLAGS_H_
