#include "tools/load/server_process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/common/posix.h"

namespace groupcast::load {
namespace {

// Reading a large log takes a while.
constexpr absl::Duration kPatience = absl::Minutes(2);
constexpr absl::Duration kLookEvery = absl::Milliseconds(1);

// How much of its output an error has.
constexpr size_t kLastWordsBytes = 1'000;

std::string ReadWhole(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

absl::Status ServerProcess::Start(const std::vector<std::string>& arguments) {
  const std::string ready_file = Path(".ready");
  unlink(ready_file.c_str());
  std::vector<std::string> words = {binary_, "--ready_file=" + ready_file};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const service::Fd output(
      open(Path(".log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!output.valid()) return service::ErrnoStatus(Path(".log"));
  started_ = absl::Now();
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ < 0) return service::ErrnoStatus("fork");
  if (pid_ > 0) return absl::OkStatus();
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);  // it died before the line above was reached
  dup2(output.get(), STDOUT_FILENO);
  dup2(output.get(), STDERR_FILENO);
  execv(argv[0], argv.data());
  _exit(127);
}

void ServerProcess::Kill() {
  if (pid_ < 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

std::optional<uint16_t> ServerProcess::Port() const {
  std::ifstream file(Path(".ready"));
  int port = 0;
  if (!file.ignore(100, ':') || !(file >> port)) return std::nullopt;
  return static_cast<uint16_t>(port);
}

absl::StatusOr<uint16_t> ServerProcess::WaitUntilReady() {
  for (;;) {
    if (const std::optional<uint16_t> port = Port()) return *port;
    const bool ended = waitpid(pid_, nullptr, WNOHANG) == pid_;
    if (ended || absl::Now() - started_ > kPatience) {
      if (ended) pid_ = -1;
      const std::string words = ReadWhole(Path(".log"));
      return absl::UnavailableError(
          absl::StrCat(name_, " did not become ready: ",
                       words.substr(words.size() - std::min(words.size(), kLastWordsBytes))));
    }
    absl::SleepFor(kLookEvery);
  }
}

}  // namespace groupcast::load
