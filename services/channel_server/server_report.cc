#include "services/channel_server/server_report.h"

#include "absl/strings/str_cat.h"

namespace groupcast::service {

void ServerReport::OnTurn(absl::Time now, absl::FunctionRef<ServerNumbers()> numbers) {
  if (now < next_) return;
  next_ = now + kPeriod;
  numbers_.Publish(numbers());
  turn_ms_.store(absl::ToUnixMillis(now), std::memory_order_relaxed);
}

std::string ServerReport::WhyNotReady(absl::Time now) const {
  if (stopping_.load(std::memory_order_relaxed)) return "The channel server stops.";
  const int64_t turn_ms = turn_ms_.load(std::memory_order_relaxed);
  if (turn_ms == INT64_MIN) return "The channel server starts: it reads its log.";
  const absl::Duration silence = now - absl::FromUnixMillis(turn_ms);
  if (silence < kStandstill) return "";
  return absl::StrCat("The channel server stands still since ", absl::ToInt64Seconds(silence),
                      " s.");
}

}  // namespace groupcast::service
