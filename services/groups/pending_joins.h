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

// A join without a reply. It waits for the group's subscription, or for its start position.
struct PendingJoin {
  Group* group = nullptr;
  Member* member = nullptr;  // a member of the group since the join
  std::string command_id;    // JSON; empty: the client wants no reply
  std::optional<Position> since;
  uint32_t history = 0;
  bool presence = false;
  absl::Time deadline;
};

// The joins that wait for their groups' subscriptions, in the order of their arrival. It holds at
// most one for each membership in the table, so the bounds of the table are its bounds.
//
// Add and Drop take constant time. Taking joins takes time for those joins only. Not thread-safe.
class PendingJoins {
 public:
  // `join.member` must have no join of that group here. `join.deadline` must not be before the
  // deadline of an earlier join.
  void Add(PendingJoin join);

  // Removes the member's join of that group. False: there is none.
  bool Drop(Group* group, Member* member);

  // TakeOf removes and returns the joins of the group. TakeExpired removes and returns the joins
  // with a deadline up to `now`. Both results are in the order of the calls of Add.
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

  // The lists are declared first, because an entry leaves them when it is destroyed.
  absl::node_hash_map<Group*, List<&Entry::of_group>> groups_;
  List<&Entry::by_deadline> by_deadline_;
  absl::flat_hash_map<std::pair<Group*, Member*>, std::unique_ptr<Entry>> all_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_GROUPS_PENDING_JOINS_H_
