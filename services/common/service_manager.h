#ifndef GROUPCAST_SERVICES_COMMON_SERVICE_MANAGER_H_
#define GROUPCAST_SERVICES_COMMON_SERVICE_MANAGER_H_

#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/common/logging.h"
#include "services/common/posix.h"

namespace groupcast::service {

// Tells the service manager that started this process about the service's state, in systemd's
// protocol (sd_notify(3)). Without a manager that wants to know it, every call does nothing.
//
// No call waits for the manager. A state that the manager cannot take at once is sent again on a
// later turn, or gives way to a newer one. (libsystemd's own sd_notify waits without a limit while
// the manager does not read.)
//
// Not thread-safe. `now` is monotonic.
class ServiceManager {
 public:
  // The longest status, in bytes. A longer one is cut.
  static constexpr size_t kStatusBytesMax = 512;
  // The time between two attempts to send what the manager did not take.
  static constexpr absl::Duration kRetryPeriod = absl::Milliseconds(100);

  // Takes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID out of the environment, so that no child
  // can take itself for the service. A warning is logged if NOTIFY_SOCKET is not usable.
  static ServiceManager FromEnvironment();

  // There is no manager.
  ServiceManager() = default;

  // `status` is one sentence for people: `systemctl status` shows it. It is UTF-8.
  void Status(absl::string_view status);

  // The service can be used. It is also the end of a reload.
  void Ready(absl::string_view status);

  // The service takes up a new configuration, and goes on meanwhile. Ready must follow.
  void Reloading(absl::string_view status, absl::Time now);

  // The service is on its way to its end.
  void Stopping(absl::string_view status);

  // Call it in every turn of the loop whose standstill the manager must notice. It sends the sign
  // of life at half of the watchdog's time. It costs two comparisons when nothing is due.
  void OnTurn(absl::Time now) {
    if (now >= next_) SendDue(now);
  }

  // For a child after the fork: it has no manager, and does not keep the socket.
  void Disown() { *this = ServiceManager(); }

 private:
  explicit ServiceManager(Fd socket) : socket_(std::move(socket)) {}

  // An empty `state` changes the status alone.
  void Tell(std::string state, absl::string_view status);
  // Sends `state` and `status` together. False: the manager has not taken them.
  bool SendUnsent();
  void SendDue(absl::Time now);
  // As SendUnsent.
  bool Send(absl::string_view text) const;

  Fd socket_;  // invalid: there is no manager
  sockaddr_un address_{};
  socklen_t address_bytes_ = 0;

  // What the manager has not taken yet, or empty.
  std::string unsent_state_;
  std::string unsent_status_;

  absl::Duration sign_period_ = absl::InfiniteDuration();
  absl::Time sign_at_ = absl::InfiniteFuture();  // the next sign of life
  absl::Time next_ = absl::InfiniteFuture();     // SendDue has something to do
  LogLimit failures_{absl::Minutes(1)};
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_COMMON_SERVICE_MANAGER_H_
