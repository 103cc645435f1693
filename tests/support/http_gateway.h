#ifndef GROUPCAST_TESTS_SUPPORT_HTTP_GATEWAY_H_
#define GROUPCAST_TESTS_SUPPORT_HTTP_GATEWAY_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/process.h"
#include "tests/support/services.h"

namespace groupcast::tests {

inline constexpr char kHttpGatewayBinary[] = "services/http_gateway/http_gateway";

// An HTTP gateway on a free port that is ready.
class HttpGateway {
 public:
  // `output`: as for Process.
  explicit HttpGateway(const ChannelServer& channel, int workers = 1, const Flags& flags = {},
                       std::optional<int> output = std::nullopt);
  // When it returns, no worker is left.
  ~HttpGateway();

  uint16_t port() const { return ports_.port; }
  uint16_t admin_port() const { return ports_.admin_port; }
  Process& process() { return *process_; }
  std::vector<pid_t> WorkerPids() const { return WorkersOf(process_->pid()); }

  // Kills the supervisor with kill -9, and waits for its end and that of its workers.
  void Kill();
  // Starts it again after its end, on the same ports and with the same flags. It is ready when its
  // channel is there: this does not wait for it.
  void StartAgain();
  bool IsReady() const;

 private:
  Flags flags_;
  std::optional<int> output_;
  ReadyPorts ports_;
  std::string ready_file_;
  std::unique_ptr<Process> process_;
};

}  // namespace groupcast::tests

#endif  // GROUPCAST_TESTS_SUPPORT_HTTP_GATEWAY_H_
