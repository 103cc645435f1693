#include "services/channel/zmq/sockets.h"

#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace groupcast::service {

ChannelEndpoints TcpEndpoints(const ChannelAddress& address) {
  const std::string& host = address.host;
  const bool v6 = absl::StrContains(host, ':') && host.front() != '[';
  const std::string to_port =
      v6 ? absl::StrCat("tcp://[", host, "]:") : absl::StrCat("tcp://", host, ":");
  return {.publish = absl::StrCat(to_port, address.publish_port),
          .subscribe = absl::StrCat(to_port, address.subscribe_port),
          .control = absl::StrCat(to_port, address.control_port)};
}

ChannelEndpoints UnixEndpoints(absl::string_view directory) {
  return {.publish = absl::StrCat("ipc://", directory, "/publish"),
          .subscribe = absl::StrCat("ipc://", directory, "/subscribe"),
          .control = absl::StrCat("ipc://", directory, "/control")};
}

void SetCommonOptions(zmq::socket_t& socket) {
  socket.set(zmq::sockopt::heartbeat_ivl, 1000);
  socket.set(zmq::sockopt::heartbeat_timeout, 3000);
  socket.set(zmq::sockopt::linger, 0);
  socket.set(zmq::sockopt::ipv6, true);
}

void SetFrameBytesMax(zmq::socket_t& socket, int64_t bytes) {
  socket.set(zmq::sockopt::maxmsgsize, bytes);
}

std::string RoutingId(PublisherId id) {
  std::string routing_id = "w";
  routing_id.append(reinterpret_cast<const char*>(&id), sizeof(id));
  return routing_id;
}

std::optional<PublisherId> PublisherOfRoutingId(absl::string_view routing_id) {
  PublisherId id;
  if (routing_id.size() != 1 + sizeof(id) || routing_id[0] != 'w') return std::nullopt;
  std::memcpy(&id, routing_id.data() + 1, sizeof(id));
  return id;
}

}  // namespace groupcast::service
