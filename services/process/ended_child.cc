#include "services/process/ended_child.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "absl/strings/str_cat.h"

namespace groupcast::service {
namespace {

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

}  // namespace

std::optional<EndedChild> FindEndedChild() {
  siginfo_t ended{};
  rusage usage{};
  // The C library's function does not have the system call's last argument.
  if (syscall(SYS_waitid, P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT, &usage) != 0 ||
      ended.si_pid == 0) {
    return std::nullopt;
  }
  return EndedChild{.pid = ended.si_pid,
                    .cpu_seconds = Seconds(usage.ru_utime) + Seconds(usage.ru_stime)};
}

int ReapChild(const EndedChild& child) {
  int status = 0;
  waitpid(child.pid, &status, 0);
  return status;
}

std::string ExitText(int status) {
  if (WIFSIGNALED(status)) return absl::StrCat("was ended by ", strsignal(WTERMSIG(status)));
  return absl::StrCat("exited with ", WEXITSTATUS(status));
}

}  // namespace groupcast::service
