#include "services/websocket_service/connection/peer_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstring>

namespace groupcast::service {

PeerAddress PeerAddressOf(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, &address, sizeof(v4));
    return PeerAddress{ntohl(v4.sin_addr.s_addr)};
  }
  if (address.ss_family != AF_INET6) return PeerAddress{};
  sockaddr_in6 v6;
  std::memcpy(&v6, &address, sizeof(v6));
  const uint8_t* const bytes = v6.sin6_addr.s6_addr;
  // An IPv4 client of a socket that listens on both has its address in the last four bytes.
  const int first = IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr) ? 12 : 0;
  const int count = first == 12 ? 4 : 8;
  uint64_t number = 0;
  for (int i = 0; i < count; ++i) number = number << 8 | bytes[first + i];
  return PeerAddress{number};
}

PeerAddress PeerAddressOf(int socket) {
  sockaddr_storage address{};
  socklen_t bytes = sizeof(address);
  if (getpeername(socket, reinterpret_cast<sockaddr*>(&address), &bytes) != 0) return {};
  return PeerAddressOf(address);
}

}  // namespace groupcast::service
