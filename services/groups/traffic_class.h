#ifndef GROUPCAST_SERVICES_GROUPS_TRAFFIC_CLASS_H_
#define GROUPCAST_SERVICES_GROUPS_TRAFFIC_CLASS_H_

#include <cstdint>

namespace groupcast::service {

// How soon a connection writes what it is sent. The class does not change the order: bytes leave a
// connection in the order in which they were sent to it.
enum class TrafficClass : uint8_t {
  // A reply, or a message of a small group. It is written in the turn that brings it.
  kInteractive,
  // One of very many, as in a large group or in a recovery. Writing all of them takes long, so it
  // happens in pieces, and costs less for several messages at once.
  kBulk,
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_GROUPS_TRAFFIC_CLASS_H_
