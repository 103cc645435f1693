#ifndef GROUPCAST_SERVICES_WORKER_METRICS_WORKER_TIMING_H_
#define GROUPCAST_SERVICES_WORKER_METRICS_WORKER_TIMING_H_

#include <cstdint>

#include "absl/time/time.h"
#include "services/common/clock.h"
#include "services/common/event_loop.h"
#include "services/metrics/duration_histogram.h"

namespace groupcast::service {

// The times that a worker measures: of its loop's turns, and of messages from their sends to their
// deliveries here. A message costs one subtraction and one search in a few numbers, however many
// members it has.
//
// Not thread-safe.
class WorkerTiming {
 public:
  // Both must outlive it. `calendar` is a CalendarClock, or one of a test. It watches the loop's
  // turns.
  WorkerTiming(EventLoop* loop, const Clock* calendar);
  ~WorkerTiming() { loop_->WatchTurns(nullptr); }
  WorkerTiming(const WorkerTiming&) = delete;
  WorkerTiming& operator=(const WorkerTiming&) = delete;

  // The worker calls it on each tick: the calendar may have been set.
  void OnTick() { offset_ = calendar_->Now() - loop_->now(); }

  // A message of the channel is delivered in this turn. `sent_at_ms` is Content::sent_at_ms, whose
  // clock is that of the sending worker's host. Zero: it is not known.
  void OnMessage(int64_t sent_at_ms);

  const DurationHistogram& turns() const { return turns_; }
  const DurationHistogram& latencies() const { return latencies_; }

 private:
  EventLoop* const loop_;
  const Clock* const calendar_;
  absl::Duration offset_;  // from the loop's time to the calendar's
  DurationHistogram turns_{kWorkBoundsUs};
  DurationHistogram latencies_{kLatencyBoundsUs};
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_WORKER_METRICS_WORKER_TIMING_H_
