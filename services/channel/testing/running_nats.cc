#include "services/channel/testing/running_nats.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace groupcast::service::testing {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(30);

}  // namespace

RunningNats::RunningNats(const std::vector<std::string>& options) {
  std::string pattern = absl::StrCat(::testing::TempDir(), "/nats.XXXXXX");
  if (mkdtemp(pattern.data()) == nullptr) ADD_FAILURE() << "mkdtemp";
  folder_ = pattern;
  std::vector<std::string> words = {"nats-server",
                                    "--addr=127.0.0.1",
                                    "--port=-1",
                                    "--jetstream",
                                    absl::StrCat("--store_dir=", folder_, "/store"),
                                    absl::StrCat("--ports_file_dir=", folder_),
                                    absl::StrCat("--log=", folder_, "/log")};
  words.insert(words.end(), options.begin(), options.end());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == parent) execvp("nats-server", arguments.data());
    _exit(127);
  }
  const absl::Time give_up = absl::Now() + kPatience;
  while (pid_ > 0 && !ReadPort() && absl::Now() < give_up) {
    // The number of a process that has ended may become another one's.
    if (waitpid(pid_, nullptr, WNOHANG) != 0) pid_ = -1;
    absl::SleepFor(absl::Milliseconds(5));
  }
  EXPECT_NE(port_, 0) << "nats-server does not listen; see Debian's package nats-server";
}

RunningNats::~RunningNats() {
  Signal(SIGKILL);
  if (pid_ > 0) waitpid(pid_, nullptr, 0);
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void RunningNats::Stop() { Signal(SIGSTOP); }
void RunningNats::Continue() { Signal(SIGCONT); }

void RunningNats::Signal(int signal) {
  if (pid_ > 0) kill(pid_, signal);
}

// {"nats": ["nats://127.0.0.1:43211"]}
bool RunningNats::ReadPort() {
  std::ifstream file(absl::StrCat(folder_, "/nats-server_", pid_, ".ports"));
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  constexpr absl::string_view kBefore = "127.0.0.1:";
  const size_t at = absl::string_view(text).rfind(kBefore);
  if (at == std::string::npos || text.find('}') == std::string::npos) return false;
  const absl::string_view rest = absl::string_view(text).substr(at + kBefore.size());
  uint32_t port = 0;
  if (!absl::SimpleAtoi(rest.substr(0, rest.find('"')), &port)) return false;
  port_ = static_cast<uint16_t>(port);
  return true;
}

}  // namespace groupcast::service::testing
