#include "tools/bench_load/process_tree.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <system_error>

#include "absl/strings/str_cat.h"

namespace groupcast::bench {
namespace {

// In clock ticks.
int64_t TicksOf(pid_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/stat"));
  const std::string stat{std::istreambuf_iterator<char>(file), {}};
  // The command name, in brackets, may hold anything; after it come the state, ten more fields,
  // and utime, stime, cutime and cstime.
  const size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return 0;
  std::istringstream fields(stat.substr(name_end + 1));
  std::string skipped;
  for (int i = 0; i < 11; ++i) fields >> skipped;
  int64_t total = 0;
  for (int i = 0; i < 4; ++i) {
    int64_t ticks = 0;
    fields >> ticks;
    total += ticks;
  }
  return total;
}

}  // namespace

std::vector<pid_t> ProcessTree(const std::vector<pid_t>& roots) {
  std::vector<pid_t> tree = roots;
  for (size_t i = 0; i < tree.size(); ++i) {
    std::error_code gone;
    const std::filesystem::path tasks = absl::StrCat("/proc/", tree[i], "/task");
    for (const auto& task : std::filesystem::directory_iterator(tasks, gone)) {
      std::ifstream children(task.path() / "children");
      for (pid_t child; children >> child;) tree.push_back(child);
    }
  }
  return tree;
}

absl::Duration CpuTimeOf(const std::vector<pid_t>& roots) {
  int64_t ticks = 0;
  for (const pid_t pid : ProcessTree(roots)) ticks += TicksOf(pid);
  return absl::Seconds(ticks) / sysconf(_SC_CLK_TCK);
}

int64_t PssOf(const std::vector<pid_t>& roots) {
  int64_t bytes = 0;
  for (const pid_t pid : ProcessTree(roots)) {
    std::ifstream rollup(absl::StrCat("/proc/", pid, "/smaps_rollup"));
    std::string line;
    std::getline(rollup, line);  // the address range
    for (std::string name; rollup >> name;) {
      int64_t kib = 0;
      rollup >> kib;
      if (name == "Pss:") bytes += kib * 1024;
      std::getline(rollup, line);
    }
  }
  return bytes;
}

int64_t PeakMemoryOf(const std::vector<pid_t>& roots) {
  int64_t bytes = 0;
  for (const pid_t pid : ProcessTree(roots)) {
    std::ifstream status(absl::StrCat("/proc/", pid, "/status"));
    for (std::string line; std::getline(status, line);) {
      if (line.rfind("VmHWM:", 0) == 0) bytes += 1'024 * std::stoll(line.substr(6));
    }
  }
  return bytes;
}

absl::Duration OwnCpuTime() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return absl::DurationFromTimeval(usage.ru_utime) + absl::DurationFromTimeval(usage.ru_stime);
}

}  // namespace groupcast::bench
