#include "services/process/reload.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "absl/flags/parse.h"
#include "services/common/flags.h"
#include "services/common/posix.h"

namespace groupcast::service {

absl::Status ParseFlagsAgain(int argc, char** argv) {
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child < 0) return ErrnoStatus("fork");
  if (child == 0) {
    absl::ParseCommandLine(argc, argv);
    _exit(0);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return absl::InvalidArgumentError("the flags cannot be read");
  }
  ResetFlags();
  absl::ParseCommandLine(argc, argv);
  return absl::OkStatus();
}

}  // namespace groupcast::service
