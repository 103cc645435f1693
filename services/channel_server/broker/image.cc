#include "services/channel_server/broker/image.h"

#include <utility>

namespace groupcast::service {
namespace {

using channel_server::v1::Image;
using channel_server::v1::Snapshot;

constexpr size_t kPartBytes = 1u << 20;

}  // namespace

ImageWriter::ImageWriter(BrokerState* state, const Clock* calendar)
    : state_(state),
      date_(calendar->Now()),
      publisher_(state->publishers.by_silence().begin()),
      message_(state->retention.oldest()) {
  state_->groups.RewindCursor();
}

bool ImageWriter::NextPart(std::string* part) {
  if (step_ == Step::kEnd) return false;
  Snapshot snapshot;
  snapshot.mutable_image();
  if (std::exchange(begun_, true)) {
    snapshot.set_continues(true);
  } else {
    snapshot.set_epoch(static_cast<uint64_t>(state_->epoch));
    snapshot.set_last_offset(state_->last_offset);
    snapshot.set_highest_forgotten(state_->groups.highest_forgotten());
  }
  Fill(&snapshot);
  snapshot.SerializeToString(part);
  return true;
}

void ImageWriter::Fill(Snapshot* part) {
  size_t bytes = 0;
  const auto add = [&](std::optional<size_t> (ImageWriter::*item)(Snapshot*), Step next) {
    while (bytes < kPartBytes) {
      const std::optional<size_t> added = (this->*item)(part);
      if (!added.has_value()) {
        step_ = next;
        return;
      }
      bytes += *added;
    }
  };
  if (step_ == Step::kPublishers) add(&ImageWriter::AddPublisher, Step::kMessages);
  if (step_ == Step::kMessages) add(&ImageWriter::AddMessage, Step::kGroups);
  if (step_ == Step::kGroups) add(&ImageWriter::AddGroup, Step::kKeys);
  if (step_ == Step::kKeys) add(&ImageWriter::AddKey, Step::kEnd);
}

std::optional<size_t> ImageWriter::AddPublisher(Snapshot* part) {
  const auto& all = state_->publishers.by_silence();
  while (publisher_ != all.end() && !publisher_->known) ++publisher_;
  if (publisher_ == all.end()) return std::nullopt;
  Snapshot::Publisher* const entry = part->add_publishers();
  entry->set_id(static_cast<uint64_t>(publisher_->id()));
  entry->set_last_accepted(publisher_->last_accepted());
  entry->set_heard_ms(Date(publisher_->last_heard()));
  Image::Results* const results = part->mutable_image()->add_results();
  results->set_publisher(entry->id());
  for (const Publisher::Result& result : publisher_->results()) {
    results->add_offsets(result.offset);
    results->mutable_reasons()->push_back(static_cast<char>(result.reason));
  }
  ++publisher_;
  return entry->ByteSizeLong() + results->ByteSizeLong();
}

std::optional<size_t> ImageWriter::AddMessage(Snapshot* part) {
  if (message_ == nullptr) return std::nullopt;
  Image::Message* const entry = part->mutable_image()->add_messages();
  entry->set_head(message_->head().data(), message_->head().size());
  const Retention::Message*& before = messages_before_[message_->publisher()];
  if (before != nullptr && message_->shares_body_with(*before)) {
    entry->set_has_body_before(true);
  } else {
    entry->set_body(message_->body().data(), message_->body().size());
  }
  entry->set_since_ms(Date(message_->since()));
  before = std::exchange(message_, state_->retention.next(*message_));
  return entry->ByteSizeLong();
}

std::optional<size_t> ImageWriter::AddGroup(Snapshot* part) {
  const KnownGroup* group = state_->groups.cursor();
  // A turn will name it, or it will be dropped without a trace.
  for (; group != nullptr && !group->logged; group = state_->groups.cursor()) {
    state_->groups.AdvanceCursor();
  }
  if (group == nullptr) return std::nullopt;
  Snapshot::Group* const entry = part->add_groups();
  entry->set_group_id(*group->id);
  entry->set_head(group->head);
  state_->groups.AdvanceCursor();
  return entry->ByteSizeLong();
}

std::optional<size_t> ImageWriter::AddKey(Snapshot* part) {
  while (key_ != state_->keys.entry_count()) {
    const std::optional<KeyMemory::Known> known = state_->keys.entry(key_++);
    if (!known.has_value()) continue;
    Image::Key* const entry = part->mutable_image()->add_keys();
    entry->set_key(FingerprintBytes(known->key));
    entry->set_offset(known->offset);
    entry->set_since_ms(Date(known->since));
    return entry->ByteSizeLong();
  }
  return std::nullopt;
}

}  // namespace groupcast::service
