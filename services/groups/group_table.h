#ifndef GROUPCAST_SERVICES_GROUPS_GROUP_TABLE_H_
#define GROUPCAST_SERVICES_GROUPS_GROUP_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/channel/position.h"
#include "services/groups/member.h"
#include "services/groups/message_rate.h"
#include "services/groups/recent_messages.h"

namespace groupcast::service {

struct Group {
  // The beginning of 2020, in seconds since 1970 UTC.
  static constexpr int64_t kSinceZero = 1'577'836'800;

  struct Place {
    Member* member;
    uint32_t membership;      // in the member's memberships
    uint32_t live : 1 = 1;    // it gets each message at once; else it recovers
    uint32_t since : 31 = 0;  // the time of its join, in seconds since kSinceZero
  };

  std::string id;
  bool subscribed = false;  // OnSubscribed has come
  MessageRate rate;         // of its messages from the channel
  Position position;        // of the last delivered message, if subscribed
  std::vector<Place> members;
  std::unique_ptr<RecentMessages::Ring> recent;  // null before the first message
};

// The members of each group. A join, a leave and the removal of a connection take constant time for
// each group. To find one of a connection's groups takes one check of each of its groups.
//
// A group is in the table while it has members. The caller that removes the last member also
// removes the group.
class GroupTable {
 public:
  // Null: there is no such group.
  Group* Find(absl::string_view id);
  const Group* Find(absl::string_view id) const;

  struct Added {
    Group* group;
    bool is_new;
  };
  Added FindOrAdd(absl::string_view id);

  // `group` must have no members.
  void Remove(Group* group);

  bool IsMember(const Group& group, const Member& member) const;
  // The time of the member's join, to the second. nullopt: it is no member.
  std::optional<absl::Time> SinceOf(const Group& group, const Member& member) const;
  // False: the connection is a member already.
  bool Join(Group* group, Member* member, absl::Time now);
  // False: the connection was no member.
  bool Leave(Group* group, Member* member);
  // Sets whether a member gets the group's messages at once. A new member is live.
  void SetLive(Group* group, const Member& member, bool live);
  std::vector<Group*> GroupsOf(const Member& member) const;
  std::vector<Group*> GroupsNotLive(const Member& member) const;
  // Returns the groups that the member has left.
  std::vector<Group*> LeaveAll(Member* member);

  // In no order. `see` must not change the table.
  void ForEach(absl::FunctionRef<void(const Group&)> see) const {
    for (const auto& [id, group] : groups_) see(*group);
  }

  size_t group_count() const { return groups_.size(); }
  size_t membership_count() const { return membership_count_; }

 private:
  void RemovePlace(Group* group, uint32_t place);

  absl::flat_hash_map<std::string, std::unique_ptr<Group>> groups_;
  size_t membership_count_ = 0;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_GROUPS_GROUP_TABLE_H_
