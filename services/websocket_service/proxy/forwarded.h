#ifndef GROUPCAST_SERVICES_WEBSOCKET_SERVICE_PROXY_FORWARDED_H_
#define GROUPCAST_SERVICES_WEBSOCKET_SERVICE_PROXY_FORWARDED_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/common/ip_address.h"

namespace groupcast::service {

// The header in which proxies write the addresses of their clients.
enum class ForwardedHeader : uint8_t {
  kXForwardedFor,  // X-Forwarded-For: 203.0.113.7, 10.0.0.5
  kForwarded,      // Forwarded: for=203.0.113.7;proto=https, for="[2001:db8::1]" (RFC 7239)
};

// The name of the header in a request.
absl::string_view NameOf(ForwardedHeader header);

// Which proxies are believed, and what they write.
struct ProxyPolicy {
  IpNetworks trusted;
  ForwardedHeader header = ForwardedHeader::kXForwardedFor;
  // Trusted proxies begin each connection with the header of the PROXY protocol, version 2.
  bool proxy_protocol = false;
};

// Returns the client's address. `peer` has made the connection, and `values` are those of the
// policy's header, in their order in the request.
//
// Each proxy appends the address from which it got the request. So the list is believed from its
// end, while those who have written it are trusted: it ends with the first address that is not
// trusted, or whose writer did not know or tell it. What is before that was written by strangers,
// and does not count. So it is not looked at, except that Forwarded must be well-formed as a whole.
//
// A peer that is not trusted is the client, whatever it writes. kInvalidArgument: a trusted proxy
// has written no address; the message says what is allowed.
absl::StatusOr<IpAddress> ClientAddress(const ProxyPolicy& policy, const IpAddress& peer,
                                        const std::vector<absl::string_view>& values);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_WEBSOCKET_SERVICE_PROXY_FORWARDED_H_
