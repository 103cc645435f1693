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

// A child process: a real binary with its output in a file. The destructor kills it, and the kernel
// kills it when the test dies, so a test leaves no process behind. If the test has failed by then,
// the destructor prints the end of the output.
class Process {
 public:
  // `binary` is a path below the workspace's root, as in runfiles, or absolute. Throws Failure if
  // it does not start. `output` replaces the file as the child's stdout and stderr, and the caller
  // keeps it.
  Process(const std::string& binary, const std::vector<std::string>& arguments,
          std::optional<int> output = std::nullopt);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  void Signal(int signal);
  // Stops it with SIGSTOP. When it returns, it stands still, or has ended.
  void Stop();
  // Stops its main thread alone, as a disk that does not answer does. Its other threads go on. When
  // it returns, the thread stands still. False: the system lets no process trace its children. One
  // thread of the test must make both calls.
  [[nodiscard]] bool StopMainThread();
  void ContinueMainThread();
  // Signals it and all processes of its group, as a terminal does. Its children are in its group.
  void SignalGroup(int signal);

  // Its exit code, or minus the signal that ended it; nullopt while it runs.
  std::optional<int> Poll();
  // Waits for its end and returns the same. Throws Failure if that takes too long.
  int WaitForEnd(absl::Duration patience = kPatience);

  // Its output on stdout and stderr so far.
  std::string Output() const;
  // Waits until the output contains `text`, without the first `from` bytes.
  void WaitForOutput(absl::string_view text, size_t from = 0, absl::Duration patience = kPatience);
  // Waits until the output contains `text` at least `times` times.
  void WaitForOutputTimes(absl::string_view text, int times, absl::Duration patience = kPatience);

 private:
  const std::string name_;
  std::string output_path_;
  pid_t pid_ = -1;
  std::optional<int> end_;
};

// Whether there is such a process. A process that has ended, and that its parent has not waited
// for, does not count.
bool IsAlive(pid_t pid);

// The living processes that `pid` forked, in ascending order.
std::vector<pid_t> ChildrenOf(pid_t pid);

// A path for a new file in the test's own directory.
std::string NewTempPath(absl::string_view name);

}  // namespace groupcast::tests

#endif  // GROUPCAST_TESTS_SUPPORT_PROCESS_H_
