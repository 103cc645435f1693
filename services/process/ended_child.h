#ifndef GROUPCAST_SERVICES_PROCESS_ENDED_CHILD_H_
#define GROUPCAST_SERVICES_PROCESS_ENDED_CHILD_H_

#include <sys/types.h>

#include <optional>
#include <string>

namespace groupcast::service {

// A child process that has ended.
struct EndedChild {
  pid_t pid = 0;
  int status = 0;          // as waitpid(2) has it
  double cpu_seconds = 0;  // of its whole life
};

// Takes one, if there is one. It does not wait.
std::optional<EndedChild> ReapChild();

// How it ended, after its name: "exited with 1".
std::string ExitText(int status);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_PROCESS_ENDED_CHILD_H_
