#include "tools/bench_load/server_process.h"

#include <sys/prctl.h>
#include <sys/wait.h>

#include <csignal>

#include "tools/bench_load/process_tree.h"

namespace groupcast::bench {

absl::StatusOr<std::unique_ptr<ServerProcess>> ServerProcess::Start(
    const std::string& directory, const std::string& name, std::vector<std::string> command) {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  std::unique_ptr<ServerProcess> server(new ServerProcess(command.front(), directory, name));
  command.erase(command.begin());
  if (absl::Status status = server->root_.Start(command); !status.ok()) return status;
  const absl::StatusOr<uint16_t> port = server->root_.WaitUntilReady();
  if (!port.ok()) return port.status();
  server->port_ = *port;
  return server;
}

ServerProcess::~ServerProcess() {
  if (root_.pid() < 0) return;  // it did not become ready
  const std::vector<pid_t> tree = ProcessTree({root_.pid()});
  for (const pid_t pid : tree) kill(pid, SIGKILL);
  // Parents first: their death makes the others ours.
  root_.Kill();
  for (const pid_t pid : tree) waitpid(pid, nullptr, 0);
}

}  // namespace groupcast::bench
