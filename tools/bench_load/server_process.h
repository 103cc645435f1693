#ifndef GROUPCAST_TOOLS_BENCH_LOAD_SERVER_PROCESS_H_
#define GROUPCAST_TOOLS_BENCH_LOAD_SERVER_PROCESS_H_

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/load/server_process.h"

namespace groupcast::bench {

// A server that this program started, with all the processes that it created. It does not outlive
// the program.
class ServerProcess {
 public:
  // `command` is the binary and its arguments. Its files are in `directory`, named `name`. Start
  // waits until it is ready. An error has the end of its output.
  //
  // From now on the descendants of an ended server become this process's children
  // (PR_SET_CHILD_SUBREAPER), so that it can wait for them.
  static absl::StatusOr<std::unique_ptr<ServerProcess>> Start(const std::string& directory,
                                                              const std::string& name,
                                                              std::vector<std::string> command);
  // The same for a foreign program that will listen on this port, run by foreign_server, a binary.
  static absl::StatusOr<std::unique_ptr<ServerProcess>> StartForeign(
      const std::string& foreign_server, uint16_t port, const std::string& directory,
      const std::string& name, const std::vector<std::string>& command);
  // Kills it and its descendants (kill -9), and waits for their end.
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  // The server's own id, not that of foreign_server.
  pid_t pid() const { return pid_; }
  uint16_t port() const { return port_; }

 private:
  ServerProcess(std::string binary, std::string directory, std::string name)
      : root_(std::move(binary), std::move(directory), std::move(name)) {}

  load::ServerProcess root_;
  pid_t pid_ = -1;
  uint16_t port_ = 0;
};

}  // namespace groupcast::bench

#endif  // GROUPCAST_TOOLS_BENCH_LOAD_SERVER_PROCESS_H_
