#include "services/channel_server/server_report.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace groupcast::service {

void ServerReport::OnTurn(absl::Time now, absl::FunctionRef<ServerNumbers()> numbers) {
  if (now < next_) return;
  next_ = now + kPeriod;
  numbers_.Publish(numbers());
  turn_ms_.store(absl::ToUnixMillis(now), std::memory_order_relaxed);
  has_turned_.store(true, std::memory_order_relaxed);
}

absl::Duration ServerReport::LoopAge(absl::Time now) const {
  const absl::Time turn = absl::FromUnixMillis(turn_ms_.load(std::memory_order_relaxed));
  return std::max(now - turn, absl::ZeroDuration());
}

std::string ServerReport::WhyNotReady(absl::Time now) const {
  if (stopping_.load(std::memory_order_relaxed)) return "The channel server stops.";
  if (!has_turned_.load(std::memory_order_relaxed)) {
    return "The channel server starts: it reads its log.";
  }
  const absl::Duration age = LoopAge(now);
  if (age < kStandstill) return "";
  return absl::StrCat("The channel server stands still since ", absl::ToInt64Seconds(age), " s.");
}

}  // namespace groupcast::service
