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
  // Appends its output to `directory`/`name`.log. Its ready file is there too.
  ServerProcess(std::string binary, std::string directory, std::string name)
      : binary_(std::move(binary)), directory_(std::move(directory)), name_(std::move(name)) {}
  // Kills it.
  ~ServerProcess() { Kill(); }
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  // Starts it with these arguments and --ready_file. It must not run already.
  absl::Status Start(const std::vector<std::string>& arguments);
  // Kills it with kill -9 and waits for its end.
  void Kill();

  pid_t pid() const { return pid_; }
  // The time immediately before the present process started.
  absl::Time started() const { return started_; }

  // The port in its ready file; nothing: the file is not there yet.
  std::optional<uint16_t> Port() const;
  // Waits for the ready file and returns the same. An error has the end of the output.
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
