#ifndef GROUPCAST_SERVICES_CHANNEL_FEED_H_
#define GROUPCAST_SERVICES_CHANNEL_FEED_H_

#include <cstdint>

#include "services/channel/position.h"

namespace groupcast::service {

// A worker's state for one group: the position of what it delivered last, and from it the verdict
// on what the channel brings next. Logic only: no IO, no time.
//
// A feed is cold until the first announcement of the group's head. That head is where delivery
// begins; messages that come before it are part of it. From then on the feed is warm, and messages
// are delivered as a chain: each names its predecessor.
class Feed {
 public:
  enum class Verdict {
    kDrop,     // seen already, or from before the beginning
    kDeliver,  // the next one
    kGap,      // messages are missing before this one: see gap(); then deliver it
  };

  enum class HeadVerdict {
    kInStep,  // nothing is missing
    kWarm,    // the feed was cold: delivery begins at this head
    kGap,     // messages up to this head are missing: see gap()
  };

  // Messages in (from, to] of `epoch` are missing, and `to` is the feed's position now. With
  // another epoch than before (`new_epoch`), `from` has no meaning: the offsets of two epochs
  // cannot be compared.
  struct Gap {
    bool new_epoch = false;
    uint64_t from = 0;
    uint64_t to = 0;
  };

  // The head of the group was announced.
  HeadVerdict OnHead(const Position& head);

  // A message has come. Moves the position to it unless the verdict is kDrop.
  Verdict OnMessage(const Position& position, uint64_t previous);

  bool warm() const { return warm_; }
  // What was delivered last. Meaningless while cold.
  const Position& position() const { return position_; }
  // The gap of the last verdict kGap.
  const Gap& gap() const { return gap_; }

 private:
  Position position_;
  Gap gap_;
  bool warm_ = false;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_FEED_H_
