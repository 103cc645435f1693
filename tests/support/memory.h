#ifndef GROUPCAST_TESTS_SUPPORT_MEMORY_H_
#define GROUPCAST_TESTS_SUPPORT_MEMORY_H_

#include <sys/types.h>

#include <cstdint>

namespace groupcast::tests {

// The memory of a process that belongs to it alone, in KiB. Throws Failure if it is not there.
int64_t AnonymousMemoryKib(pid_t pid);

}  // namespace groupcast::tests

#endif  // GROUPCAST_TESTS_SUPPORT_MEMORY_H_
