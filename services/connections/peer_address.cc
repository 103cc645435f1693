#include "services/connections/peer_address.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace groupcast::service {
namespace {

// Of 64:ff9b::/96, under which a NAT64 shows IPv4 addresses (RFC 6052 section 2.1).
bool IsTranslated(const IpAddress& address) {
  constexpr std::array<uint8_t, 12> kPrefix = {0, 0x64, 0xff, 0x9b};
  return std::equal(kPrefix.begin(), kPrefix.end(), address.bytes.begin());
}

}  // namespace

PeerAddress PeerAddressOf(const IpAddress& address) {
  const bool is_v4 = address.is_v4() || IsTranslated(address);
  const size_t first = is_v4 ? 12 : 0;
  const size_t count = is_v4 ? 4 : 8;
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
