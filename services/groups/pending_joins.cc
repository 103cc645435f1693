#include "services/groups/pending_joins.h"

namespace groupcast::service {

void PendingJoins::Add(PendingJoin join) {
  Group* const group = join.group;
  std::unique_ptr<Entry>& entry = all_[{group, join.member}];
  entry = std::make_unique<Entry>();
  entry->join = std::move(join);
  groups_[group].push_back(*entry);
  by_deadline_.push_back(*entry);
}

bool PendingJoins::Drop(Group* group, Member* member) {
  const auto found = all_.find({group, member});
  if (found == all_.end()) return false;
  Take(found->second.get());
  return true;
}

std::vector<PendingJoin> PendingJoins::TakeOf(Group* group) {
  std::vector<PendingJoin> taken;
  for (auto found = groups_.find(group); found != groups_.end(); found = groups_.find(group)) {
    taken.push_back(Take(&found->second.front()));
  }
  return taken;
}

std::vector<PendingJoin> PendingJoins::TakeExpired(absl::Time now) {
  std::vector<PendingJoin> expired;
  while (!by_deadline_.empty() && by_deadline_.front().join.deadline <= now) {
    expired.push_back(Take(&by_deadline_.front()));
  }
  return expired;
}

PendingJoin PendingJoins::Take(Entry* entry) {
  PendingJoin join = std::move(entry->join);
  all_.erase({join.group, join.member});
  const auto group = groups_.find(join.group);
  if (group->second.empty()) groups_.erase(group);
  return join;
}

}  // namespace groupcast::service
