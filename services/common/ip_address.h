#ifndef GROUPCAST_SERVICES_COMMON_IP_ADDRESS_H_
#define GROUPCAST_SERVICES_COMMON_IP_ADDRESS_H_

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace groupcast::service {

// An IPv4 or IPv6 address, in network order. An IPv4 address has its form in IPv6 (::ffff:a.b.c.d),
// so one address has one value.
struct IpAddress {
  std::array<uint8_t, 16> bytes{};

  // Of the usual text, without port, brackets and zone. Null: it is no address.
  static std::optional<IpAddress> Parse(absl::string_view text);
  // Null: it is of another family.
  static std::optional<IpAddress> Of(const sockaddr_storage& address);
  // Of the peer of a connected socket. Null: the peer has gone.
  static std::optional<IpAddress> OfPeer(int socket);

  bool is_v4() const;
  // As people write it: "10.0.0.5", "2001:db8::1".
  std::string Text() const;

  bool operator==(const IpAddress&) const = default;
};

// A list of addresses and networks. Immutable.
class IpNetworks {
 public:
  IpNetworks() = default;

  // `entries` has commas between them: "10.0.0.5, 10.1.0.0/16, 2001:db8::/32". kInvalidArgument: an
  // entry is no address and no network, or a network has bits behind its prefix. The message
  // begins with `name`.
  static absl::StatusOr<IpNetworks> Create(absl::string_view name, absl::string_view entries);

  bool Contains(const IpAddress& address) const;
  bool empty() const { return networks_.empty(); }

 private:
  struct Network {
    IpAddress address;
    int bits = 0;  // of `address`, in its IPv6 form
  };

  std::vector<Network> networks_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_COMMON_IP_ADDRESS_H_
