#ifndef GROUPCAST_SERVICES_METRICS_ADMIN_SERVER_H_
#define GROUPCAST_SERVICES_METRICS_ADMIN_SERVER_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/common/posix.h"
#include "services/http/origin_policy.h"

namespace groupcast::service {

struct AdminServerOptions {
  // Connections at the same time. A further one ends the oldest, so nobody can hold the port.
  size_t connections_max = 16;
  size_t head_bytes_max = 8 * 1024;
  // From the accept to the end of the answer. After it, the connection is closed.
  absl::Duration request_timeout = absl::Seconds(10);
  // How often it calls `on_tick`.
  absl::Duration tick = absl::Milliseconds(250);
};

// The answers. The server calls them from the thread that runs it, so what they read must be safe
// to read there: shared memory, or atomics that another thread publishes. They must not block and
// must not log: a logger belongs to one thread.
struct AdminPages {
  // The body of /metrics (Families::Text). It must not be null.
  std::function<std::string()> metrics;
  // Empty: the service is ready. Else one sentence about the reason. It must not be null.
  std::function<std::string()> why_not_ready;
  // Null: no call.
  std::function<void()> on_tick = nullptr;
};

// The HTTP server of a service's admin port. It answers GET and HEAD:
//
//   /metrics  all metrics in Prometheus' text format
//   /healthz  200 while the process lives
//   /readyz   200 if the service can be used, else 503 with a sentence
//
// Another path is 404, another method is 405. It answers one request of a connection and closes
// the connection. `hosts` decides which names of the host requests may give (DNS rebinding), and
// which pages may ask.
//
// It has an event loop of its own and blocks nobody. Two ways to use it:
//
//   In a process of its own       server->Run();
//   Beside the loop of a service  std::thread thread([&] { server->Run(); });
//                                 ...
//                                 server->Stop();  // from any thread
//                                 thread.join();
class AdminServer {
 public:
  // `listener` is a listening socket (OpenAdminListener). Create it after fork(2).
  static absl::StatusOr<std::unique_ptr<AdminServer>> Create(
      Fd listener, OriginPolicy hosts, AdminPages pages, const AdminServerOptions& options = {});
  ~AdminServer();
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

  // Serves until Stop. Only one thread may run it.
  void Run();
  // Any thread may call it, also before Run.
  void Stop();

 private:
  class Server;
  class Connection;

  explicit AdminServer(std::unique_ptr<Server> server);

  const std::unique_ptr<Server> server_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_METRICS_ADMIN_SERVER_H_
