#include "tools/bench_load/server_process.h"

#include <sys/prctl.h>
#include <sys/wait.h>

#include <csignal>

#include "absl/strings/str_cat.h"
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
  server->pid_ = server->root_.pid();
  return server;
}

absl::StatusOr<std::unique_ptr<ServerProcess>> ServerProcess::StartForeign(
    const std::string& foreign_server, uint16_t port, const std::string& directory,
    const std::string& name, const std::vector<std::string>& command) {
  std::vector<std::string> words = {foreign_server, absl::StrCat("--port=", port), "--"};
  words.insert(words.end(), command.begin(), command.end());
  auto server = Start(directory, name, std::move(words));
  if (!server.ok()) return server.status();
  // The root comes first, and its only child next.
  const std::vector<pid_t> tree = ProcessTree({(*server)->pid_});
  if (tree.size() < 2) return absl::UnavailableError(name + " has ended");
  (*server)->pid_ = tree[1];
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
