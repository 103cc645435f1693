#ifndef GROUPCAST_TOOLS_BENCH_LOAD_SERVER_PROCESS_H_
#define GROUPCAST_TOOLS_BENCH_LOAD_SERVER_PROCESS_H_

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace groupcast::bench {

// A server that this program has started, with all the processes that it has made. It does not
// outlive the program.
class ServerProcess {
 public:
  // `command` is the binary and its arguments. Its output goes to `directory`/`name`.log, and with
  // --ready_file it is told to write its port to a file there.
  //
  // Waits for that. An error has the end of its output. From then on descendants of a server that
  // has ended become this process's children (PR_SET_CHILD_SUBREAPER), so that it can wait for
  // them.
  static absl::StatusOr<std::unique_ptr<ServerProcess>> Start(const std::string& directory,
                                                              const std::string& name,
                                                              std::vector<std::string> command);
  // Kills it and its descendants (kill -9), and waits until they are gone.
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  pid_t pid() const { return pid_; }
  uint16_t port() const { return port_; }

 private:
  explicit ServerProcess(pid_t pid) : pid_(pid) {}

  const pid_t pid_;
  uint16_t port_ = 0;
};

}  // namespace groupcast::bench

#endif  // GROUPCAST_TOOLS_BENCH_LOAD_SERVER_PROCESS_H_
