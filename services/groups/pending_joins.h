#ifndef GROUPCAST_SERVICES_GROUPS_PENDING_JOINS_H_
#define GROUPCAST_SERVICES_GROUPS_PENDING_JOINS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/node_hash_map.h"
#include "absl/time/time.h"
#include "boost/intrusive/list.hpp"
#include "services/channel/position.h"
#include "services/groups/group_table.h"

namespace groupcast::service {

// A join whose reply waits: for the group's subscription, or for the place where it begins.
struct PendingJoin {
  Group* group = nullptr;
  Member* member = nullptr;  // in the group since the join came
  std::string command_id;    // JSON; empty: the client wants no reply
  std::optional<Position> since;
  uint32_t history = 0;
  absl::Time deadline;
};

// The joins that wait for their groups' subscriptions, in the order in which they came. It holds at
// most one for each membership in the table, so the bounds of the table are its bounds.
//
// Adding and dropping one take constant time; taking some takes time for those alone. Not
// thread-safe.
class PendingJoins {
 public:
  // `join.member` must have no join of that group here. `join.deadline` must not be before those
  // that were added earlier.
  void Add(PendingJoin join);

  // Removes the member's join of that group, if there is one.
  void Drop(Group* group, Member* member);

  // Remove and return the group's joins, and those whose deadline is not after `now`. Both are in
  // the order in which they were added.
  std::vector<PendingJoin> TakeOf(Group* group);
  std::vector<PendingJoin> TakeExpired(absl::Time now);

  size_t size() const { return all_.size(); }

 private:
  using Hook = boost::intrusive::list_member_hook<
      boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;
  struct Entry {
    PendingJoin join;
    Hook of_group;
    Hook by_deadline;
  };
  template <Hook Entry::*hook>
  using List = boost::intrusive::list<Entry, boost::intrusive::member_hook<Entry, Hook, hook>,
                                      boost::intrusive::constant_time_size<false>>;

  PendingJoin Take(Entry* entry);

  // The lists are declared first: an entry leaves them when it is destroyed.
  absl::node_hash_map<Group*, List<&Entry::of_group>> groups_;
  List<&Entry::by_deadline> by_deadline_;
  absl::flat_hash_map<std::pair<Group*, Member*>, std::unique_ptr<Entry>> all_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_GROUPS_PENDING_JOINS_H_
