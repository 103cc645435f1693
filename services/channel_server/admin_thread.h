#ifndef GROUPCAST_SERVICES_CHANNEL_SERVER_ADMIN_THREAD_H_
#define GROUPCAST_SERVICES_CHANNEL_SERVER_ADMIN_THREAD_H_

#include <memory>
#include <thread>

#include "absl/status/statusor.h"
#include "services/channel_server/server_report.h"
#include "services/metrics/admin_port.h"
#include "services/metrics/admin_server.h"

namespace groupcast::service {

// The admin port of a channel server, in a thread of its own. It answers while the server's loop
// reads its log or stands still, and the loop never waits for it.
class AdminThread {
 public:
  // The thread takes no signals. `report` must outlive it.
  static absl::StatusOr<std::unique_ptr<AdminThread>> Start(AdminPort port,
                                                            const ServerReport* report);
  // Ends the thread, and with it open connections.
  ~AdminThread();
  AdminThread(const AdminThread&) = delete;
  AdminThread& operator=(const AdminThread&) = delete;

 private:
  explicit AdminThread(std::unique_ptr<AdminServer> server);

  const std::unique_ptr<AdminServer> server_;
  std::thread thread_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_SERVER_ADMIN_THREAD_H_
