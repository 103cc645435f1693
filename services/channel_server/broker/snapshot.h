#ifndef GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_SNAPSHOT_H_
#define GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_SNAPSHOT_H_

#include <string>

#include "services/channel_server/broker/broker_state.h"
#include "services/common/clock.h"

namespace groupcast::service {

// Writes the server's state, except its messages, as a sequence of parts (proto/snapshot.proto).
// Turns may run between two parts, so that a snapshot of a million groups delays no turn for long.
//
// The log has each part at the place of its writing, between the turns before it and after it. A
// part has the groups as they are at that place. A reader takes a group from a part, unless an
// earlier turn has named the group. So after the last part, a reader that began at the first part
// has the server's state at that place.
//
// Not thread-safe.
class SnapshotWriter {
 public:
  // Both pointers must outlive it. A state may have only one writer, because it uses the group
  // index's cursor.
  SnapshotWriter(int groups_per_part, BrokerState* state, const Clock* calendar)
      : groups_per_part_(groups_per_part), state_(state), calendar_(calendar) {}

  // Restarts at the first part.
  void Begin();

  // Returns the next part. The caller must write it into the log at once, or call Begin again.
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
