#ifndef GROUPCAST_SERVICES_CHANNEL_ZMQ_SOCKETS_H_
#define GROUPCAST_SERVICES_CHANNEL_ZMQ_SOCKETS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "services/channel/wire.h"
#include "zmq.hpp"

namespace groupcast::service {

// The address of a channel server: three ports, and on its own machine also three Unix sockets.
struct ChannelAddress {
  std::string host = "127.0.0.1";
  uint16_t publish_port = 2206;
  uint16_t subscribe_port = 2207;
  uint16_t control_port = 2208;
  // The directory of the Unix sockets. Empty: the server has none, or the worker uses the ports.
  std::string socket_dir;
};

// The endpoints that ZeroMQ binds or connects the three links to.
struct ChannelEndpoints {
  std::string publish;
  std::string subscribe;
  std::string control;
};

// "tcp://HOST:PORT", with brackets around an IPv6 host.
ChannelEndpoints TcpEndpoints(const ChannelAddress& address);
// The ports as a URL of OpenChannel: HOST:PORT, or tcp:// with a query if they are not consecutive.
std::string TcpUrl(const ChannelAddress& address);
// "ipc://DIRECTORY/publish" and so on. A path of a Unix socket has at most 107 bytes (unix(7)).
ChannelEndpoints UnixEndpoints(absl::string_view directory);

// The options of every socket of the channel. Heartbeats detect a half-open connection within 3 s.
// Sockets do not linger, so that a process ends at once when it stops. A user may set a short time.
void SetCommonOptions(zmq::socket_t& socket);

// Limits the size of the frames that peers may send, on a socket that is bound. ZeroMQ disconnects
// a peer that sends a larger frame.
void SetFrameBytesMax(zmq::socket_t& socket, int64_t bytes);

// On the control link a worker's routing id is 'w' and its publisher id, little-endian.
std::string RoutingId(PublisherId id);
std::optional<PublisherId> PublisherOfRoutingId(absl::string_view routing_id);

inline absl::string_view View(const zmq::message_t& message) {
  return {static_cast<const char*>(message.data()), message.size()};
}

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_ZMQ_SOCKETS_H_
