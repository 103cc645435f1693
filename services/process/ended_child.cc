#include "services/process/ended_child.h"

#include <sys/resource.h>
#include <sys/wait.h>

#include <cstring>

#include "absl/strings/str_cat.h"

namespace groupcast::service {
namespace {

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

}  // namespace

std::optional<EndedChild> ReapChild() {
  EndedChild child;
  rusage usage{};
  child.pid = wait4(-1, &child.status, WNOHANG, &usage);
  if (child.pid <= 0) return std::nullopt;
  child.cpu_seconds = Seconds(usage.ru_utime) + Seconds(usage.ru_stime);
  return child;
}

std::string ExitText(int status) {
  if (WIFSIGNALED(status)) return absl::StrCat("was ended by ", strsignal(WTERMSIG(status)));
  return absl::StrCat("exited with ", WEXITSTATUS(status));
}

}  // namespace groupcast::service
