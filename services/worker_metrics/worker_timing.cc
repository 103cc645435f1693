#include "services/worker_metrics/worker_timing.h"

namespace groupcast::service {

WorkerTiming::WorkerTiming(EventLoop* loop, const Clock* calendar)
    : loop_(loop), calendar_(calendar) {
  OnTick();
  loop_->WatchTurns(
      [this](absl::Duration work) { turns_.Observe(absl::ToInt64Microseconds(work)); });
}

void WorkerTiming::OnMessage(int64_t sent_at_ms) {
  if (sent_at_ms == 0) return;
  latencies_.Observe(absl::ToUnixMicros(loop_->now() + offset_) - sent_at_ms * 1'000);
}

}  // namespace groupcast::service
