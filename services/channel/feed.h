#ifndef GROUPCAST_SERVICES_CHANNEL_FEED_H_
#define GROUPCAST_SERVICES_CHANNEL_FEED_H_

#include <cstddef>
#include <cstdint>
#include <list>
#include <string>

#include "absl/strings/string_view.h"
#include "services/channel/channel.h"
#include "services/channel/position.h"

namespace groupcast::service {

// Where a feed's chain goes.
class FeedSink {
 public:
  // `frame` is the bytes that were handed to the feed with the position.
  virtual void Deliver(const Position& position, uint64_t previous, absl::string_view frame) = 0;
  virtual void Tell(const Gap& gap) = 0;

 protected:
  ~FeedSink() = default;
};

// A worker's state for one group: the position of what it delivered last, and what it is repairing.
// Of what the channel brings it makes a chain: each message is delivered once and after the one
// that it names as its predecessor, and what cannot be had is told as a gap.
//
// A feed is cold until the first announcement of the group's head. That head is where delivery
// begins; messages that come before are part of it. Later it is either in step, or behind: it knows
// of messages that it has not got. Then it holds those that come live, and waits for OnHistory; who
// owns it must ask for the history after position() as long as it is behind.
//
// `current` is the epoch of the server that the worker is connected to now. What comes live is of
// that epoch, or late from an earlier server, or early from a later one; only the first counts,
// besides the feed's own.
//
// Logic only: no IO, no time. Not thread-safe.
class Feed {
 public:
  // The head of the group was announced, on the link that brings its messages.
  void OnHead(const Position& head, Epoch current);
  // The head is known in another way. The announcement that warms the feed may be older.
  void OnOtherHead(const Position& head, Epoch current);

  // A message has come live. If it must be held and the feed holds `held_bytes_max` already, it is
  // dropped, and repaired when those before it are.
  void OnMessage(const Position& position, uint64_t previous, absl::string_view frame,
                 Epoch current, size_t held_bytes_max, FeedSink* sink);

  // The answer to the request for the history after position(): first OnHistoryBegin, then its
  // messages in order, then OnHistoryEnd.
  void OnHistoryBegin(const Position& head, uint64_t floor, FeedSink* sink);
  void OnHistoryMessage(const Position& position, uint64_t previous, absl::string_view frame,
                        FeedSink* sink);
  void OnHistoryEnd(const Position& head, FeedSink* sink);

  bool warm() const { return warm_; }
  bool behind() const { return behind_; }
  // What was delivered last. Meaningless while cold.
  const Position& position() const { return position_; }

  size_t held_bytes() const { return held_bytes_; }

  // For its owner: how many times it was found to be behind by other means than a live message,
  // since the last live message.
  int silent_repairs = 0;

 private:
  struct Held {
    Position position;
    uint64_t previous;
    std::string frame;
  };

  // Whether there is something to be had up to `position`.
  bool IsAhead(const Position& position, Epoch current) const;
  void Advance(const Position& position, uint64_t previous, absl::string_view frame,
               FeedSink* sink);
  void TellGap(const Position& to, FeedSink* sink);
  void Hold(const Position& position, uint64_t previous, absl::string_view frame,
            size_t held_bytes_max);
  void DeliverHeld(FeedSink* sink);

  Position position_;
  // While behind or cold: the highest position it has heard of.
  Position target_;
  std::list<Held> held_;  // an empty deque would take 600 bytes, and few feeds hold anything
  size_t held_bytes_ = 0;
  bool warm_ = false;
  bool behind_ = false;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_FEED_H_
