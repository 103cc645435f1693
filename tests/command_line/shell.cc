#include "tests/command_line/shell.h"

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/support/wait.h"

namespace groupcast::tests {
namespace {

std::string Content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  content << file.rdbuf();
  return content.str();
}

}  // namespace

Shell::Shell(absl::string_view script)
    : out_path_(NewTempPath("out")), err_path_(NewTempPath("err")) {
  process_ = std::make_unique<Process>(
      "/bin/bash",
      std::vector<std::string>{
          "-c", absl::StrCat("exec >'", out_path_, "' 2>'", err_path_, "' </dev/null\n",
                             "export PATH=\"$PWD/tools/groupcast:$PATH\"\n", script)});
}

std::string Shell::Out() const { return Content(out_path_); }
std::string Shell::Err() const { return Content(err_path_); }

void Shell::WaitForOut(absl::string_view text) {
  WaitUntil(absl::StrCat("stdout has ", text), [&] { return absl::StrContains(Out(), text); });
}

void Shell::WaitForErr(absl::string_view text) {
  WaitUntil(absl::StrCat("stderr has ", text), [&] { return absl::StrContains(Err(), text); });
}

ShellResult Shell::WaitForEnd() {
  const int status = process_->WaitForEnd();
  return {status, Out(), Err()};
}

ShellResult RunShell(absl::string_view script) { return Shell(script).WaitForEnd(); }

Installation::Installation(const Flags& websocket_flags)
    : service_(channel_, /*workers=*/2, websocket_flags) {
  setenv("GROUPCAST_URL", absl::StrCat("ws://127.0.0.1:", service_.port()).c_str(), 1);
  unsetenv("GROUPCAST_TOKEN");
  unsetenv("GROUPCAST_API_KEY");
  unsetenv("NO_COLOR");
  setenv("TERM", "xterm", 1);
}

HttpGateway& Installation::gateway() {
  if (gateway_ == nullptr) {
    gateway_ = std::make_unique<HttpGateway>(
        channel_, /*workers=*/1,
        Flags{absl::StrCat("--dashboard_services=127.0.0.1:", channel_.admin_port(),
                           ",127.0.0.1:", service_.admin_port())});
    setenv("GROUPCAST_GATEWAY", absl::StrCat("http://127.0.0.1:", gateway_->port()).c_str(), 1);
  }
  return *gateway_;
}

void Installation::AwaitMemberships(int64_t count) {
  WaitUntil(absl::StrCat(count, " memberships"), [&] {
    int64_t memberships = 0;
    for (const WebSocketService::WorkerRow& row : service_.Table()) memberships += row.memberships;
    return memberships == count;
  });
}

}  // namespace groupcast::tests
