#ifndef GROUPCAST_TOOLS_BENCH_LOAD_PROCESS_TREE_H_
#define GROUPCAST_TOOLS_BENCH_LOAD_PROCESS_TREE_H_

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "absl/time/time.h"

// What processes cost, from /proc. Processes that have ended meanwhile count as nothing.

namespace groupcast::bench {

// These processes and all their descendants.
std::vector<pid_t> ProcessTree(const std::vector<pid_t>& roots);

// User and system time of the trees, in steps of a clock tick (10 ms): of all threads that are or
// were, and of children that have ended and were waited for.
absl::Duration CpuTimeOf(const std::vector<pid_t>& roots);

// Memory of the trees, in bytes, with what several processes share counted once (the proportional
// set size). What the kernel holds for sockets is not in it.
int64_t PssOf(const std::vector<pid_t>& roots);

// The most memory that each process of the trees has had so far, in bytes, added up. What several
// share counts for each. It costs the processes nothing.
int64_t PeakMemoryOf(const std::vector<pid_t>& roots);

// User and system time of this process.
absl::Duration OwnCpuTime();

}  // namespace groupcast::bench

#endif  // GROUPCAST_TOOLS_BENCH_LOAD_PROCESS_TREE_H_
