#include "services/groups/recent_messages.h"

#include <algorithm>
#include <utility>

namespace groupcast::service {
namespace {

constexpr size_t kFirstCapacity = 2;

}  // namespace

void RecentMessages::Ring::Push(EncodedMessage message) {
  message.Keep();
  const size_t bytes = message.bytes();
  if (entries_.full()) {
    entries_.set_capacity(std::max<size_t>(kFirstCapacity, 2 * entries_.capacity()));
  }
  entries_.push_back({.message = std::move(message), .bytes = bytes});
  bytes_ += bytes;
  all_->bytes_ += bytes;
  if (is_linked()) unlink();
  all_->rings_.push_back(*this);
  const RecentMessagesOptions& options = all_->options_;
  while (entries_.size() > options.group_messages_max ||
         (!entries_.empty() && bytes_ > options.group_bytes_max)) {
    DropOldest();
  }
  while (all_->bytes_ > options.bytes_max) all_->rings_.front().DropOldest();
}

void RecentMessages::Ring::Clear() {
  all_->bytes_ -= std::exchange(bytes_, 0);
  entries_.clear();
  if (is_linked()) unlink();
}

SharedBytes RecentMessages::Ring::BytesFor(size_t index, absl::string_view group_id,
                                           Member* member) {
  Entry& entry = entries_[index];
  SharedBytes bytes = entry.message.For(group_id, member);
  // The block may be new. If it exceeds a bound, the next Push drops messages.
  const size_t grown = entry.message.bytes() - entry.bytes;
  entry.bytes += grown;
  bytes_ += grown;
  all_->bytes_ += grown;
  return bytes;
}

std::optional<size_t> RecentMessages::Ring::After(uint64_t offset) const {
  const auto next = std::upper_bound(
      entries_.begin(), entries_.end(), offset,
      [](uint64_t value, const auto& entry) { return value < entry.message.offset(); });
  const bool is_place = next == entries_.end()
                            ? !entries_.empty() && entries_.back().message.offset() == offset
                            : next->message.previous() == offset;
  if (!is_place) return std::nullopt;
  return static_cast<size_t>(next - entries_.begin());
}

void RecentMessages::Ring::DropOldest() {
  bytes_ -= entries_.front().bytes;
  all_->bytes_ -= entries_.front().bytes;
  entries_.pop_front();
  if (entries_.empty()) unlink();
}

}  // namespace groupcast::service
