#ifndef GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_SNAPSHOT_H_
#define GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_SNAPSHOT_H_

#include <string>

#include "services/channel_server/broker/broker_state.h"
#include "services/common/clock.h"

namespace groupcast::service {

// Writes what the server knows, besides its messages, as a row of parts
// (proto/snapshot.proto). Turns may go on between two parts, so that a snapshot of a million groups
// holds no turn up for long.
//
// The log has each part where it was written, between the turns before it and after it. A part has
// groups as they are at that place. So a reader that goes through the log in order, from the first
// part on, knows at the last part what the server knew there: it learns a group from a part, unless
// a turn has named the group before.
//
// Not thread-safe.
class SnapshotWriter {
 public:
  // Both pointers must outlive it. There is one writer for a state: it uses the group index's
  // cursor.
  SnapshotWriter(int groups_per_part, BrokerState* state, const Clock* calendar)
      : groups_per_part_(groups_per_part), state_(state), calendar_(calendar) {}

  // The next part is the first one.
  void Begin();

  // The next part; for the log at once, or not at all (then Begin again).
  std::string NextPart();

  // No part is left.
  bool done() const { return done_; }

 private:
  const int groups_per_part_;
  BrokerState* const state_;
  const Clock* const calendar_;
  bool begun_ = false;
  bool done_ = true;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_SNAPSHOT_H_
