#ifndef GROUPCAST_SERVICES_GROUPS_TRAFFIC_CLASS_H_
#define GROUPCAST_SERVICES_GROUPS_TRAFFIC_CLASS_H_

#include <cstdint>

namespace groupcast::service {

// The priority of bytes of a connection. The class does not change the order: bytes leave a
// connection in the order of the calls that sent them.
enum class TrafficClass : uint8_t {
  // A reply, or a message of a small group. The connection writes it in the turn that brings it.
  kInteractive,
  // One of very many messages, as in a large group or in a recovery. To write all of them takes
  // long, so the worker writes them in pieces. Several messages at once cost less.
  kBulk,
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_GROUPS_TRAFFIC_CLASS_H_
