#include "services/common/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace groupcast::service {

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

bool IsLoopback(absl::string_view host) {
  const std::string text(WithoutBrackets(host));
  in_addr v4;
  if (inet_pton(AF_INET, text.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6;
  if (inet_pton(AF_INET6, text.c_str(), &v6) == 1) return IN6_IS_ADDR_LOOPBACK(&v6);
  return text == "localhost";
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
