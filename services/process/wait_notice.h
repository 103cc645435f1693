#ifndef GROUPCAST_SERVICES_PROCESS_WAIT_NOTICE_H_
#define GROUPCAST_SERVICES_PROCESS_WAIT_NOTICE_H_

#include <cstddef>
#include <functional>
#include <optional>
#include <string>

#include "absl/time/time.h"

namespace groupcast::service {

// Tells the operator that workers wait for something, such as the channel server: when they have
// waited for 10 s, and then each minute. When none waits any more, it says so too. A short wait
// needs no line.
//
// It has no clock and no log: the supervisor calls it in each turn and logs its lines.
class WaitNotice {
 public:
  static constexpr absl::Duration kFirstAfter = absl::Seconds(10);
  static constexpr absl::Duration kPeriod = absl::Minutes(1);

  // `waiting` of `workers` wait for `what` now. Returns the line that is due, if any.
  std::optional<std::string> Observe(size_t waiting, size_t workers,
                                     const std::function<std::string()>& what, absl::Time now);

 private:
  absl::Time since_ = absl::InfiniteFuture();  // none waits
  absl::Time next_;                            // line, while one waits
  bool told_ = false;                          // of this wait
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_PROCESS_WAIT_NOTICE_H_
