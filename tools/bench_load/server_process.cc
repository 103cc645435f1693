#include "tools/bench_load/server_process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "services/common/posix.h"
#include "tools/bench_load/process_tree.h"

namespace groupcast::bench {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(20);
constexpr absl::Duration kLookEvery = absl::Milliseconds(2);

// How much of its output an error has.
constexpr size_t kLastWordsBytes = 1'000;

std::string EndOf(const std::string& path) {
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  return text.size() > kLastWordsBytes ? text.substr(text.size() - kLastWordsBytes) : text;
}

absl::StatusOr<pid_t> Spawn(std::vector<std::string>* command, const std::string& log) {
  std::vector<char*> argv;
  for (std::string& word : *command) argv.push_back(word.data());
  argv.push_back(nullptr);
  const service::Fd output(open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!output.valid()) return service::ErrnoStatus(log);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) return service::ErrnoStatus("fork");
  if (pid > 0) return pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);  // it died before the line above was reached
  dup2(output.get(), STDOUT_FILENO);
  dup2(output.get(), STDERR_FILENO);
  execv(argv[0], argv.data());
  _exit(127);
}

}  // namespace

absl::StatusOr<std::unique_ptr<ServerProcess>> ServerProcess::Start(
    const std::string& directory, const std::string& name, std::vector<std::string> command) {
  const std::string ready_file = absl::StrCat(directory, "/", name, ".ready");
  const std::string log = absl::StrCat(directory, "/", name, ".log");
  unlink(ready_file.c_str());
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  command.push_back("--ready_file=" + ready_file);
  const absl::StatusOr<pid_t> pid = Spawn(&command, log);
  if (!pid.ok()) return pid.status();
  std::unique_ptr<ServerProcess> server(new ServerProcess(*pid));
  const absl::Time until = absl::Now() + kPatience;
  for (;;) {
    std::ifstream file(ready_file);
    int port = 0;
    if (file.ignore(100, ':') && file >> port) {
      server->port_ = static_cast<uint16_t>(port);
      return server;
    }
    siginfo_t end{};
    waitid(P_PID, static_cast<id_t>(*pid), &end, WEXITED | WNOHANG | WNOWAIT);
    if (end.si_pid != 0 || absl::Now() > until) {
      return absl::UnavailableError(absl::StrCat(name, " did not become ready: ", EndOf(log)));
    }
    absl::SleepFor(kLookEvery);
  }
}

ServerProcess::~ServerProcess() {
  const std::vector<pid_t> tree = ProcessTree({pid_});
  for (const pid_t pid : tree) kill(pid, SIGKILL);
  // Parents first: their death makes the others ours.
  for (const pid_t pid : tree) waitpid(pid, nullptr, 0);
}

}  // namespace groupcast::bench
