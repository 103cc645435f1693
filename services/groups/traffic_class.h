#ifndef GROUPCAST_SERVICES_GROUPS_TRAFFIC_CLASS_H_
#define GROUPCAST_SERVICES_GROUPS_TRAFFIC_CLASS_H_

#include <cstdint>

namespace groupcast::service {

// Whether a frame waits for others. It says nothing about order: a connection's frames leave in the
// order in which they were sent to it, whatever their class.
enum class TrafficClass : uint8_t {
  // A reply, a message of a small group: it is written in the turn that brings it.
  kInteractive,
  // One of very many, as those of a large group or of a recovery: writing them takes so long that
  // it is done in pieces, and pays to be done for several messages at once.
  kBulk,
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_GROUPS_TRAFFIC_CLASS_H_
