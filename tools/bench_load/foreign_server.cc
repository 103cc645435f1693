// Runs a server that is not ours with the manners of ours: it says by a ready file that clients may
// come, and it ends, with every process that it has made, when whoever started it does, by whatever
// signal.
//
//   foreign_server --ready_file=FILE --port=PORT -- PROGRAM ARGUMENT...

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <limits>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "services/common/flags.h"
#include "services/common/posix.h"
#include "services/common/ready_file.h"
#include "tools/bench_load/process_tree.h"

ABSL_FLAG(std::string, ready_file, "", "written when the port accepts connections");
ABSL_FLAG(int, port, 0, "of 127.0.0.1, where the server will listen");

namespace groupcast::bench {
namespace {

constexpr timespec kLookEvery{.tv_sec = 0, .tv_nsec = 2'000'000};

sigset_t HandledSignals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGCHLD, SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  return set;
}

bool Accepts(uint16_t port) {
  const service::Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof(to)) == 0;
}

// Its processes that lose their parent become ours (PR_SET_CHILD_SUBREAPER), so all are found.
void EndDescendants() {
  do {
    for (const pid_t pid : ProcessTree({getpid()})) {
      if (pid != getpid()) kill(pid, SIGKILL);
    }
  } while (waitpid(-1, nullptr, 0) >= 0 || errno == EINTR);
}

pid_t Start(const std::vector<char*>& command) {
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid != 0) return pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);  // it died before the line above was reached
  const sigset_t handled = HandledSignals();
  sigprocmask(SIG_UNBLOCK, &handled, nullptr);
  execvp(command[0], command.data());
  std::perror(command[0]);
  _exit(127);
}

// Until the server ends by itself, or a signal says that it is to end: then it returns ok.
absl::Status Run(const std::vector<char*>& command) {
  const sigset_t handled = HandledSignals();
  sigprocmask(SIG_BLOCK, &handled, nullptr);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  // Until here it was SIGKILL, which leaves no time to end the others.
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  const pid_t server = Start(command);
  if (server < 0) return service::ErrnoStatus("fork");
  const auto port = static_cast<uint16_t>(absl::GetFlag(FLAGS_port));
  for (bool ready = false;;) {
    const int signal = sigtimedwait(&handled, nullptr, ready ? nullptr : &kLookEvery);
    if (signal == SIGCHLD) {
      for (pid_t ended; (ended = waitpid(-1, nullptr, WNOHANG)) > 0;) {
        if (ended == server) return absl::UnavailableError("the server has ended");
      }
    } else if (signal > 0) {
      return absl::OkStatus();
    }
    if (!ready && Accepts(port)) {
      absl::Status status =
          service::WriteReadyFile(absl::GetFlag(FLAGS_ready_file), {.port = port});
      if (!status.ok()) return status;
      ready = true;
    }
  }
}

}  // namespace
}  // namespace groupcast::bench

int main(int argc, char** argv) {
  std::vector<std::string> operands = groupcast::service::ParseCommandLine(
      argc, argv, "foreign_server [flags] -- PROGRAM ARGUMENT...",
      /*operands_max=*/std::numeric_limits<size_t>::max());
  std::vector<char*> command;
  for (std::string& operand : operands) command.push_back(operand.data());
  if (command.empty() || absl::GetFlag(FLAGS_port) <= 0 || absl::GetFlag(FLAGS_port) > 65'535) {
    std::fprintf(stderr, "foreign_server: it needs a --port and a program\n");
    return 2;
  }
  command.push_back(nullptr);
  const absl::Status status = groupcast::bench::Run(command);
  groupcast::bench::EndDescendants();
  if (status.ok()) return 0;
  std::fprintf(stderr, "foreign_server: %s: %s\n", command[0],
               std::string(status.message()).c_str());
  return 1;
}
