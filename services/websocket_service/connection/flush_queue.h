#ifndef GROUPCAST_SERVICES_WEBSOCKET_SERVICE_CONNECTION_FLUSH_QUEUE_H_
#define GROUPCAST_SERVICES_WEBSOCKET_SERVICE_CONNECTION_FLUSH_QUEUE_H_

#include <cstddef>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "boost/intrusive/list.hpp"
#include "services/common/clock.h"
#include "services/groups/traffic_class.h"

namespace groupcast::service {

// An element of at most one FlushQueue, which it leaves by itself when it is destroyed.
class FlushNode : public boost::intrusive::list_base_hook<
                      boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 private:
  friend class FlushQueue;
  TrafficClass traffic_class_ = TrafficClass::kInteractive;
};

// The connections that have something to be written, and when it is: in the turn that brings it,
// with two exceptions that concern bulk alone.
//
// A system call costs about the same for one frame as for sixteen. So, while a stream of messages
// goes to many members, what has come is written a little later, together with what comes
// meanwhile: a round that found two frames or more per connection makes the next one wait for a
// quarter of the time that it took itself, a millisecond at most. Single messages never wait.
//
// A round over a hundred thousand connections takes half a second. So it is cut in pieces, and
// between them the loop goes on: it reads, takes messages from the channel, and flushes those that
// are interactive, which always come first.
//
// Logic only, and not thread-safe.
class FlushQueue {
 public:
  // `clock` is real time, not a turn's: it is asked how long flushing takes.
  explicit FlushQueue(const Clock* clock) : clock_(clock) {}
  FlushQueue(const FlushQueue&) = delete;
  FlushQueue& operator=(const FlushQueue&) = delete;

  // Puts `node` at the end. If it is in the queue it keeps its place, unless it becomes
  // interactive.
  void Add(FlushNode* node, TrafficClass traffic_class);

  // To be called once per turn. It takes nodes out and calls `flush`, which returns how many frames
  // it wrote, and may add nodes and destroy any. In a `hurry` the pieces are large: more comes than
  // small ones can write. Returns when it wants to be called again, at the latest: InfinitePast at
  // once, InfiniteFuture when something is added.
  absl::Time FlushSome(bool hurry, absl::FunctionRef<size_t(FlushNode*)> flush);

  // Whether there is bulk that turns before have not come to: a round is under way.
  bool is_behind() const { return !bulk_.empty(); }

 private:
  using List = boost::intrusive::list<FlushNode, boost::intrusive::constant_time_size<false>>;

  // Flushes what is in the list, for `box` at most; returns the time at the end.
  absl::Time FlushFor(absl::Duration box, absl::Time now, List* list,
                      absl::FunctionRef<size_t(FlushNode*)> flush);

  const Clock* const clock_;
  List interactive_;
  List bulk_;

  // A round begins when there is bulk to be written, and ends when there is no more.
  struct Round {
    absl::Time begins = absl::InfiniteFuture();
    absl::Duration took;
    size_t connections = 0;
    size_t frames = 0;
  };
  Round round_;
  absl::Duration hold_;  // how long the next round waits

  // Of the last FlushFor.
  size_t flushed_connections_ = 0;
  size_t flushed_frames_ = 0;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_WEBSOCKET_SERVICE_CONNECTION_FLUSH_QUEUE_H_
