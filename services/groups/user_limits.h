#ifndef GROUPCAST_SERVICES_GROUPS_USER_LIMITS_H_
#define GROUPCAST_SERVICES_GROUPS_USER_LIMITS_H_

#include <cstddef>
#include <cstdint>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "services/common/token_bucket.h"
#include "services/groups/member.h"

namespace groupcast::service {

// Counts by user, over all workers.
class UserCounts {
 public:
  // Counts one more of the user, unless there are `max` already. Returns whether it was counted.
  virtual bool AddBelow(uint32_t max, uint64_t user) = 0;
  virtual void Remove(uint64_t user) = 0;

 protected:
  ~UserCounts() = default;
};

struct UserLimitsOptions {
  uint32_t connections_max = 0;  // to all workers; 0: no limit
  uint32_t groups_max = 0;       // the memberships of these connections together; 0: no limit
  // The commands of these connections together, in each worker. Zero per second: no limit.
  TokenRate command_rate = {.per_second = 0, .burst = 1024};
  // They must not be null if there is a limit, and must outlive the object.
  UserCounts* connections = nullptr;
  UserCounts* groups = nullptr;
};

// What the connections of one user may take together. Connections without a user have no part in
// it. The owner calls it only for members with a token (Member::access).
//
// Logic only. Not thread-safe.
class UserLimits {
 public:
  explicit UserLimits(const UserLimitsOptions& options) : options_(options) {}

  // The member has this user now, and had none. It is in `groups` groups, and must leave those that
  // are over the user's limit (MemberAccess::groups_over). False: the user has too many
  // connections.
  bool Add(Member* member, absl::string_view user, size_t groups);
  // The member goes. What was counted for it counts no more.
  void Remove(Member* member);

  // The member joins one more group. False: the user is in too many.
  bool AddGroup(Member* member);
  void RemoveGroup(Member* member);

  // Whether the user may give a command now; takes the tokens of one that runs.
  bool HasToken(const Member& member, absl::Time now) const;
  void TakeTokens(const Member& member, size_t commands, absl::Time now);

  const UserLimitsOptions& options() const { return options_; }
  size_t buckets() const { return buckets_.size(); }  // for tests

 private:
  const UserLimitsOptions options_;
  // By user. Full ones are forgotten when there are twice as many as after the last time.
  absl::flat_hash_map<uint64_t, TokenBucket> buckets_;
  size_t forget_at_ = 1'024;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_GROUPS_USER_LIMITS_H_
