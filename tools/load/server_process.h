#ifndef GROUPCAST_TOOLS_LOAD_SERVER_PROCESS_H_
#define GROUPCAST_TOOLS_LOAD_SERVER_PROCESS_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace groupcast::load {

// A service that this program starts, kills and starts again. It does not outlive the program.
class ServerProcess {
 public:
  // Its output is appended to `directory`/`name`.log, and its ready file is there too.
  ServerProcess(std::string binary, std::string directory, std::string name)
      : binary_(std::move(binary)), directory_(std::move(directory)), name_(std::move(name)) {}
  // Kills it.
  ~ServerProcess() { Kill(); }
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  // Runs it with these arguments and --ready_file. It must not run already.
  absl::Status Start(const std::vector<std::string>& arguments);
  // kill -9, waited for.
  void Kill();

  pid_t pid() const { return pid_; }
  // Just before the present process was made.
  absl::Time started() const { return started_; }

  // The port in its ready file; nothing: it is not there yet.
  std::optional<uint16_t> Port() const;
  // The same, waited for. An error has the end of its output.
  absl::StatusOr<uint16_t> WaitUntilReady();

 private:
  std::string Path(const char* suffix) const { return directory_ + "/" + name_ + suffix; }

  const std::string binary_;
  const std::string directory_;
  const std::string name_;
  pid_t pid_ = -1;
  absl::Time started_;
};

}  // namespace groupcast::load

#endif  // GROUPCAST_TOOLS_LOAD_SERVER_PROCESS_H_
