#ifndef GROUPCAST_SERVICES_COMMON_FLAGS_H_
#define GROUPCAST_SERVICES_COMMON_FLAGS_H_

#include "absl/strings/string_view.h"

namespace groupcast::service {

// `--help` prints `usage` and the flags that the program's main.cc defines. Before
// ParseCommandLine.
void SetHelp(absl::string_view usage);

// Gives the flags that the program's main.cc defines their default values again.
void ResetFlags();

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_COMMON_FLAGS_H_
