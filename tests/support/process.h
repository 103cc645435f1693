#ifndef GROUPCAST_TESTS_SUPPORT_PROCESS_H_
#define GROUPCAST_TESTS_SUPPORT_PROCESS_H_

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "tests/support/wait.h"

namespace groupcast::tests {

// A child process: a real binary with its output in a file. It is killed when this is destroyed,
// and by the kernel when the test dies, so a test leaves none behind. If the test has failed by
// then, the end of its output is printed.
class Process {
 public:
  // `binary` is a path below the workspace's root, as in runfiles. Failure if it cannot be started.
  Process(const std::string& binary, const std::vector<std::string>& arguments);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  void Signal(int signal);

  // How it ended: its exit code, or minus the signal that ended it; nullopt while it runs.
  std::optional<int> Poll();
  // The same, when it has ended. Failure if that takes too long.
  int WaitForEnd(absl::Duration patience = kPatience);

  // What it has written to stdout and stderr so far.
  std::string Output() const;
  // Waits until that contains `text`, not looking at the first `from` bytes.
  void WaitForOutput(absl::string_view text, size_t from = 0, absl::Duration patience = kPatience);
  // Waits until it contains `text` at least so many times.
  void WaitForOutputTimes(absl::string_view text, int times, absl::Duration patience = kPatience);

 private:
  const std::string name_;
  std::string output_path_;
  pid_t pid_ = -1;
  std::optional<int> end_;
};

// Whether there is such a process; one that has ended but was not waited for by its parent is none.
bool IsAlive(pid_t pid);

// The processes that `pid` has forked and that are alive, in ascending order.
std::vector<pid_t> ChildrenOf(pid_t pid);

// A path of a file that does not exist yet, in the test's own directory.
std::string NewTempPath(absl::string_view name);

}  // namespace groupcast::tests

#endif  // GROUPCAST_TESTS_SUPPORT_PROCESS_H_
