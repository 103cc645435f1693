#ifndef GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_BROKER_STATE_H_
#define GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_BROKER_STATE_H_

#include <cstdint>

#include "absl/time/time.h"
#include "services/channel/position.h"
#include "services/channel_server/broker/group_index.h"
#include "services/channel_server/broker/key_memory.h"
#include "services/channel_server/broker/publishers.h"
#include "services/channel_server/broker/retention.h"

namespace groupcast::service {

// The state of the server that outlives a turn, and that a log restores.
class BrokerState final : private Retention::Listener {
 public:
  BrokerState(Epoch epoch, absl::Time now, const RetentionOptions& retention,
              const PublishersOptions& publishers, const KeyMemoryOptions& keys)
      : epoch(epoch), now(now), retention(retention, this), publishers(publishers), keys(keys) {}

  // The message is handed out, or comes from the log. It is the group's head now.
  void Retain(KnownGroup* group, Retention::MessagePtr message, uint64_t offset, absl::Time since);

  void UpdateIdle(KnownGroup* group) { groups.UpdateIdle(group, now); }

  // Another history begins: the server forgets all messages of the history before. Groups with
  // subscribers stay, but have no messages.
  void BeginEpoch(Epoch next);

  // An image follows, which has everything.
  void Clear();

  Epoch epoch;
  absl::Time now;
  uint64_t last_offset = 0;      // of all groups
  uint64_t last_handed_out = 0;  // of all groups; messages from the log count as handed out
  GroupIndex groups;
  Retention retention;
  Publishers publishers;
  KeyMemory keys;

 private:
  void OnEmptied(Retention::Chain* chain) override { UpdateIdle(static_cast<KnownGroup*>(chain)); }
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_BROKER_STATE_H_
