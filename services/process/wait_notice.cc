#include "services/process/wait_notice.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace groupcast::service {

std::optional<std::string> WaitNotice::Observe(size_t waiting, size_t workers,
                                               const std::function<std::string()>& what,
                                               absl::Time now) {
  if (waiting > 0 && since_ == absl::InfiniteFuture()) {
    since_ = now;
    next_ = now + kFirstAfter;
  }
  const std::string waited = absl::FormatDuration(absl::Trunc(now - since_, absl::Seconds(1)));
  if (waiting > 0) {
    if (now < next_) return std::nullopt;
    next_ = now + kPeriod;
    told_ = true;
    return absl::StrCat(waiting, " of ", workers, " workers wait for ", what(), ", for ", waited,
                        " now");
  }
  since_ = absl::InfiniteFuture();
  if (!std::exchange(told_, false)) return std::nullopt;
  return absl::StrCat("no worker waits for ", what(), " any more, after ", waited);
}

}  // namespace groupcast::service
