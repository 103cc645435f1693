#ifndef GROUPCAST_SERVICES_CONNECTIONS_PEER_ADDRESS_H_
#define GROUPCAST_SERVICES_CONNECTIONS_PEER_ADDRESS_H_

#include <sys/socket.h>

#include <cstdint>

#include "services/common/ip_address.h"

namespace groupcast::service {

// What counts as one address for shares of memory: an IPv4 address, or the /64 network of an IPv6
// address, because one host may use all of its /64. Behind a NAT64 of the well-known prefix
// (64:ff9b::/96), it is the IPv4 address that the last 32 bits have. The two kinds cannot meet: no
// host has an IPv6 network that begins with 32 zero bits.
enum class PeerAddress : uint64_t {};

PeerAddress PeerAddressOf(const sockaddr_storage& address);
PeerAddress PeerAddressOf(const IpAddress& address);

// Of the peer of a connected socket. Zero: the peer has gone.
PeerAddress PeerAddressOf(int socket);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CONNECTIONS_PEER_ADDRESS_H_
