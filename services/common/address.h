#ifndef GROUPCAST_SERVICES_COMMON_ADDRESS_H_
#define GROUPCAST_SERVICES_COMMON_ADDRESS_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace groupcast::service {

// Addresses as text. Options take an IPv6 host with or without brackets, and inside it has none.
// What is printed with a port has them, so that it can be pasted into a URL or an option.

// Returns "HOST:PORT", with brackets around an IPv6 host.
std::string HostPort(absl::string_view host, uint16_t port);

// Returns the host as a URL has it: with brackets around an IPv6 host.
std::string UrlHost(absl::string_view host);

// Removes the brackets around a host. A text without them stays as it is.
absl::string_view WithoutBrackets(absl::string_view host);

// Whether the host is an IPv4 address of four decimal numbers, or an IPv6 address. Other spellings
// of an address, such as 127.1, do not count.
bool IsIpAddress(absl::string_view host);

// Whether only this machine reaches the host: "localhost", 127.0.0.0/8 (also in an IPv6 address) or
// ::1.
bool IsLoopback(absl::string_view host);

// Returns the address of a connected socket's peer, without its port. "a peer without an address"
// if the connection has ended.
std::string PeerHost(int socket);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_COMMON_ADDRESS_H_
