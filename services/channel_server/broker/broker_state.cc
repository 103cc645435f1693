#include "services/channel_server/broker/broker_state.h"

#include <algorithm>
#include <utility>

namespace groupcast::service {

void BrokerState::Retain(KnownGroup* group, Retention::MessagePtr message, uint64_t offset,
                         absl::Time since) {
  group->head = offset;
  last_handed_out = std::max(last_handed_out, offset);
  group->last_placed = std::max(group->last_placed, offset);
  retention.SetGroup(group, *group->id);
  retention.Add(group, std::move(message), offset, since);
  UpdateIdle(group);
}

void BrokerState::Clear() {
  retention.ClearAll();
  groups.ForEach([this](KnownGroup* group) { groups.Remove(group); });
  publishers.Clear();
  keys.Clear();
}

void BrokerState::BeginEpoch(Epoch next) {
  epoch = next;
  retention.ClearAll();
  groups.set_highest_forgotten(last_offset);
  last_handed_out = last_offset;
  // Keys and numbers lead to places in the epoch before. A publication without a result is sent
  // again.
  keys.Clear();
  for (auto& [id, publisher] : publishers.all()) publisher.ForgetNumbers();
  groups.ForEach([this](KnownGroup* group) {
    if (!group->subscribed) return groups.Remove(group);
    group->SetHead(last_offset);
    group->active = false;
    group->logged = group->log_due = false;
  });
}

}  // namespace groupcast::service
