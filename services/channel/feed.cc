#include "services/channel/feed.h"

namespace groupcast::service {

Feed::HeadVerdict Feed::OnHead(const Position& head) {
  if (!warm_) {
    warm_ = true;
    position_ = head;
    return HeadVerdict::kWarm;
  }
  const bool new_epoch = head.epoch != position_.epoch;
  // A head behind the feed was announced before messages that came faster than it.
  if (!new_epoch && head.offset <= position_.offset) return HeadVerdict::kInStep;
  gap_ = {.new_epoch = new_epoch, .from = position_.offset, .to = head.offset};
  position_ = head;
  return HeadVerdict::kGap;
}

Feed::Verdict Feed::OnMessage(const Position& position, uint64_t previous) {
  if (!warm_) return Verdict::kDrop;
  const bool new_epoch = position.epoch != position_.epoch;
  if (!new_epoch && position.offset <= position_.offset) return Verdict::kDrop;
  if (!new_epoch && previous == position_.offset) {
    position_ = position;
    return Verdict::kDeliver;
  }
  // Either messages between are missing (`previous` above the last), or the chain belongs to
  // another history
  // (`previous` below it, or another epoch). In each case what is delivered next does not follow
  // on.
  gap_ = {.new_epoch = new_epoch, .from = position_.offset, .to = previous};
  position_ = position;
  return Verdict::kGap;
}

}  // namespace groupcast::service
