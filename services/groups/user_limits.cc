#include "services/groups/user_limits.h"

#include <algorithm>
#include <limits>

#include "services/channel/fingerprint.h"
#include "services/groups/member_access.h"

namespace groupcast::service {
namespace {

constexpr uint32_t kNoLimit = std::numeric_limits<uint32_t>::max();

uint64_t KeyOf(absl::string_view user) {
  return std::max<uint64_t>(1, FingerprintOf({"user", user}).high);  // 0 is none
}

}  // namespace

bool UserLimits::Add(Member* member, absl::string_view user, size_t groups) {
  MemberAccess* const access = member->access.get();
  const uint64_t key = KeyOf(user);
  if (options_.connections_max > 0 &&
      !options_.connections->AddBelow(options_.connections_max, key)) {
    return false;
  }
  access->user_key = key;
  if (options_.groups_max > 0) {
    // It was in them before it had the user.
    for (size_t i = 0; i < groups; ++i) {
      if (options_.groups->AddBelow(options_.groups_max, key)) continue;
      options_.groups->AddBelow(kNoLimit, key);
      ++access->groups_over;
    }
    access->counted_groups = static_cast<uint32_t>(groups);
  }
  return true;
}

void UserLimits::Remove(Member* member) {
  MemberAccess* const access = member->access.get();
  if (access == nullptr || access->user_key == 0) return;
  if (options_.connections_max > 0) options_.connections->Remove(access->user_key);
  for (; access->counted_groups > 0; --access->counted_groups) {
    options_.groups->Remove(access->user_key);
  }
  access->user_key = 0;
  access->groups_over = 0;
}

bool UserLimits::AddGroup(Member* member) {
  MemberAccess* const access = member->access.get();
  if (options_.groups_max == 0 || access == nullptr || access->user_key == 0) return true;
  if (!options_.groups->AddBelow(options_.groups_max, access->user_key)) return false;
  ++access->counted_groups;
  return true;
}

void UserLimits::RemoveGroup(Member* member) {
  MemberAccess* const access = member->access.get();
  if (access == nullptr || access->counted_groups == 0) return;
  options_.groups->Remove(access->user_key);
  --access->counted_groups;
  if (access->groups_over > 0) --access->groups_over;
}

bool UserLimits::HasToken(const Member& member, absl::Time now) const {
  if (options_.command_rate.per_second <= 0 || member.access == nullptr) return true;
  const auto bucket = buckets_.find(member.access->user_key);
  return bucket == buckets_.end() || bucket->second.Available(options_.command_rate, now) >= 1;
}

void UserLimits::TakeTokens(const Member& member, size_t commands, absl::Time now) {
  if (options_.command_rate.per_second <= 0 || member.access == nullptr ||
      member.access->user_key == 0) {
    return;
  }
  if (buckets_.size() >= forget_at_) {
    absl::erase_if(buckets_, [now](const auto& bucket) { return bucket.second.IsFull(now); });
    forget_at_ = std::max<size_t>(1'024, 2 * buckets_.size());
  }
  buckets_[member.access->user_key].Take(static_cast<double>(commands), options_.command_rate, now);
}

}  // namespace groupcast::service
