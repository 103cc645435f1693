#ifndef GROUPCAST_SERVICES_PROCESS_RELOAD_H_
#define GROUPCAST_SERVICES_PROCESS_RELOAD_H_

#include "absl/status/status.h"

namespace groupcast::service {

// Reads the program's flags again, because those in a --flagfile may have changed. A flag whose
// line is gone from the file has its default value again.
//
// kInvalidArgument: the flags cannot be read; none has changed. A child process tries first, since
// flags that cannot be read end the process. The process must have one thread.
absl::Status ParseFlagsAgain(int argc, char** argv);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_PROCESS_RELOAD_H_
