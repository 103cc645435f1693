#ifndef GROUPCAST_TOOLS_LOAD_PROCESS_COST_H_
#define GROUPCAST_TOOLS_LOAD_PROCESS_COST_H_

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "absl/time/time.h"

namespace groupcast::load {

// `root` and all its descendants, from /proc.
std::vector<pid_t> ProcessTree(pid_t root);

// User and system time of the processes so far, in the kernel's exact count (/proc/PID/schedstat of
// each thread).
absl::Duration CpuTime(const std::vector<pid_t>& pids);

// The proportional set size of all of them together, in bytes. Shared memory counts once.
int64_t PssBytes(const std::vector<pid_t>& pids);

}  // namespace groupcast::load

#endif  // GROUPCAST_TOOLS_LOAD_PROCESS_COST_H_
