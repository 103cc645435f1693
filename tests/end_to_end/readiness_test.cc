// What a load balancer hears while a service stops: not ready, from the signal to the end.

#include <csignal>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/http_client.h"
#include "tests/support/http_gateway.h"
#include "tests/support/process.h"
#include "tests/support/services.h"
#include "tests/support/wait.h"

namespace groupcast::tests {
namespace {

// A worker that stands still has the whole drain time.
const Flags kFlags = {"--drain_time=1m"};

// `workers` are those of `process`, whose admin port this is.
void ExpectUnreadyWhileItDrains(Process* process, uint16_t admin_port,
                                const std::vector<pid_t>& workers) {
  const auto status_of = [admin_port](const std::string& path) {
    return HttpClient(admin_port).Get(path).status;
  };
  EXPECT_EQ(status_of("/readyz"), 200);
  for (const pid_t worker : workers) kill(worker, SIGSTOP);
  process->Signal(SIGTERM);
  WaitUntil("the service is not ready", [&] { return status_of("/readyz") == 503; });
  // No earlier than that, and nobody should start it again.
  for (const pid_t worker : workers) EXPECT_TRUE(IsAlive(worker));
  EXPECT_EQ(status_of("/healthz"), 200);
  EXPECT_EQ(status_of("/readyz"), 503);
  for (const pid_t worker : workers) kill(worker, SIGCONT);
  EXPECT_EQ(process->WaitForEnd(), 0);
  EXPECT_THROW(HttpClient{admin_port}, Failure);
}

TEST(ReadinessTest, AWebSocketServiceThatDrainsIsNotReady) {
  ChannelServer channel;
  WebSocketService service(channel, 2, kFlags);
  ExpectUnreadyWhileItDrains(&service.process(), service.admin_port(), service.WorkerPids());
}

TEST(ReadinessTest, AGatewayThatDrainsIsNotReady) {
  ChannelServer channel;
  HttpGateway gateway(channel, 2, kFlags);
  ExpectUnreadyWhileItDrains(&gateway.process(), gateway.admin_port(), gateway.WorkerPids());
}

}  // namespace
}  // namespace groupcast::tests
