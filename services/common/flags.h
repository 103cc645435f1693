#ifndef GROUPCAST_SERVICES_COMMON_FLAGS_H_
#define GROUPCAST_SERVICES_COMMON_FLAGS_H_

#include "absl/strings/string_view.h"

namespace groupcast::service {

// Makes `--help` print `usage` and the flags that the program's main.cc defines. Call it before
// ParseCommandLine.
void SetHelp(absl::string_view usage);

// Resets the flags that the program's main.cc defines to their default values.
void ResetFlags();

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_COMMON_FLAGS_H_
