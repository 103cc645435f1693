#include "services/channel_server/broker/restorer.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "services/channel_server/broker/proto/snapshot.pb.h"

namespace groupcast::service {

using channel_server::v1::Snapshot;

absl::Status Restorer::OnSnapshotPart(absl::string_view bytes) {
  Snapshot part;
  if (!part.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::DataLossError("a snapshot that cannot be read");
  }
  if (!part.continues()) {
    state_->last_offset = std::max(state_->last_offset, part.last_offset());
    const Epoch epoch{part.epoch()};
    if (std::exchange(has_part_, true)) {
      OnEpoch(epoch);
    } else {
      state_->epoch = epoch;
      state_->groups.set_highest_forgotten(part.highest_forgotten());
    }
  }
  if (has_snapshot_) return absl::OkStatus();
  for (const Snapshot::Group& group : part.groups()) {
    state_->groups.FindOrAdd(group.group_id(), group.head())->logged = true;
  }
  std::vector<const Snapshot::Publisher*> by_silence;
  for (const Snapshot::Publisher& publisher : part.publishers()) by_silence.push_back(&publisher);
  std::stable_sort(by_silence.begin(), by_silence.end(),
                   [](const auto* a, const auto* b) { return a->heard_ms() < b->heard_ms(); });
  for (const Snapshot::Publisher* const publisher : by_silence) {
    const PublisherId id{publisher->id()};
    if (state_->publishers.Find(id) != nullptr) continue;
    Publisher* const restored = state_->publishers.Restore(id, TimeOf(publisher->heard_ms()));
    restored->known = true;
    restored->ContinueAt(publisher->last_accepted() + 1);
  }
  return absl::OkStatus();
}

// Ages include the time since then, as if the process had run.
absl::Time Restorer::TimeOf(int64_t time_ms) const {
  const absl::Duration age = calendar_->Now() - absl::FromUnixMillis(time_ms);
  return state_->now - std::max(absl::ZeroDuration(), age);
}

void Restorer::OnTime(int64_t time_ms) { since_ = TimeOf(time_ms); }

void Restorer::OnMessage(const LiveFrame& frame, absl::string_view bytes) {
  const LiveHeader& header = frame.header;
  KnownGroup* const group = state_->groups.FindOrAdd(frame.group_id, header.previous);
  // The group was forgotten in between, and this was its first message when it came back.
  if (group->head != header.previous) Reset(group, header.previous);
  group->logged = true;
  state_->last_offset = std::max(state_->last_offset, header.offset);
  state_->Retain(group, state_->retention.Copy({bytes.data(), bytes.size()}, frame.body.size()),
                 header.offset, since_);
  if (!header.key.empty()) state_->keys.Remember(header.key, header.offset, since_);
  OnResult(header.publisher, header.number, header.offset, 0);
}

void Restorer::OnResult(PublisherId id, uint64_t number, uint64_t offset, uint8_t reason) {
  Publisher* const publisher = state_->publishers.Restore(id, since_);
  publisher->known = true;
  publisher->Restore(number, {offset, reason}, state_->publishers.results_max());
}

void Restorer::OnKnown(absl::string_view group_id, uint64_t floor) {
  KnownGroup* const group = state_->groups.FindOrAdd(group_id, floor);
  group->logged = true;
  Reset(group, floor);
}

void Restorer::OnForgotten(absl::string_view group_id, uint64_t head) {
  KnownGroup* const group = state_->groups.FindOrAdd(group_id, head);
  Reset(group, head);
  state_->groups.Forget(group);
}

void Restorer::OnEpoch(Epoch epoch) {
  if (epoch != state_->epoch) state_->BeginEpoch(epoch);
}

void Restorer::Reset(KnownGroup* group, uint64_t head) {
  state_->retention.Clear(group);
  group->SetHead(head);
}

}  // namespace groupcast::service
