#include "services/channel_server/broker/group_index.h"

#include <algorithm>

namespace groupcast::service {

KnownGroup* GroupIndex::Find(absl::string_view id) {
  const auto found = groups_.find(id);
  return found == groups_.end() ? nullptr : &found->second;
}

const KnownGroup* GroupIndex::Find(absl::string_view id) const {
  const auto found = groups_.find(id);
  return found == groups_.end() ? nullptr : &found->second;
}

KnownGroup* GroupIndex::FindOrAdd(absl::string_view id, uint64_t head) {
  const auto [entry, is_new] = groups_.try_emplace(id);
  KnownGroup* const group = &entry->second;
  if (!is_new) return group;
  group->id = &entry->first;
  group->SetHead(head);
  all_.push_back(*group);
  return group;
}

void GroupIndex::UpdateIdle(KnownGroup* group, absl::Time now) {
  const bool idle = !group->subscribed && group->empty() && !group->announce && !group->active &&
                    group->head == group->last_placed;
  if (idle == group->in_idle.is_linked()) return;
  if (idle) {
    group->idle_since = now;
    idle_.push_back(*group);
  } else {
    idle_.erase(idle_.iterator_to(*group));
  }
}

const KnownGroup* GroupIndex::next_idle(const KnownGroup& group) const {
  auto next = idle_.iterator_to(group);
  ++next;
  return next == idle_.end() ? nullptr : &*next;
}

void GroupIndex::Forget(KnownGroup* group) {
  highest_forgotten_ = std::max(highest_forgotten_, group->head);
  Remove(group);
}

void GroupIndex::Remove(KnownGroup* group) {
  if (group->in_idle.is_linked()) idle_.erase(idle_.iterator_to(*group));
  const auto at = all_.iterator_to(*group);
  if (cursor_ == at) ++cursor_;
  all_.erase(at);
  groups_.erase(groups_.find(*group->id));
}

}  // namespace groupcast::service
