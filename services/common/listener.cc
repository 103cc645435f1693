#include "services/common/listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/common/address.h"

namespace groupcast::service {
namespace {

constexpr int kBacklog = 4'096;

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;

  uint16_t port() const {
    const in_port_t port = storage.ss_family == AF_INET6
                               ? reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_port
                               : reinterpret_cast<const sockaddr_in*>(&storage)->sin_port;
    return ntohs(port);
  }
};

absl::StatusOr<Address> ParseAddress(const std::string& text, uint16_t port) {
  Address address;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
  const std::string host(text == "localhost" ? "127.0.0.1" : WithoutBrackets(text));
  if (inet_pton(AF_INET, host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    address.size = sizeof(*v4);
  } else if (inet_pton(AF_INET6, host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    address.size = sizeof(*v6);
  } else {
    return absl::InvalidArgumentError(absl::StrCat("\"", text, "\" is not an IP address"));
  }
  return address;
}

absl::StatusOr<Fd> Bind(const std::string& text, const Address& address, bool share) {
  Fd fd(socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return ErrnoStatus("socket");
  const int on = 1;
  // TIME_WAIT of an earlier run must not keep the port.
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (share) setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
  // Accepted sockets inherit it: a small frame must not wait for the acknowledgement of the one
  // before.
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.size) != 0) {
    const int error = errno;
    const absl::Status status =
        ErrnoStatus(absl::StrCat("cannot listen on ", HostPort(text, address.port())));
    if (error == EADDRINUSE) return absl::AlreadyExistsError(status.message());
    // For which Abseil has kAlreadyExists.
    if (error == EADDRNOTAVAIL) return absl::NotFoundError(status.message());
    return status;
  }
  return fd;
}

}  // namespace

absl::Status CheckListenAddress(const std::string& text) { return ParseAddress(text, 0).status(); }

absl::StatusOr<Listeners> OpenListeners(const std::string& text, uint16_t port, int count) {
  absl::StatusOr<Address> address = ParseAddress(text, port);
  if (!address.ok()) return address.status();
  if (port != 0) {
    // The sockets below would share the port with any that has SO_REUSEPORT too; this one does not.
    const absl::StatusOr<Fd> probe = Bind(text, *address, /*share=*/false);
    if (!probe.ok()) return probe.status();
  }
  Listeners listeners;
  for (int i = 0; i < count; ++i) {
    absl::StatusOr<Fd> fd = Bind(text, *address, /*share=*/true);
    if (!fd.ok()) return fd.status();
    if (listen(fd->get(), kBacklog) != 0) return ErrnoStatus("listen");
    if (i == 0) {
      // With port 0, the other sockets take the port of the first one.
      socklen_t size = sizeof(address->storage);
      if (getsockname(fd->get(), reinterpret_cast<sockaddr*>(&address->storage), &size) != 0) {
        return ErrnoStatus("getsockname");
      }
    }
    listeners.sockets.push_back(*std::move(fd));
  }
  listeners.port = address->port();
  return listeners;
}

}  // namespace groupcast::service
