#ifndef GROUPCAST_SERVICES_CHANNEL_SERVER_SERVER_REPORT_H_
#define GROUPCAST_SERVICES_CHANNEL_SERVER_SERVER_REPORT_H_

#include <atomic>
#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "services/channel_server/published.h"
#include "services/channel_server/server_metrics.h"

namespace groupcast::service {

// What a channel server reports of itself. The server's loop writes it, and any thread may read it.
// Neither side waits for the other.
class ServerReport {
 public:
  // The numbers are not older than this, unless a turn takes longer. (A turn comes at least every
  // 100 ms.)
  static constexpr absl::Duration kPeriod = absl::Milliseconds(100);
  // Without a turn for this time, the loop stands still: a disk does not answer, or the process
  // gets no CPU.
  static constexpr absl::Duration kStandstill = absl::Seconds(5);

  // `now` is monotonic.
  explicit ServerReport(absl::Time now) : turn_ms_(absl::ToUnixMillis(now)) {}

  // The loop calls it in every turn, with the monotonic time. It calls `numbers` when they are due.
  void OnTurn(absl::Time now, absl::FunctionRef<ServerNumbers()> numbers);

  // The server is on its way to its end.
  void SetStopping() { stopping_.store(true, std::memory_order_relaxed); }

  // The time since the loop's last turn. Before the first one, while it reads its log: since the
  // start. `now` is monotonic. (The time of the last turn is up to kPeriod too early.)
  absl::Duration LoopAge(absl::Time now) const;

  // Empty: workers can use the server. Else one sentence about the reason. `now` is monotonic.
  std::string WhyNotReady(absl::Time now) const;

  // Zeros before the first turn.
  ServerNumbers numbers() const { return numbers_.Read(); }

 private:
  absl::Time next_ = absl::InfinitePast();  // only for the loop
  Published<ServerNumbers> numbers_;
  std::atomic<int64_t> turn_ms_;  // the monotonic time of OnTurn, or of the start
  std::atomic<bool> has_turned_{false};
  std::atomic<bool> stopping_{false};
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_SERVER_SERVER_REPORT_H_
