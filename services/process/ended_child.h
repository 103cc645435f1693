#ifndef GROUPCAST_SERVICES_PROCESS_ENDED_CHILD_H_
#define GROUPCAST_SERVICES_PROCESS_ENDED_CHILD_H_

#include <sys/types.h>

#include <optional>
#include <string>

namespace groupcast::service {

// A child process that has ended, and that nobody has reaped yet: /proc still tells its CPU time.
struct EndedChild {
  pid_t pid = 0;
  double cpu_seconds = 0;  // of its whole life
};

// One of them, if there is one. It does not wait. Until ReapChild it may be the same one again.
std::optional<EndedChild> FindEndedChild();

// Takes it out of the system's table, where another process may get its pid then. Returns how it
// ended, as waitpid(2) has it.
int ReapChild(const EndedChild& child);

// How it ended, after its name: "exited with 1".
std::string ExitText(int status);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_PROCESS_ENDED_CHILD_H_
