#include "tests/support/memory.h"

#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/support/wait.h"

namespace groupcast::tests {

int64_t AnonymousMemoryKib(pid_t pid) {
  std::ifstream status(absl::StrCat("/proc/", pid, "/status"));
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("RssAnon:", 0) == 0) return std::stoll(line.substr(8));
  }
  throw Failure("there is no such process");
}

}  // namespace groupcast::tests
