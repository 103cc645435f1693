#include "groupcast/liveness.h"

#include <algorithm>

namespace groupcast {
namespace {

constexpr absl::Duration kAnswerTimeMax = absl::Seconds(10);

// A timer that ends later than this shows that the thread was busy, or that the machine slept. Then
// the answer may be here already, unread.
constexpr absl::Duration kLate = absl::Seconds(1);

}  // namespace

Liveness::Liveness(absl::Duration timeout, absl::Time now)
    : answer_time_(std::min(kAnswerTimeMax, timeout / 2)),
      silence_time_(timeout - answer_time_),
      deadline_(now + silence_time_) {}

void Liveness::OnHeard(absl::Time now) {
  ping_.reset();
  deadline_ = now + silence_time_;
}

void Liveness::OnPong(CommandId ping, absl::Time now) {
  if (ping_ == ping) OnHeard(now);
}

void Liveness::OnPing(CommandId ping, absl::Time now) {
  ping_ = ping;
  deadline_ = now + answer_time_;
}

Liveness::Verdict Liveness::OnTimer(absl::Time now) {
  if (now < deadline_) return Verdict::kNothing;
  if (!ping_.has_value()) return Verdict::kPing;
  if (now < deadline_ + kLate) return Verdict::kDead;
  deadline_ = now + answer_time_;
  return Verdict::kNothing;
}

}  // namespace groupcast
