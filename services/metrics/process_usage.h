#ifndef GROUPCAST_SERVICES_METRICS_PROCESS_USAGE_H_
#define GROUPCAST_SERVICES_METRICS_PROCESS_USAGE_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>

namespace groupcast::service {

// What a process takes of its machine.
struct ProcessUsage {
  double cpu_seconds = 0;  // user and system, since its start
  uint64_t resident_bytes = 0;
  uint64_t open_files = 0;
};

// Reads it from /proc. A process that has ended, and that its parent has not waited for, still has
// its CPU time. nullopt: there is no such process, or it belongs to another user.
// It opens files, so a caller without a free descriptor gets nullopt too.
std::optional<ProcessUsage> ReadProcessUsage(pid_t pid);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_METRICS_PROCESS_USAGE_H_
