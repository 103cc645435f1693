#ifndef GROUPCAST_SERVICES_METRICS_ADMIN_PORT_H_
#define GROUPCAST_SERVICES_METRICS_ADMIN_PORT_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "services/common/listener.h"
#include "services/http/origin_policy.h"

namespace groupcast::service {

// The place of a service's admin port, as its flags say.
struct AdminPlace {
  std::string address;
  int port = -1;  // 0: a free one; -1: there is none
  // A flag or the configuration gives the port. Otherwise it is the default, and the service can do
  // without it.
  bool is_named = false;

  bool is_off() const { return port < 0; }
};

// Reads --admin_address, which this library defines. The program defines --admin_port, because its
// default differs, and hands its value in. If the service itself takes a free port (`service_port`
// is 0), the default becomes a free port too.
// kInvalidArgument: the message names the flag.
absl::StatusOr<AdminPlace> ReadAdminPlace(int admin_port, int service_port);

// An open admin port, for AdminServer.
struct AdminPort {
  Fd listener;
  uint16_t port = 0;
  OriginPolicy hosts;
};

// nullopt: the port is off, or it is the default and in use. A port that is in use gets a warning,
// and so does one that other machines reach, so call it from the thread that logs.
// kAlreadyExists: a port that is named is in use. Other errors: the port cannot be opened. The
// message names the flag.
absl::StatusOr<std::optional<AdminPort>> OpenAdminPort(const AdminPlace& place);

// A line for the table that a service prints. Empty: there is no admin port.
std::string MetricsNote(const AdminPlace& place, uint16_t port);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_METRICS_ADMIN_PORT_H_
