#include "services/channel/feed.h"

#include <utility>

namespace groupcast::service {

void Feed::OnHead(const Position& head, Epoch current) {
  if (warm_) {
    OnOtherHead(head, current);
    return;
  }
  warm_ = true;
  position_ = head;
  behind_ = IsAhead(target_, current);
}

void Feed::OnOtherHead(const Position& head, Epoch current) {
  if (warm_ && !IsAhead(head, current)) return;
  behind_ = warm_;
  if (head.epoch != target_.epoch || head.offset > target_.offset) target_ = head;
}

bool Feed::IsAhead(const Position& position, Epoch current) const {
  return position.epoch == position_.epoch ? position.offset > position_.offset
                                           : position.epoch == current && current != Epoch{};
}

void Feed::OnMessage(const Position& position, uint64_t previous, absl::string_view body,
                     Epoch current, size_t held_bytes_max, FeedSink* sink) {
  if (!warm_) return;
  const bool same_epoch = position.epoch == position_.epoch;
  if (same_epoch ? position.offset <= position_.offset : position.epoch != current) return;
  silent_repairs = 0;
  if (same_epoch && previous <= position_.offset) {
    Advance(position, previous, body, sink);
    if (!held_.empty()) DeliverHeld(sink);
    return;
  }
  Hold(position, previous, body, held_bytes_max);
}

void Feed::OnHistoryBegin(const Position& head, uint64_t floor, FeedSink* sink) {
  if (head.epoch != position_.epoch || floor > position_.offset) {
    TellGap({head.epoch, floor}, sink);
  }
}

void Feed::OnHistoryMessage(const Position& position, uint64_t previous, absl::string_view body,
                            FeedSink* sink) {
  if (position.epoch != position_.epoch || position.offset <= position_.offset) return;
  Advance(position, previous, body, sink);
}

void Feed::OnHistoryEnd(const Position& head, FeedSink* sink) {
  DeliverHeld(sink);
  // What came live since the server answered may be beyond the answer's head.
  if (target_.epoch != head.epoch || target_.offset < head.offset) target_ = head;
  behind_ = target_.offset > position_.offset;
}

void Feed::Advance(const Position& position, uint64_t previous, absl::string_view body,
                   FeedSink* sink) {
  // Either the chain's next message, or a message with another predecessor than the last delivery.
  // Such a message belongs to another history than this feed's.
  if (previous != position_.offset) TellGap({position.epoch, previous}, sink);
  position_ = position;
  sink->Deliver(position, previous, body);
  if (target_.epoch == position_.epoch && target_.offset <= position_.offset) behind_ = false;
}

void Feed::TellGap(const Position& to, FeedSink* sink) {
  const Gap gap{.new_epoch = to.epoch != position_.epoch, .from = position_.offset, .to = to};
  position_ = to;
  sink->Tell(gap);
}

void Feed::Hold(const Position& position, uint64_t previous, absl::string_view body,
                size_t held_bytes_max) {
  if (position.epoch != target_.epoch || position.offset > target_.offset) target_ = position;
  behind_ = true;
  const size_t cost = body.size() + kHeldOverheadBytes;
  if (held_bytes_ + cost > held_bytes_max) return;
  held_.push_back({position, previous, std::string(body)});
  held_bytes_ += cost;
}

void Feed::DeliverHeld(FeedSink* sink) {
  while (!held_.empty()) {
    const Position& position = held_.front().position;
    const bool same_epoch = position.epoch == position_.epoch;
    // A hole before it: more must be asked for.
    if (same_epoch && held_.front().previous > position_.offset) return;
    Held held = std::move(held_.front());
    held_.pop_front();
    held_bytes_ -= held.body.size() + kHeldOverheadBytes;
    if (same_epoch && held.position.offset > position_.offset) {
      Advance(held.position, held.previous, held.body, sink);
    }
  }
}

}  // namespace groupcast::service
