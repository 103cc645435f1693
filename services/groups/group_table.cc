#include "services/groups/group_table.h"

#include <algorithm>

namespace groupcast::service {

Group* GroupTable::Find(absl::string_view id) {
  const auto found = groups_.find(id);
  return found == groups_.end() ? nullptr : found->second.get();
}

const Group* GroupTable::Find(absl::string_view id) const {
  const auto found = groups_.find(id);
  return found == groups_.end() ? nullptr : found->second.get();
}

GroupTable::Added GroupTable::FindOrAdd(absl::string_view id) {
  if (Group* group = Find(id); group != nullptr) return {group, false};
  auto group = std::make_unique<Group>();
  group->id = std::string(id);
  Group* const added = group.get();
  groups_.emplace(added->id, std::move(group));
  return {added, true};
}

void GroupTable::Remove(Group* group) { groups_.erase(groups_.find(group->id)); }

bool GroupTable::IsMember(const Group& group, const Member& member) const {
  return std::any_of(
      member.memberships_.begin(), member.memberships_.end(),
      [&](const Member::Membership& membership) { return membership.group == &group; });
}

std::optional<absl::Time> GroupTable::SinceOf(const Group& group, const Member& member) const {
  for (const Member::Membership& membership : member.memberships_) {
    if (membership.group != &group) continue;
    return absl::FromUnixSeconds(Group::kSinceZero + group.members[membership.place].since);
  }
  return std::nullopt;
}

bool GroupTable::Join(Group* group, Member* member, absl::Time now) {
  if (IsMember(*group, *member)) return false;
  member->memberships_.push_back({group, static_cast<uint32_t>(group->members.size())});
  // 31 bits last until 2088. A wrong clock of the machine must not make it another time.
  constexpr int64_t kSinceMax = (int64_t{1} << 31) - 1;
  const int64_t since =
      std::clamp<int64_t>(absl::ToUnixSeconds(now) - Group::kSinceZero, 0, kSinceMax);
  group->members.push_back({.member = member,
                            .membership = static_cast<uint32_t>(member->memberships_.size() - 1),
                            .since = static_cast<uint32_t>(since)});
  ++membership_count_;
  return true;
}

bool GroupTable::Leave(Group* group, Member* member) {
  std::vector<Member::Membership>& memberships = member->memberships_;
  const auto found =
      std::find_if(memberships.begin(), memberships.end(),
                   [&](const Member::Membership& membership) { return membership.group == group; });
  if (found == memberships.end()) return false;
  RemovePlace(group, found->place);
  // The last membership takes the free slot, and its group learns where it is now.
  *found = memberships.back();
  memberships.pop_back();
  if (found != memberships.end()) {
    found->group->members[found->place].membership =
        static_cast<uint32_t>(found - memberships.begin());
  }
  return true;
}

void GroupTable::SetLive(Group* group, const Member& member, bool live) {
  for (const Member::Membership& membership : member.memberships_) {
    if (membership.group == group) group->members[membership.place].live = live ? 1 : 0;
  }
}

std::vector<Group*> GroupTable::GroupsOf(const Member& member) const {
  std::vector<Group*> groups;
  groups.reserve(member.memberships_.size());
  for (const Member::Membership& membership : member.memberships_) {
    groups.push_back(membership.group);
  }
  return groups;
}

std::vector<Group*> GroupTable::GroupsNotLive(const Member& member) const {
  std::vector<Group*> groups;
  for (const Member::Membership& membership : member.memberships_) {
    if (!membership.group->members[membership.place].live) groups.push_back(membership.group);
  }
  return groups;
}

std::vector<Group*> GroupTable::LeaveAll(Member* member) {
  std::vector<Group*> left;
  left.reserve(member->memberships_.size());
  for (const Member::Membership& membership : member->memberships_) {
    RemovePlace(membership.group, membership.place);
    left.push_back(membership.group);
  }
  member->memberships_ = {};
  return left;
}

void GroupTable::RemovePlace(Group* group, uint32_t place) {
  std::vector<Group::Place>& members = group->members;
  members[place] = members.back();
  members.pop_back();
  if (place < members.size()) {
    members[place].member->memberships_[members[place].membership].place = place;
  }
  --membership_count_;
}

}  // namespace groupcast::service
