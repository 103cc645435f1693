#include "services/channel_server/broker/restorer.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/channel/fingerprint.h"
#include "services/channel_server/broker/proto/snapshot.pb.h"

namespace groupcast::service {

using channel_server::v1::Image;
using channel_server::v1::Snapshot;

absl::Status Restorer::OnSnapshotPart(absl::string_view bytes) {
  Snapshot part;
  if (!part.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::DataLossError("a snapshot that cannot be read");
  }
  if (!part.continues()) {
    if (part.has_image()) {
      state_->Clear();
      has_part_ = has_snapshot_ = false;
    }
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
  RestorePublishers(part);
  RestoreResults(part.image());
  if (absl::Status status = RestoreMessages(part.image()); !status.ok()) return status;
  for (const Snapshot::Group& group : part.groups()) {
    state_->groups.FindOrAdd(group.group_id(), group.head())->logged = true;
  }
  return RestoreKeys(part.image());
}

void Restorer::RestorePublishers(const Snapshot& part) {
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
}

void Restorer::RestoreResults(const Image& image) {
  for (const Image::Results& results : image.results()) {
    Publisher* const publisher = state_->publishers.Find(PublisherId{results.publisher()});
    if (publisher == nullptr) continue;
    const auto count = std::min({static_cast<uint64_t>(results.offsets_size()),
                                 uint64_t{results.reasons().size()}, publisher->last_accepted()});
    uint64_t number = publisher->last_accepted() - count;
    publisher->ContinueAt(number + 1);
    for (size_t i = 0; i < count; ++i) {
      publisher->Restore(++number,
                         {.offset = results.offsets(static_cast<int>(i)),
                          .reason = static_cast<uint8_t>(results.reasons()[i])},
                         state_->publishers.results_max());
    }
  }
}

absl::Status Restorer::RestoreMessages(const Image& image) {
  for (const Image::Message& message : image.messages()) {
    absl::StatusOr<LiveFrame> frame = ParseLiveFrame(message.head());
    if (!frame.ok()) return absl::DataLossError("an image with a message that cannot be read");
    const auto [body, is_first] = bodies_.try_emplace(frame->header.publisher);
    if (!message.has_body_before()) {
      body->second = message.body();
    } else if (is_first) {
      return absl::DataLossError("an image with a message whose body is missing");
    }
    frame->body = body->second;
    RestoreMessage(*frame, absl::StrCat(message.head(), frame->body), TimeOf(message.since_ms()));
  }
  return absl::OkStatus();
}

absl::Status Restorer::RestoreKeys(const Image& image) {
  for (const Image::Key& key : image.keys()) {
    if (key.key().size() != sizeof(Fingerprint)) {
      return absl::DataLossError("an image with a key that cannot be read");
    }
    state_->keys.Remember(FingerprintFromBytes(key.key()), key.offset(), TimeOf(key.since_ms()));
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
  RestoreMessage(frame, bytes, since_);
  if (!header.key.empty()) state_->keys.Remember(header.key, header.offset, since_);
  OnResult(header.publisher, header.number, header.offset, 0);
}

void Restorer::RestoreMessage(const LiveFrame& frame, absl::string_view bytes, absl::Time since) {
  const LiveHeader& header = frame.header;
  KnownGroup* const group = state_->groups.FindOrAdd(frame.group_id, header.previous);
  // The group was forgotten in between, and this was its first message when it came back.
  if (group->head != header.previous) Reset(group, header.previous);
  group->logged = true;
  state_->last_offset = std::max(state_->last_offset, header.offset);
  state_->Retain(
      group,
      state_->retention.Copy(header.publisher, {bytes.data(), bytes.size()}, frame.body.size()),
      header.offset, since);
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
