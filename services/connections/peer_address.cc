#include "services/connections/peer_address.h"

#include <cstddef>
#include <optional>

namespace groupcast::service {

PeerAddress PeerAddressOf(const IpAddress& address) {
  const size_t first = address.is_v4() ? 12 : 0;
  const size_t count = address.is_v4() ? 4 : 8;
  uint64_t number = 0;
  for (size_t i = 0; i < count; ++i) number = number << 8 | address.bytes[first + i];
  return PeerAddress{number};
}

PeerAddress PeerAddressOf(const sockaddr_storage& address) {
  const std::optional<IpAddress> ip = IpAddress::Of(address);
  return ip.has_value() ? PeerAddressOf(*ip) : PeerAddress{};
}

PeerAddress PeerAddressOf(int socket) {
  sockaddr_storage address{};
  socklen_t bytes = sizeof(address);
  if (getpeername(socket, reinterpret_cast<sockaddr*>(&address), &bytes) != 0) return {};
  return PeerAddressOf(address);
}

}  // namespace groupcast::service
