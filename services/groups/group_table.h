#ifndef GROUPCAST_SERVICES_GROUPS_GROUP_TABLE_H_
#define GROUPCAST_SERVICES_GROUPS_GROUP_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/channel/position.h"
#include "services/groups/member.h"
#include "services/groups/recent_messages.h"

namespace groupcast::service {

// A join whose reply waits: for the group's subscription, or to find out where it begins.
struct PendingJoin {
  std::string command_id;  // JSON; empty: no reply is wanted
  std::optional<Position> since;
  uint32_t history = 0;
  absl::Time deadline;
};

struct Group {
  struct Place {
    Member* member;
    uint32_t membership;  // in the member's memberships
    bool live = true;     // it gets what is delivered; else it recovers
  };

  std::string id;
  bool subscribed = false;  // the channel has said where delivery begins
  Position position;        // what was delivered last, if subscribed
  std::vector<Place> members;
  // Of members, while the group is not subscribed; in the order of their deadlines.
  std::vector<std::pair<ConnectionId, PendingJoin>> pending_joins;
  std::unique_ptr<RecentMessages::Ring> recent;  // null before the first message
};

// Which connections are in which groups. Joining, leaving and the removal of a connection take
// constant time for each group concerned (finding one of a connection's groups takes a look at each
// of them).
//
// A group is in the table while it has members; who takes the last away removes it.
class GroupTable {
 public:
  // Null: there is no such group.
  Group* Find(absl::string_view id);

  struct Added {
    Group* group;
    bool is_new;
  };
  Added FindOrAdd(absl::string_view id);

  // `group` must be without members.
  void Remove(Group* group);

  bool IsMember(const Group& group, const Member& member) const;
  // False: it is a member already.
  bool Join(Group* group, Member* member);
  // False: it was no member.
  bool Leave(Group* group, Member* member);
  // Whether a member gets what is delivered to the group. It begins as live.
  void SetLive(Group* group, const Member& member, bool live);
  std::vector<Group*> GroupsNotLive(const Member& member) const;
  // Returns the groups that were left.
  std::vector<Group*> LeaveAll(Member* member);

  size_t group_count() const { return groups_.size(); }
  size_t membership_count() const { return membership_count_; }

  // For a walk over all groups.
  const absl::flat_hash_map<std::string, std::unique_ptr<Group>>& groups() const { return groups_; }

 private:
  void RemovePlace(Group* group, uint32_t place);

  absl::flat_hash_map<std::string, std::unique_ptr<Group>> groups_;
  size_t membership_count_ = 0;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_GROUPS_GROUP_TABLE_H_
