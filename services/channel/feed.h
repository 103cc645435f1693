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

// Receives the decisions of a feed.
class FeedSink {
 public:
  // `body` has the bytes that the feed's owner gave it with the position.
  virtual void Deliver(const Position& position, uint64_t previous, absl::string_view body) = 0;
  virtual void Tell(const Gap& gap) = 0;

 protected:
  ~FeedSink() = default;
};

// A worker's state for one group: the position of its last delivery, and the repair in progress.
// The feed builds a chain from the messages of the channel. It delivers each message once, after
// the message's predecessor. It tells the sink a gap for messages that the channel does not have
// any more.
//
// A feed is cold until the first announcement of the group's head. Delivery begins at that head:
// earlier messages are part of it. A warm feed is either in step or behind. It is behind while it
// knows of messages that it does not have. Then it holds live messages and waits for OnHistory.
// While the feed is behind, its owner must ask for the history after position().
//
// `current` is the epoch of the server that the worker is connected to now. A live message may be
// of that epoch, or late from an earlier server, or early from a later one. The feed accepts
// messages of `current` and of its own epoch.
//
// The feed compares offsets of its own group only. Logic only: no IO, no time. Not thread-safe.
class Feed {
 public:
  // The cost of a held message besides its body.
  static constexpr size_t kHeldOverheadBytes = 128;

  // An announcement brought the group's head, on the link that brings its messages.
  void OnHead(const Position& head, Epoch current);
  // The worker knows the head from another source. The announcement that warms the feed may be
  // older.
  void OnOtherHead(const Position& head, Epoch current);

  // A live message. If the feed must hold it and holds `held_bytes_max` already, it drops the
  // message. The repair of the earlier messages then brings this message too.
  void OnMessage(const Position& position, uint64_t previous, absl::string_view body, Epoch current,
                 size_t held_bytes_max, FeedSink* sink);

  // The answer to the request for the history after position(): first OnHistoryBegin, then its
  // messages in order, then OnHistoryEnd.
  void OnHistoryBegin(const Position& head, uint64_t floor, FeedSink* sink);
  void OnHistoryMessage(const Position& position, uint64_t previous, absl::string_view body,
                        FeedSink* sink);
  void OnHistoryEnd(const Position& head, FeedSink* sink);

  // Whether the feed is warm and has not reached `head`, so that a repair can bring messages up to
  // `head`.
  bool Lacks(const Position& head, Epoch current) const { return warm_ && IsAhead(head, current); }

  bool warm() const { return warm_; }
  bool behind() const { return behind_; }
  // The position of the last delivery. It has no meaning while the feed is cold.
  const Position& position() const { return position_; }

  size_t held_bytes() const { return held_bytes_; }

  // For the owner: how often it found the feed behind without a live message, since the last live
  // message.
  int silent_repairs = 0;

 private:
  struct Held {
    Position position;
    uint64_t previous;
    std::string body;
  };

  // Whether there are messages to repair up to `position`.
  bool IsAhead(const Position& position, Epoch current) const;
  void Advance(const Position& position, uint64_t previous, absl::string_view body, FeedSink* sink);
  void TellGap(const Position& to, FeedSink* sink);
  void Hold(const Position& position, uint64_t previous, absl::string_view body,
            size_t held_bytes_max);
  void DeliverHeld(FeedSink* sink);

  Position position_;
  // The highest position that the feed knows of. Once the feed has reached it, it may be older than
  // position_.
  Position target_;
  std::list<Held> held_;  // an empty deque would take 600 bytes, and few feeds hold anything
  size_t held_bytes_ = 0;
  bool warm_ = false;
  bool behind_ = false;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_FEED_H_
