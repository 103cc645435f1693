#include "services/websocket_service/recent_messages.h"

#include <algorithm>
#include <utility>

namespace groupcast::service {

void RecentMessages::Ring::Push(FramedMessage message) {
  const size_t bytes = message.bytes();
  all_->entries_.push_back({.ring = this, .message = std::move(message), .bytes = bytes});
  entries_.push_back(std::prev(all_->entries_.end()));
  bytes_ += bytes;
  all_->bytes_ += bytes;
  const RecentMessagesOptions& options = all_->options_;
  while (entries_.size() > options.group_messages_max ||
         (!entries_.empty() && bytes_ > options.group_bytes_max)) {
    DropOldest();
  }
  while (all_->bytes_ > options.bytes_max) all_->entries_.front().ring->DropOldest();
}

void RecentMessages::Ring::Clear() {
  while (!entries_.empty()) {
    bytes_ -= entries_.back()->bytes;
    all_->bytes_ -= entries_.back()->bytes;
    all_->entries_.erase(entries_.back());
    entries_.pop_back();
  }
}

FramePtr RecentMessages::Ring::FrameFor(size_t index, absl::string_view group_id, Member* member) {
  Entry& entry = *entries_[index];
  FramePtr frame = entry.message.FrameFor(group_id, member);
  // It may have been made just now. What is over a bound by it goes with the next Push.
  const size_t grown = entry.message.bytes() - entry.bytes;
  entry.bytes += grown;
  bytes_ += grown;
  all_->bytes_ += grown;
  return frame;
}

std::optional<size_t> RecentMessages::Ring::After(uint64_t offset) const {
  const auto next = std::upper_bound(
      entries_.begin(), entries_.end(), offset,
      [](uint64_t value, const auto& entry) { return value < entry->message.offset(); });
  const bool is_place = next == entries_.end()
                            ? !entries_.empty() && entries_.back()->message.offset() == offset
                            : (*next)->message.previous() == offset;
  if (!is_place) return std::nullopt;
  return static_cast<size_t>(next - entries_.begin());
}

void RecentMessages::Ring::DropOldest() {
  bytes_ -= entries_.front()->bytes;
  all_->bytes_ -= entries_.front()->bytes;
  all_->entries_.erase(entries_.front());
  entries_.erase(entries_.begin());
}

}  // namespace groupcast::service
