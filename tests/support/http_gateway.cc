#include "tests/support/http_gateway.h"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/support/wait.h"

namespace groupcast::tests {

HttpGateway::HttpGateway(const ChannelServer& channel, int workers, const Flags& flags,
                         std::optional<int> output)
    : flags_({absl::StrCat("--workers=", workers),
              absl::StrCat("--channel=127.0.0.1:", channel.port())}),
      output_(output) {
  flags_.insert(flags_.end(), flags.begin(), flags.end());
  StartOnFreePorts(1, output_.has_value(), [this](uint16_t port) {
    ports_ = {.port = port};
    StartAgain();
    ports_ = WaitForReadyPorts(process_.get(), ready_file_);
  });
  if (ports_.admin_port != 0) AwaitAdmin(process_->pid());
}

HttpGateway::~HttpGateway() {
  try {
    Kill();
  } catch (const Failure& failure) {
    ADD_FAILURE() << failure.what();
  }
}

void HttpGateway::StartAgain() {
  ready_file_ = NewTempPath("http_gateway.ready");
  Flags all = {absl::StrCat("--port=", ports_.port),
               absl::StrCat("--admin_port=", ports_.admin_port),
               absl::StrCat("--ready_file=", ready_file_)};
  all.insert(all.end(), flags_.begin(), flags_.end());
  process_ = std::make_unique<Process>(kHttpGatewayBinary, all, output_);
}

bool HttpGateway::IsReady() const { return std::filesystem::exists(ready_file_); }

void HttpGateway::Kill() {
  process_->Stop();  // so that it forks no further worker
  const std::vector<pid_t> workers = ChildrenOf(process_->pid());
  process_->Signal(SIGKILL);
  process_->WaitForEnd();
  WaitUntil("the workers follow their supervisor",
            [&] { return std::none_of(workers.begin(), workers.end(), IsAlive); });
}

}  // namespace groupcast::tests
