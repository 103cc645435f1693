#include "services/channel/zmq/sockets.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "services/common/address.h"

namespace groupcast::service {

ChannelEndpoints TcpEndpoints(const ChannelAddress& address) {
  const auto endpoint = [&address](uint16_t port) {
    return absl::StrCat("tcp://", HostPort(address.host, port));
  };
  return {.publish = endpoint(address.publish_port),
          .subscribe = endpoint(address.subscribe_port),
          .control = endpoint(address.control_port)};
}

std::string TcpUrl(const ChannelAddress& address) {
  const std::string host_port = HostPort(address.host, address.publish_port);
  if (address.subscribe_port == address.publish_port + 1 &&
      address.control_port == address.publish_port + 2) {
    return host_port;
  }
  return absl::StrCat("tcp://", host_port, "?subscribe_port=", address.subscribe_port,
                      "&control_port=", address.control_port);
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
