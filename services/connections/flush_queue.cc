#include "services/connections/flush_queue.h"

#include <algorithm>

namespace groupcast::service {
namespace {

// The time for which a turn flushes. It is short enough to go unnoticed, and long enough to keep
// the turn's other costs small in comparison.
constexpr absl::Duration kInteractiveBox = absl::Milliseconds(2);
constexpr absl::Duration kBulkBox = absl::Milliseconds(1);
constexpr absl::Duration kHurryBox = absl::Milliseconds(100);

// A flush takes microseconds, so the clock need not be read after each.
constexpr size_t kFlushesPerLookAtTheClock = 8;

constexpr absl::Duration kHoldMax = absl::Milliseconds(1);
constexpr int kHoldPartOfRound = 4;
constexpr size_t kFramesThatMakeAStream = 2;  // per connection and round
// Publishers that wait for their results pause for some milliseconds in every round.
constexpr absl::Duration kStreamPauseMax = absl::Milliseconds(10);

}  // namespace

void FlushQueue::Add(FlushNode* node, TrafficClass traffic_class) {
  if (node->is_linked()) {
    if (traffic_class == node->traffic_class_ || traffic_class == TrafficClass::kBulk) return;
    node->unlink();
  }
  node->traffic_class_ = traffic_class;
  (traffic_class == TrafficClass::kBulk ? bulk_ : interactive_).push_back(*node);
}

absl::Time FlushQueue::FlushSome(bool hurry, absl::FunctionRef<size_t(FlushNode*)> flush) {
  if (interactive_.empty() && bulk_.empty()) return absl::InfiniteFuture();
  absl::Time now = clock_->Now();
  if (!interactive_.empty()) now = FlushFor(kInteractiveBox, now, &interactive_, flush);
  if (!bulk_.empty()) {
    if (round_.begins == absl::InfiniteFuture()) {
      round_.begins = now < stream_ends_ ? now + hold_ : now;
    }
    if (now < round_.begins && !hurry) {
      return interactive_.empty() ? round_.begins : absl::InfinitePast();
    }
    const absl::Time end = FlushFor(hurry ? kHurryBox : kBulkBox, now, &bulk_, flush);
    round_.took += end - now;
    round_.connections += flushed_connections_;
    round_.frames += flushed_frames_;
    if (bulk_.empty()) {
      const bool is_stream = round_.frames >= kFramesThatMakeAStream * round_.connections;
      hold_ = is_stream ? std::min(kHoldMax, round_.took / kHoldPartOfRound) : absl::ZeroDuration();
      stream_ends_ = end + kStreamPauseMax;
      round_ = {};
    }
  }
  return interactive_.empty() && bulk_.empty() ? absl::InfiniteFuture() : absl::InfinitePast();
}

absl::Time FlushQueue::FlushFor(absl::Duration box, absl::Time now, List* list,
                                absl::FunctionRef<size_t(FlushNode*)> flush) {
  const absl::Time end = now + box;
  flushed_connections_ = 0;
  flushed_frames_ = 0;
  while (!list->empty() && now < end) {
    FlushNode* const node = &list->front();
    list->pop_front();
    flushed_frames_ += flush(node);
    ++flushed_connections_;
    if (flushed_connections_ % kFlushesPerLookAtTheClock == 0) now = clock_->Now();
  }
  return clock_->Now();
}

}  // namespace groupcast::service
