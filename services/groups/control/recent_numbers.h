#ifndef GROUPCAST_SERVICES_GROUPS_CONTROL_RECENT_NUMBERS_H_
#define GROUPCAST_SERVICES_GROUPS_CONTROL_RECENT_NUMBERS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/time/time.h"

namespace groupcast::service {

// Remembers numbers for a minute, as long as a message may come again. Of more than kMax, it
// forgets the oldest.
//
// Not thread-safe. The time must not run backwards.
class RecentNumbers {
 public:
  static constexpr absl::Duration kTime = absl::Minutes(1);
  static constexpr size_t kMax = 4'096;

  bool Contains(uint64_t number, absl::Time now) {
    while (!order_.empty() && order_.front().second + kTime <= now) Forget();
    return numbers_.contains(number);
  }

  void Add(uint64_t number, absl::Time now) {
    if (!numbers_.insert(number).second) return;
    order_.emplace_back(number, now);
    if (order_.size() > kMax) Forget();
  }

 private:
  void Forget() {
    numbers_.erase(order_.front().first);
    order_.pop_front();
  }

  std::deque<std::pair<uint64_t, absl::Time>> order_;  // oldest first
  absl::flat_hash_set<uint64_t> numbers_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_GROUPS_CONTROL_RECENT_NUMBERS_H_
