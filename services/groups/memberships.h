#ifndef GROUPCAST_SERVICES_GROUPS_MEMBERSHIPS_H_
#define GROUPCAST_SERVICES_GROUPS_MEMBERSHIPS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/access/access_policy.h"
#include "services/channel/channel.h"
#include "services/common/clock.h"
#include "services/groups/group_presence.h"
#include "services/groups/group_table.h"
#include "services/groups/member.h"
#include "services/groups/pending_joins.h"
#include "services/groups/recovery.h"
#include "services/groups/refusals.h"
#include "services/groups/user_limits.h"
#include "services/protocol/command.h"

namespace groupcast::service {

struct MembershipsOptions {
  // The groups of one connection, without its user's personal group.
  size_t groups_max = 128;
  // If the channel has not answered a join after this time, the join fails with `unavailable`.
  absl::Duration join_timeout = absl::Seconds(5);
};

// Joins and leaves of a worker's connections, from the command to its answer: the bounds of groups,
// the subscriptions of the channel, the joins that wait for them, and the users' personal groups.
// It does not ask for rights.
//
// Not thread-safe.
class Memberships {
 public:
  // What a join or a leave touches. All must outlive it.
  struct Parts {
    const Clock* clock;
    const Clock* calendar;       // the date, for the times of joins
    const AccessPolicy* policy;  // it knows personal groups
    GroupTable* table;
    Recoveries* recoveries;
    GroupPresence* presence;
    UserLimits* users;
    Refusals* refusals;
    std::function<Member*(ConnectionId)> find;  // a connection of this worker; null: it is gone
  };
  Memberships(const MembershipsOptions& options, Parts parts);

  // The caller must set it before any other call. The channel must outlive it, or be set to null.
  void SetChannel(Channel* channel) { channel_ = channel; }

  // Carries out an add_group. Not after GiveUp.
  void Join(Member* member, const Command& command);
  // The member leaves the group, if it is in it.
  void Leave(Group* group, Member* member);
  // The connection is gone.
  void Remove(Member* member);

  // Whether the join may run before the member's pending answers. Joins run at the same time, one
  // for each group, so at most `groups_max` of them.
  bool MayRunAtOnce(const Member& member, const Command& command) const;

  // Puts the member into its user's personal group, if it has one.
  void JoinPersonalGroup(Member* member);
  // The groups that count for the bounds: all but the personal one.
  size_t CountedGroups(const Member& member) const;

  // The channel has the group's subscription, and delivery begins at `head`.
  void OnSubscribed(absl::string_view group_id, const Position& head);
  // Fails the joins that have passed their deadline. The worker calls it on each tick.
  void CheckDeadlines();
  // Fails all joins, because the worker ends. No more may come.
  void GiveUp();

  // Joins that were refused for the groups of their users.
  uint64_t over_user_groups() const { return over_user_groups_; }

 private:
  void JoinAgain(Group* group, Member* member, const Command& command);
  PendingJoin PendingJoinOf(Group* group, Member* member, const Command& command) const;
  // The join's group is subscribed.
  void BeginDelivery(PendingJoin join);
  // Refuses the joins with a deadline up to `now`.
  void FailJoins(absl::Time now, const absl::Status& why);
  void RefuseJoin(const PendingJoin& join, const absl::Status& why);
  void RemoveIfUnused(Group* group);
  bool IsPersonal(const Member& member, absl::string_view group_id) const;
  void RetryPersonalGroups();

  const MembershipsOptions options_;
  const Parts parts_;
  Channel* channel_ = nullptr;
  PendingJoins pending_;  // of groups that are not subscribed
  // The connections whose users' groups the channel did not give in time.
  std::vector<ConnectionId> personal_retries_;
  uint64_t over_user_groups_ = 0;
  bool gives_up_ = false;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_GROUPS_MEMBERSHIPS_H_
