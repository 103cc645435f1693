#include "services/common/ip_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace groupcast::service {
namespace {

constexpr std::array<uint8_t, 12> kV4Prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr int kV4Bits = 8 * static_cast<int>(kV4Prefix.size());

bool SameBits(const IpAddress& a, const IpAddress& b, int bits) {
  const auto whole = static_cast<size_t>(bits / 8);
  if (!std::equal(a.bytes.begin(), a.bytes.begin() + whole, b.bytes.begin())) return false;
  const int rest = bits % 8;
  return rest == 0 || (a.bytes[whole] ^ b.bytes[whole]) >> (8 - rest) == 0;
}

}  // namespace

std::optional<IpAddress> IpAddress::Parse(absl::string_view text) {
  IpAddress address;
  const std::string copy(text);
  if (copy.size() != std::strlen(copy.c_str())) return std::nullopt;
  if (inet_pton(AF_INET6, copy.c_str(), address.bytes.data()) == 1) return address;
  std::copy(kV4Prefix.begin(), kV4Prefix.end(), address.bytes.begin());
  if (inet_pton(AF_INET, copy.c_str(), address.bytes.data() + kV4Prefix.size()) == 1) {
    return address;
  }
  return std::nullopt;
}

std::optional<IpAddress> IpAddress::Of(const sockaddr_storage& from) {
  IpAddress address;
  if (from.ss_family == AF_INET6) {
    std::memcpy(address.bytes.data(), &reinterpret_cast<const sockaddr_in6*>(&from)->sin6_addr,
                address.bytes.size());
    return address;
  }
  if (from.ss_family != AF_INET) return std::nullopt;
  std::copy(kV4Prefix.begin(), kV4Prefix.end(), address.bytes.begin());
  std::memcpy(address.bytes.data() + kV4Prefix.size(),
              &reinterpret_cast<const sockaddr_in*>(&from)->sin_addr, sizeof(in_addr));
  return address;
}

std::optional<IpAddress> IpAddress::OfPeer(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (getpeername(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) return std::nullopt;
  return Of(address);
}

bool IpAddress::is_v4() const {
  return std::equal(kV4Prefix.begin(), kV4Prefix.end(), bytes.begin());
}

std::string IpAddress::Text() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (is_v4()) {
    inet_ntop(AF_INET, bytes.data() + kV4Prefix.size(), text, sizeof(text));
  } else {
    inet_ntop(AF_INET6, bytes.data(), text, sizeof(text));
  }
  return text;
}

absl::StatusOr<IpNetworks> IpNetworks::Create(absl::string_view name, absl::string_view entries) {
  IpNetworks networks;
  if (absl::StripAsciiWhitespace(entries).empty()) return networks;
  for (absl::string_view entry : absl::StrSplit(entries, ',')) {
    entry = absl::StripAsciiWhitespace(entry);
    const auto wrong = [&](absl::string_view why) {
      return absl::InvalidArgumentError(absl::StrCat(
          name, ": \"", entry, "\" ", why, "; an entry is an IP address such as 10.0.0.5, or a ",
          "network such as 10.0.0.0/8 or 2001:db8::/32"));
    };
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(entry, absl::MaxSplits('/', 1));
    const std::optional<IpAddress> address = IpAddress::Parse(parts.first);
    if (!address.has_value()) return wrong("is no IP address and no network");
    Network network{.address = *address, .bits = 128};
    if (parts.first.size() != entry.size()) {
      const int bits_max = address->is_v4() ? 32 : 128;
      int bits = 0;
      if (parts.second.empty() || parts.second.size() > 3 ||
          !std::all_of(parts.second.begin(), parts.second.end(),
                       [](char c) { return c >= '0' && c <= '9'; }) ||
          !absl::SimpleAtoi(parts.second, &bits) || bits > bits_max) {
        return wrong(absl::StrCat("needs a number from 0 to ", bits_max, " after its /"));
      }
      network.bits = address->is_v4() ? kV4Bits + bits : bits;
      IpAddress first{};
      std::copy(address->bytes.begin(), address->bytes.begin() + network.bits / 8,
                first.bytes.begin());
      if (network.bits % 8 != 0) {
        first.bytes[static_cast<size_t>(network.bits / 8)] = static_cast<uint8_t>(
            address->bytes[static_cast<size_t>(network.bits / 8)] & 0xff00 >> network.bits % 8);
      }
      // Most likely a digit is wrong: the entry would stand for another network than it says.
      if (first != *address) {
        return wrong(
            absl::StrCat("has bits behind its prefix; the network is ", first.Text(), "/", bits));
      }
    }
    networks.networks_.push_back(network);
  }
  return networks;
}

bool IpNetworks::Contains(const IpAddress& address) const {
  return std::any_of(networks_.begin(), networks_.end(), [&](const Network& network) {
    return SameBits(network.address, address, network.bits);
  });
}

}  // namespace groupcast::service
