#include "services/channel_server/broker/snapshot.h"

#include "services/channel_server/broker/proto/snapshot.pb.h"

namespace groupcast::service {

using channel_server::v1::Snapshot;

void SnapshotWriter::Begin() { begun_ = done_ = false; }

std::string SnapshotWriter::NextPart() {
  Snapshot part;
  if (begun_) {
    part.set_continues(true);
  } else {
    begun_ = true;
    state_->groups.RewindCursor();
    part.set_epoch(static_cast<uint64_t>(state_->epoch));
    part.set_last_offset(state_->last_offset);
    part.set_highest_forgotten(state_->groups.highest_forgotten());
    const absl::Time date = calendar_->Now();
    for (const auto& [id, publisher] : state_->publishers.all()) {
      if (!publisher.known) continue;
      Snapshot::Publisher* const entry = part.add_publishers();
      entry->set_id(static_cast<uint64_t>(id));
      entry->set_last_accepted(publisher.last_accepted());
      entry->set_heard_ms(absl::ToUnixMillis(date - (state_->now - publisher.last_heard())));
    }
  }
  const KnownGroup* group = nullptr;
  while (part.groups_size() < groups_per_part_ && (group = state_->groups.cursor()) != nullptr) {
    state_->groups.AdvanceCursor();
    // A turn will name it, or it will be dropped without a trace.
    if (!group->logged) continue;
    Snapshot::Group* const entry = part.add_groups();
    entry->set_group_id(*group->id);
    // The log has this message, also if it is not handed out yet.
    entry->set_head(group->last_placed);
  }
  done_ = state_->groups.cursor() == nullptr;
  return part.SerializeAsString();
}

}  // namespace groupcast::service
