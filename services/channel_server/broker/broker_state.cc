#include "services/channel_server/broker/broker_state.h"

#include <algorithm>

namespace groupcast::service {

void BrokerState::Retain(KnownGroup* group, absl::Span<const char> frame, uint64_t offset,
                         absl::Time since) {
  group->head = offset;
  group->last_placed = std::max(group->last_placed, offset);
  retention.Add(group, frame, offset, since);
  UpdateIdle(group);
}

void BrokerState::BeginEpoch(Epoch next) {
  epoch = next;
  retention.ClearAll();
  groups.set_highest_forgotten(last_offset);
  // Keys and numbers lead to places in the epoch before. A publication without a result is sent
  // again.
  keys.Clear();
  for (auto& [id, publisher] : publishers.all()) publisher.ForgetNumbers();
  groups.ForEach([this](KnownGroup* group) {
    if (!group->subscribed) return groups.Remove(group);
    group->SetHead(last_offset);
    group->active = false;
    group->logged = false;
  });
}

}  // namespace groupcast::service
