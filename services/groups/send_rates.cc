#include "services/groups/send_rates.h"

#include "absl/hash/hash.h"

namespace groupcast::service {

bool SendRates::Take(absl::string_view group_id, const TokenRate& rate, absl::Time now) {
  const uint64_t key = absl::Hash<absl::string_view>()(group_id);
  auto found = buckets_.find(key);
  if (found == buckets_.end()) {
    if (buckets_.size() >= kGroupsMax) {
      absl::erase_if(buckets_, [now](const auto& bucket) { return bucket.second.IsFull(now); });
    }
    if (buckets_.size() >= kGroupsMax) return false;
    found = buckets_.try_emplace(key).first;
  }
  if (found->second.Available(rate, now) < 1) return false;
  found->second.Take(1, rate, now);
  return true;
}

}  // namespace groupcast::service
