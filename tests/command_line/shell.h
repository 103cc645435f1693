#ifndef GROUPCAST_TESTS_COMMAND_LINE_SHELL_H_
#define GROUPCAST_TESTS_COMMAND_LINE_SHELL_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "tests/support/http_gateway.h"
#include "tests/support/process.h"
#include "tests/support/services.h"

namespace groupcast::tests {

// What a script of bash has done.
struct ShellResult {
  int status = 0;
  std::string out;
  std::string err;
};

// A script of bash that runs beside the test. In it, `groupcast` is the command line. The shell is
// replaced by its last command if that begins with `exec`, so that a signal reaches it.
class Shell {
 public:
  explicit Shell(absl::string_view script);

  Process& process() { return *process_; }
  // What it has written so far.
  std::string Out() const;
  std::string Err() const;
  void WaitForOut(absl::string_view text);
  void WaitForErr(absl::string_view text);
  ShellResult WaitForEnd();

 private:
  const std::string out_path_;
  const std::string err_path_;
  std::unique_ptr<Process> process_;
};

// The result of a script that ends by itself.
ShellResult RunShell(absl::string_view script);

// Real services, and an environment in which the command line finds them.
class Installation {
 public:
  explicit Installation(const Flags& websocket_flags = {});

  ChannelServer& channel() { return channel_; }
  WebSocketService& service() { return service_; }
  // Starts the gateway at the first call.
  HttpGateway& gateway();

  // Waits until the workers have this number of memberships.
  void AwaitMemberships(int64_t count);

 private:
  ChannelServer channel_;
  WebSocketService service_;
  std::unique_ptr<HttpGateway> gateway_;
};

}  // namespace groupcast::tests

#endif  // GROUPCAST_TESTS_COMMAND_LINE_SHELL_H_
