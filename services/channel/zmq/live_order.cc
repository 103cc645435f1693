#include "services/channel/zmq/live_order.h"

#include <utility>

namespace groupcast::service {

void LiveOrder::OnReached(const Position& position) {
  // The link brings offsets in order: this says nothing new.
  if (position.epoch == reached_.epoch && position.offset <= reached_.offset) return;
  if (position.epoch != reached_.epoch && !by_offset_.empty()) {
    // The link has left the epoch of these heads.
    overflow_ = by_offset_.begin()->second.first;
    by_offset_.clear();
    by_group_.clear();
  }
  reached_ = position;
  reached_at_ = clock_->Now();
}

void LiveOrder::OnInputWaits() {
  if (reached_at_ != absl::InfinitePast()) reached_at_ = clock_->Now();
}

bool LiveOrder::MayBring(const Position& head) const {
  return reached_.epoch == head.epoch && reached_.offset < head.offset &&
         clock_->Now() - reached_at_ < still_after_;
}

void LiveOrder::PutOff(absl::string_view group_id, const Position& head) {
  if (const auto known = by_group_.find(group_id); known != by_group_.end()) {
    DueHead& due = known->second->second;
    if (head.offset > due.last.offset) due.last = head;
    return;
  }
  if (by_group_.size() >= groups_max_) {
    if (!overflow_.has_value()) overflow_ = head;
    return;
  }
  const auto entry = by_offset_.emplace(
      head.offset, DueHead{.group_id = std::string(group_id), .first = head, .last = head});
  by_group_.emplace(group_id, entry);
}

std::optional<LiveOrder::DueHead> LiveOrder::TakeDue() {
  if (by_offset_.empty() || MayBring(by_offset_.begin()->second.first)) return std::nullopt;
  std::optional<DueHead> due = std::move(by_offset_.begin()->second);
  by_group_.erase(due->group_id);
  by_offset_.erase(by_offset_.begin());
  return due;
}

bool LiveOrder::TakeOverflow() {
  if (!overflow_.has_value() || MayBring(*overflow_)) return false;
  overflow_.reset();
  return true;
}

}  // namespace groupcast::service
