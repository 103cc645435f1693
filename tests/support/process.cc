#include "tests/support/process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"

namespace groupcast::tests {
namespace {

// How much of a process's output is printed when a test has failed.
constexpr size_t kTailBytes = 4'000;

// What can be read of it: a file in /proc ends in an error when its process does.
std::string ReadFile(const std::string& path) {
  std::string text;
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return text;
  char buffer[16 * 1024];
  for (ssize_t count; (count = read(fd, buffer, sizeof(buffer))) > 0;)
    text.append(buffer, static_cast<size_t>(count));
  close(fd);
  return text;
}

std::string Environment(const char* name, const std::string& otherwise) {
  const char* const value = std::getenv(name);
  return value != nullptr ? value : otherwise;
}

std::string Runfile(const std::string& path) {
  if (absl::StartsWith(path, "/")) return path;
  return absl::StrCat(Environment("TEST_SRCDIR", ".."), "/",
                      Environment("TEST_WORKSPACE", "groupcast"), "/", path);
}

// The exit code, or minus the signal.
int EndOf(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status); }

// Runs in the child: nothing here may allocate or lock.
[[noreturn]] void Become(const char* binary, char* const* argv, int output, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // The parent may have died before the line above was reached.
  if (getppid() != parent) _exit(127);
  setpgid(0, 0);
  const int none = open("/dev/null", O_RDONLY);
  dup2(none, STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  // A copy of a socket of the test's, as Asio opens them, would keep a connection open that the
  // test has closed.
  close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
  sigset_t nothing;
  sigemptyset(&nothing);
  sigprocmask(SIG_SETMASK, &nothing, nullptr);
  // As in a shell, whatever the test's own disposition is.
  for (const int signal : {SIGPIPE, SIGXFSZ}) std::signal(signal, SIG_DFL);
  execv(binary, argv);
  _exit(127);
}

}  // namespace

Process::Process(const std::string& binary, const std::vector<std::string>& arguments,
                 std::optional<int> output)
    : name_(binary.substr(binary.rfind('/') + 1)), output_path_(NewTempPath(name_ + ".log")) {
  const std::string path = Runfile(binary);
  std::vector<std::string> all = {path};
  all.insert(all.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& argument : all) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const int file = open(output_path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (file < 0 || access(path.c_str(), X_OK) != 0) throw Failure(absl::StrCat("cannot run ", path));
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ == 0) Become(path.c_str(), argv.data(), output.value_or(file), parent);
  close(file);
  if (pid_ < 0) throw Failure("cannot fork");
}

Process::~Process() {
  if (!Poll().has_value()) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  const std::string output = Output();
  // A worker's report, too: it would otherwise be seen as one more worker that was replaced.
  for (const char* report : {"ERROR: AddressSanitizer", "ERROR: LeakSanitizer",
                             "WARNING: ThreadSanitizer", "runtime error: "}) {
    if (absl::StrContains(output, report)) ADD_FAILURE() << report << " in the output of " << name_;
  }
  if (!::testing::Test::HasFailure() && std::uncaught_exceptions() == 0) return;
  const size_t from = output.size() - std::min(output.size(), kTailBytes);
  std::fprintf(stderr, "---- %s (pid %d) wrote:\n%s----\n", name_.c_str(), pid_,
               output.c_str() + from);
}

void Process::Signal(int signal) {
  if (!end_.has_value()) kill(pid_, signal);
}

void Process::Stop() {
  Signal(SIGSTOP);
  int status = 0;
  if (end_.has_value() || waitpid(pid_, &status, WUNTRACED) != pid_ || WIFSTOPPED(status)) return;
  end_ = EndOf(status);
}

bool Process::StopMainThread() {
  // SIGSTOP would stop all threads. A debugger stops them one by one.
  int status = 0;
  if (ptrace(PTRACE_SEIZE, pid_, nullptr, nullptr) != 0) return false;
  if (ptrace(PTRACE_INTERRUPT, pid_, nullptr, nullptr) != 0 ||
      waitpid(pid_, &status, __WALL) != pid_ || !WIFSTOPPED(status)) {
    throw Failure(absl::StrCat("cannot stop the main thread of ", name_));
  }
  return true;
}

void Process::ContinueMainThread() {
  if (ptrace(PTRACE_DETACH, pid_, nullptr, nullptr) != 0) {
    throw Failure(absl::StrCat("cannot continue the main thread of ", name_));
  }
}

void Process::SignalGroup(int signal) {
  if (!end_.has_value()) kill(-pid_, signal);
}

std::optional<int> Process::Poll() {
  int status = 0;
  if (!end_.has_value() && waitpid(pid_, &status, WNOHANG) == pid_) {
    end_ = EndOf(status);
  }
  return end_;
}

int Process::WaitForEnd(absl::Duration patience) {
  WaitUntil(
      absl::StrCat("the end of ", name_), [this] { return Poll().has_value(); }, patience);
  return *end_;
}

std::string Process::Output() const { return ReadFile(output_path_); }

void Process::WaitForOutput(absl::string_view text, size_t from, absl::Duration patience) {
  WaitUntil(
      absl::StrCat(name_, " writes \"", text, "\""),
      [&] { return Output().find(text.data(), from, text.size()) != std::string::npos; }, patience);
}

void Process::WaitForOutputTimes(absl::string_view text, int times, absl::Duration patience) {
  const auto count = [&] {
    const std::string output = Output();
    int found = 0;
    for (size_t at = 0; (at = output.find(text.data(), at, text.size())) != std::string::npos;
         at += text.size()) {
      ++found;
    }
    return found;
  };
  WaitUntil(
      absl::StrCat(name_, " writes \"", text, "\" ", times, " times"),
      [&] { return count() >= times; }, patience);
}

bool IsAlive(pid_t pid) {
  const std::string stat = ReadFile(absl::StrCat("/proc/", pid, "/stat"));
  // The state follows the name, which stands in parentheses and may contain some itself.
  const size_t state = stat.rfind(')') + 2;
  return state < stat.size() && stat[state] != 'Z' && stat[state] != 'X';
}

std::vector<pid_t> ChildrenOf(pid_t pid) {
  const std::string text = ReadFile(absl::StrCat("/proc/", pid, "/task/", pid, "/children"));
  std::vector<pid_t> children;
  for (const absl::string_view word : absl::StrSplit(text, ' ', absl::SkipWhitespace())) {
    const pid_t child = std::stoi(std::string(word));
    if (IsAlive(child)) children.push_back(child);
  }
  std::sort(children.begin(), children.end());
  return children;
}

std::string NewTempPath(absl::string_view name) {
  static int count = 0;
  return absl::StrCat(Environment("TEST_TMPDIR", "/tmp"), "/", getpid(), ".", ++count, ".", name);
}

}  // namespace groupcast::tests
