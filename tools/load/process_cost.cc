#include "tools/load/process_cost.h"

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace groupcast::load {

namespace fs = std::filesystem;

std::vector<pid_t> ProcessTree(pid_t root) {
  std::vector<pid_t> tree = {root};
  for (size_t i = 0; i < tree.size(); ++i) {
    std::ifstream children(absl::StrCat("/proc/", tree[i], "/task/", tree[i], "/children"));
    for (pid_t child; children >> child;) tree.push_back(child);
  }
  return tree;
}

absl::Duration CpuTime(const std::vector<pid_t>& pids) {
  absl::Duration total;
  for (const pid_t pid : pids) {
    std::error_code error;
    for (const auto& task : fs::directory_iterator(absl::StrCat("/proc/", pid, "/task"), error)) {
      int64_t on_cpu_ns = 0;
      std::ifstream(task.path() / "schedstat") >> on_cpu_ns;
      total += absl::Nanoseconds(on_cpu_ns);
    }
  }
  return total;
}

int64_t PssBytes(const std::vector<pid_t>& pids) {
  int64_t total = 0;
  for (const pid_t pid : pids) {
    std::ifstream rollup(absl::StrCat("/proc/", pid, "/smaps_rollup"));
    for (std::string line; std::getline(rollup, line);) {
      int64_t kib = 0;
      if (absl::StartsWith(line, "Pss:") && absl::SimpleAtoi(line.substr(4, line.size() - 7), &kib))
        total += kib * 1024;
    }
  }
  return total;
}

}  // namespace groupcast::load
