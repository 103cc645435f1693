#ifndef GROUPCAST_SERVICES_PROCESS_RELOAD_H_
#define GROUPCAST_SERVICES_PROCESS_RELOAD_H_

#include "absl/status/status.h"

namespace groupcast::service {

// Reads the program's flags again, because flags in a --flagfile may have changed. A flag that the
// file does not have any more gets its default value again.
//
// kInvalidArgument: the flags cannot be read, and no flag has changed. A child process tries first,
// since unreadable flags end the process. The process must have one thread.
absl::Status ParseFlagsAgain(int argc, char** argv);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_PROCESS_RELOAD_H_
