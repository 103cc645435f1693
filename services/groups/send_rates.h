#ifndef GROUPCAST_SERVICES_GROUPS_SEND_RATES_H_
#define GROUPCAST_SERVICES_GROUPS_SEND_RATES_H_

#include <cstddef>
#include <cstdint>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/common/token_bucket.h"

namespace groupcast::service {

// What one connection may still send to the groups whose rule has a rate. Each group has a token
// bucket. A bucket that is full again is as one that never was, so it is forgotten when room is
// needed. A connection that has buckets in use for kGroupsMax groups may send to no further one.
// Not thread-safe.
class SendRates {
 public:
  static constexpr size_t kGroupsMax = 128;

  // Takes a token for one message to the group. False: there is none, and the message is over the
  // rate. `now` is of a monotonic clock.
  bool Take(absl::string_view group_id, const TokenRate& rate, absl::Time now);

 private:
  // By the hash of the group id. It has a seed, so nobody can choose ids that meet.
  absl::flat_hash_map<uint64_t, TokenBucket> buckets_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_GROUPS_SEND_RATES_H_
