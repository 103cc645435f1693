#ifndef GROUPCAST_SERVICES_COMMON_HOST_LOOKUP_H_
#define GROUPCAST_SERVICES_COMMON_HOST_LOOKUP_H_

#include <sys/socket.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/common/event_loop.h"
#include "services/common/posix.h"

namespace groupcast::service {

// An address for connect(2).
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  int family() const { return storage.ss_family; }
};

// Looks a host name up without a wait in the loop: getaddrinfo(3) runs in a thread of its own. The
// thread may outlive this object, because the call cannot be ended; then its result is dropped.
//
// Not thread-safe; it lives on its loop. Not before fork(2).
class HostLookup final : private EventHandler {
 public:
  // In the order of RFC 6724, at least one.
  using Addresses = std::vector<SocketAddress>;
  // kNotFound: there is no such host. kUnavailable: it cannot be looked up now. The messages are
  // sentences without a period.
  using Done = std::function<void(absl::StatusOr<Addresses>)>;

  // `done` is called once from the loop, and may destroy this object. The caller has a time-out of
  // its own: a lookup may take very long, and in a process without free descriptors it never ends.
  HostLookup(EventLoop* loop, const std::string& host, uint16_t port, Done done);
  ~HostLookup();
  HostLookup(const HostLookup&) = delete;
  HostLookup& operator=(const HostLookup&) = delete;

  // The address of a text like 127.0.0.1 or ::1. kInvalidArgument: it is a name.
  static absl::StatusOr<Addresses> OfNumbers(const std::string& host, uint16_t port);

 private:
  struct Shared;

  void OnEvents(uint32_t events) override;

  EventLoop* const loop_;
  const Done done_;
  const std::shared_ptr<Shared> shared_;
  bool is_watched_ = false;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_COMMON_HOST_LOOKUP_H_
