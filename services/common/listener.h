#ifndef GROUPCAST_SERVICES_COMMON_LISTENER_H_
#define GROUPCAST_SERVICES_COMMON_LISTENER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/common/posix.h"

namespace groupcast::service {

struct Listeners {
  std::vector<Fd> sockets;
  uint16_t port = 0;
};

// kInvalidArgument: `address` is no IP address. An IPv6 address may be in brackets.
absl::Status CheckListenAddress(const std::string& address);

// Opens `count` listening sockets on one address and port (0: a free one). The kernel spreads
// connections among them (SO_REUSEPORT).
//
// kAlreadyExists: a process listens there already. It may be another service of this kind.
// Otherwise it could share the port and take half of the connections.
// kNotFound: this machine does not have the address.
// Also returns the errors of CheckListenAddress.
absl::StatusOr<Listeners> OpenListeners(const std::string& address, uint16_t port, int count);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_COMMON_LISTENER_H_
