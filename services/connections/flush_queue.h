#ifndef GROUPCAST_SERVICES_CONNECTIONS_FLUSH_QUEUE_H_
#define GROUPCAST_SERVICES_CONNECTIONS_FLUSH_QUEUE_H_

#include <cstddef>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "boost/intrusive/list.hpp"
#include "services/common/clock.h"
#include "services/groups/traffic_class.h"

namespace groupcast::service {

// An element of at most one FlushQueue. A destroyed node leaves the queue.
class FlushNode : public boost::intrusive::list_base_hook<
                      boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 private:
  friend class FlushQueue;
  TrafficClass traffic_class_ = TrafficClass::kInteractive;
};

// The connections that have frames to write, and the time of their writing. They write in the turn
// that brings the frames, with two exceptions for bulk:
//
//   1. A system call costs about the same for one frame as for sixteen. During a stream of
//      messages to many members, a flush round waits a little and collects more messages. If a
//      round had two frames or more per connection, the next one waits. The wait is a quarter of
//      that round's own time, and at most 1 ms. Single messages never wait. A pause of 10 ms ends
//      the stream, so the first message after it does not wait either.
//   2. A flush round over a hundred thousand connections takes half a second, so it runs in pieces.
//      Between the pieces the loop reads and takes messages from the channel. It also flushes the
//      interactive connections, which always come first.
//
// It holds each connection once, so the number of connections is its bound. No IO. Not thread-safe.
class FlushQueue {
 public:
  // `clock` measures the time of flushing, so it must not stand still during a turn. It must
  // outlive the queue.
  explicit FlushQueue(const Clock* clock) : clock_(clock) {}
  FlushQueue(const FlushQueue&) = delete;
  FlushQueue& operator=(const FlushQueue&) = delete;

  // Puts `node` at the end. A node in the queue keeps its place, unless it becomes interactive.
  void Add(FlushNode* node, TrafficClass traffic_class);

  // The worker calls it once per turn. It takes nodes out and calls `flush` for each. `flush`
  // returns the number of frames that it wrote. It may add nodes, and destroy any. In a `hurry` the
  // pieces are large, because messages come faster than small pieces can write them.
  // Returns the latest time of the next call. InfinitePast: at once. InfiniteFuture: when a node is
  // added.
  absl::Time FlushSome(bool hurry, absl::FunctionRef<size_t(FlushNode*)> flush);

  // Whether a flush round is under way: there is bulk that earlier turns have not reached.
  bool is_behind() const { return !bulk_.empty(); }

 private:
  using List = boost::intrusive::list<FlushNode, boost::intrusive::constant_time_size<false>>;

  // Flushes the nodes of the list for at most `box`. Returns the time at the end.
  absl::Time FlushFor(absl::Duration box, absl::Time now, List* list,
                      absl::FunctionRef<size_t(FlushNode*)> flush);

  const Clock* const clock_;
  List interactive_;
  List bulk_;

  // A round begins when there is bulk to write, and ends when there is none.
  struct Round {
    absl::Time begins = absl::InfiniteFuture();
    absl::Duration took;
    size_t connections = 0;
    size_t frames = 0;
  };
  Round round_;
  // The time that the next round waits, if its bulk comes before stream_ends_.
  absl::Duration hold_;
  absl::Time stream_ends_;

  // Of the last FlushFor.
  size_t flushed_connections_ = 0;
  size_t flushed_frames_ = 0;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CONNECTIONS_FLUSH_QUEUE_H_
