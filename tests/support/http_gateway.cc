#include "tests/support/http_gateway.h"

#include <algorithm>
#include <csignal>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/support/wait.h"

namespace groupcast::tests {

HttpGateway::HttpGateway(const ChannelServer& channel, int workers, const Flags& flags,
                         std::optional<int> output) {
  const std::string ready_file = NewTempPath("http_gateway.ready");
  Flags all = {"--port=0", "--admin_port=0", absl::StrCat("--workers=", workers),
               absl::StrCat("--channel=127.0.0.1:", channel.port()),
               absl::StrCat("--ready_file=", ready_file)};
  all.insert(all.end(), flags.begin(), flags.end());
  process_ = std::make_unique<Process>(kHttpGatewayBinary, all, output);
  ports_ = WaitForReadyPorts(process_.get(), ready_file);
}

HttpGateway::~HttpGateway() {
  const std::vector<pid_t> workers = ChildrenOf(process_->pid());
  process_->Signal(SIGKILL);
  process_->WaitForEnd();
  try {
    WaitUntil("the workers follow their supervisor",
              [&] { return std::none_of(workers.begin(), workers.end(), IsAlive); });
  } catch (const Failure& failure) {
    ADD_FAILURE() << failure.what();
  }
}

}  // namespace groupcast::tests
