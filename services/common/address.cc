#include "services/common/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace groupcast::service {
namespace {

// An IPv4 address becomes an IPv4-mapped one.
std::optional<in6_addr> ParseIp(absl::string_view host) {
  host = WithoutBrackets(host);
  char text[INET6_ADDRSTRLEN] = {};  // inet_pton needs a zero at the end
  if (host.size() >= sizeof(text) || absl::StrContains(host, '\0')) return std::nullopt;
  host.copy(text, host.size());
  in6_addr ip{};
  if (inet_pton(AF_INET6, text, &ip) == 1) return ip;
  if (inet_pton(AF_INET, text, &ip.s6_addr[12]) != 1) return std::nullopt;
  ip.s6_addr[10] = ip.s6_addr[11] = 0xff;
  return ip;
}

}  // namespace

std::string HostPort(absl::string_view host, uint16_t port) {
  return absl::StrCat(UrlHost(host), ":", port);
}

std::string UrlHost(absl::string_view host) {
  host = WithoutBrackets(host);
  return absl::StrContains(host, ':') ? absl::StrCat("[", host, "]") : std::string(host);
}

absl::string_view WithoutBrackets(absl::string_view host) {
  const bool bracketed = absl::StartsWith(host, "[") && absl::EndsWith(host, "]");
  return bracketed ? host.substr(1, host.size() - 2) : host;
}

bool IsIpAddress(absl::string_view host) { return ParseIp(host).has_value(); }

bool IsLoopback(absl::string_view host) {
  const std::optional<in6_addr> ip = ParseIp(host);
  if (!ip.has_value()) return host == "localhost";
  if (IN6_IS_ADDR_V4MAPPED(&*ip)) return ip->s6_addr[12] == 127;
  return IN6_IS_ADDR_LOOPBACK(&*ip);
}

std::string PeerHost(int socket) {
  constexpr char kNone[] = "a peer without an address";
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
  if (getpeername(socket, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return kNone;
  const bool is_v6 = storage.ss_family == AF_INET6;
  if (!is_v6 && storage.ss_family != AF_INET) return kNone;
  const void* const address =
      is_v6 ? static_cast<const void*>(&reinterpret_cast<sockaddr_in6*>(&storage)->sin6_addr)
            : &reinterpret_cast<sockaddr_in*>(&storage)->sin_addr;
  char text[INET6_ADDRSTRLEN];
  return inet_ntop(storage.ss_family, address, text, sizeof(text)) == nullptr ? kNone : text;
}

}  // namespace groupcast::service
