#ifndef GROUPCAST_SERVICES_GROUPS_CONTROL_GROUP_LIST_H_
#define GROUPCAST_SERVICES_GROUPS_CONTROL_GROUP_LIST_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "services/groups/group_table.h"
#include "services/groups/message_rate.h"

namespace groupcast::service {

// The groups of a list, at most.
inline constexpr size_t kListedGroupsMax = 1'000;

struct ListedGroup {
  std::string id;
  uint64_t members = 0;
  double messages_per_second = 0;  // of the busiest groups
  friend bool operator==(const ListedGroup&, const ListedGroup&) = default;
};

// A part of the groups that somebody asked for.
struct GroupList {
  std::vector<ListedGroup> groups;
  // There are more, after the last one in the order of the list. It has at least one then.
  bool is_cut = false;
};

// The bounds of a worker's list. It has one group in any case.
struct GroupListBounds {
  size_t groups_max = kListedGroupsMax;
  size_t bytes_max = 0;  // the sum of ListedBytes
};

// The bytes that a group takes in an answer, at most.
size_t ListedBytes(absl::string_view group_id);

// The worker's groups whose ids begin with `prefix` and come after `after`, in the order of their
// bytes. It costs a look at each group of the table.
GroupList ListGroups(const GroupTable& table, absl::string_view prefix, absl::string_view after,
                     const GroupListBounds& bounds);

// The worker's groups with the most messages, of those whose ids begin with `prefix`. Groups with
// equal rates, such as none, are in the order of their ids.
GroupList ListBusiest(const GroupTable& table, absl::string_view prefix, const RateWindows& windows,
                      const GroupListBounds& bounds);

// Those of the named groups that the worker has.
GroupList CountMembers(const GroupTable& table, const std::vector<std::string>& ids,
                       const GroupListBounds& bounds);

// One list of the lists of all workers. A list that is cut says nothing of the groups after its
// last one. So the result goes no further than each of them, and has at most `groups_max` groups.
GroupList MergeGroups(const std::vector<GroupList>& lists, size_t groups_max);

// The same of lists of the busiest groups. All workers get the same messages of a group, so the
// highest rate counts. The members are not counted: a worker does not name those of a group that is
// not among its own busiest. A list that is cut says nothing of the groups that have less than its
// last one.
GroupList MergeBusiest(const std::vector<GroupList>& lists, const GroupListBounds& bounds);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_GROUPS_CONTROL_GROUP_LIST_H_
