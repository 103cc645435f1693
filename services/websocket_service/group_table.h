#ifndef GROUPCAST_SERVICES_WEBSOCKET_SERVICE_GROUP_TABLE_H_
#define GROUPCAST_SERVICES_WEBSOCKET_SERVICE_GROUP_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/channel/feed.h"
#include "services/websocket_service/frame.h"

namespace groupcast::service {

struct Group;

// Distinct over all workers and their incarnations: random, so that it can be shown to clients.
enum class ConnectionId : uint64_t {};

// What the groups know of a connection. It must be removed from the table (LeaveAll) before it is
// destroyed.
class Member {
 public:
  explicit Member(ConnectionId id) : connection_id_(id) {}
  virtual ~Member() = default;
  Member(const Member&) = delete;
  Member& operator=(const Member&) = delete;

  // Queues a frame; a connection that is closing drops it. Must not change the group table.
  virtual void Send(const FramePtr& frame) = 0;

  // What its commands waited for has come: they may go on.
  virtual void ResumeCommands() = 0;

  // Whether it gets messages in the v1 envelope, rather than bare.
  virtual bool v1() const = 0;

  ConnectionId connection_id() const { return connection_id_; }
  size_t group_count() const { return memberships_.size(); }

  // Joins that wait for the channel.
  int pending_joins = 0;

 private:
  friend class GroupTable;
  struct Membership {
    Group* group;
    uint32_t place;  // in the group's members
  };
  const ConnectionId connection_id_;
  std::vector<Membership> memberships_;
};

// A join whose reply waits for the group's first announcement.
struct PendingJoin {
  ConnectionId connection{};
  std::string command_id;  // JSON; empty: no reply is wanted
  absl::Time deadline;
};

struct Group {
  struct Place {
    Member* member;
    uint32_t membership;  // in the member's memberships
  };

  std::string id;
  Feed feed;
  std::vector<Place> members;
  std::deque<PendingJoin> pending_joins;  // in the order of their deadlines
};

// Which connections are in which groups. Joining, leaving and the removal of a connection take
// constant time for each group concerned (finding one of a connection's groups takes a look at each
// of them).
//
// A group is in the table while it has members or pending joins; who takes the last away removes
// it.
class GroupTable {
 public:
  // Null: there is no such group.
  Group* Find(absl::string_view id);

  struct Added {
    Group* group;
    bool is_new;
  };
  Added FindOrAdd(absl::string_view id);

  // `group` must be without members and pending joins.
  void Remove(Group* group);

  bool IsMember(const Group& group, const Member& member) const;
  // False: it is a member already.
  bool Join(Group* group, Member* member);
  // False: it was no member.
  bool Leave(Group* group, Member* member);
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

#endif  // GROUPCAST_SERVICES_WEBSOCKET_SERVICE_GROUP_TABLE_H_
