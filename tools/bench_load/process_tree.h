#ifndef GROUPCAST_TOOLS_BENCH_LOAD_PROCESS_TREE_H_
#define GROUPCAST_TOOLS_BENCH_LOAD_PROCESS_TREE_H_

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "absl/time/time.h"

// The cost of processes, from /proc. Processes that have ended count as nothing.

namespace groupcast::bench {

// These processes and all their descendants.
std::vector<pid_t> ProcessTree(const std::vector<pid_t>& roots);

// User and system time of the trees, in steps of a clock tick (10 ms). It includes all present and
// past threads, and children that have ended and were waited for.
absl::Duration CpuTimeOf(const std::vector<pid_t>& roots);

// Memory of the trees, in bytes. Shared memory counts once (the proportional set size). The
// kernel's memory for sockets is not included.
int64_t PssOf(const std::vector<pid_t>& roots);

// The sum of each process's maximum memory so far, in bytes. Shared memory counts for each process.
// To read it costs the processes nothing.
int64_t PeakMemoryOf(const std::vector<pid_t>& roots);

// User and system time of this process.
absl::Duration OwnCpuTime();

}  // namespace groupcast::bench

#endif  // GROUPCAST_TOOLS_BENCH_LOAD_PROCESS_TREE_H_
