#include "services/groups/control/group_list.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "services/protocol/json.h"

namespace groupcast::service {
namespace {

struct Candidate {
  const Group* group;
  double rate;
};

// The first candidates within the bounds, in the order of `before`.
template <typename Before>
GroupList TakeFirst(std::vector<Candidate> candidates, const GroupListBounds& bounds,
                    Before before) {
  const size_t most = std::min(candidates.size(), bounds.groups_max);
  std::partial_sort(candidates.begin(), candidates.begin() + static_cast<std::ptrdiff_t>(most),
                    candidates.end(), before);
  GroupList list;
  size_t bytes = 0;
  for (const Candidate& candidate : candidates) {
    const std::string& id = candidate.group->id;
    bytes += ListedBytes(id);
    list.is_cut = !list.groups.empty() &&
                  (list.groups.size() == bounds.groups_max || bytes > bounds.bytes_max);
    if (list.is_cut) break;
    list.groups.push_back({.id = id,
                           .members = candidate.group->members.size(),
                           .messages_per_second = candidate.rate});
  }
  return list;
}

// A group without a subscription has nobody who gets messages yet.
bool IsListed(const Group& group, absl::string_view prefix) {
  return group.subscribed && absl::StartsWith(group.id, prefix);
}

}  // namespace

size_t ListedBytes(absl::string_view group_id) {
  constexpr size_t kNumbersBytes = 48;  // a count, a rate, brackets and commas
  return JsonStringBytes(group_id) + kNumbersBytes;
}

GroupList ListGroups(const GroupTable& table, absl::string_view prefix, absl::string_view after,
                     const GroupListBounds& bounds) {
  std::vector<Candidate> candidates;
  table.ForEach([&](const Group& group) {
    if (IsListed(group, prefix) && group.id > after) candidates.push_back({&group, 0});
  });
  return TakeFirst(std::move(candidates), bounds, [](const Candidate& a, const Candidate& b) {
    return a.group->id < b.group->id;
  });
}

GroupList ListBusiest(const GroupTable& table, absl::string_view prefix, const RateWindows& windows,
                      const GroupListBounds& bounds) {
  std::vector<Candidate> candidates;
  table.ForEach([&](const Group& group) {
    if (IsListed(group, prefix)) candidates.push_back({&group, group.rate.PerSecond(windows)});
  });
  return TakeFirst(std::move(candidates), bounds, [](const Candidate& a, const Candidate& b) {
    return a.rate != b.rate ? a.rate > b.rate : a.group->id < b.group->id;
  });
}

GroupList CountMembers(const GroupTable& table, const std::vector<std::string>& ids,
                       const GroupListBounds& bounds) {
  std::vector<Candidate> candidates;
  for (const std::string& id : ids) {
    const Group* const group = table.Find(id);
    if (group != nullptr && group->subscribed) candidates.push_back({group, 0});
  }
  return TakeFirst(std::move(candidates), bounds, [](const Candidate& a, const Candidate& b) {
    return a.group->id < b.group->id;
  });
}

GroupList MergeGroups(const std::vector<GroupList>& lists, size_t groups_max) {
  std::optional<absl::string_view> end;  // all lists go as far as this
  std::map<absl::string_view, uint64_t> members;
  for (const GroupList& list : lists) {
    if (list.is_cut && (!end.has_value() || list.groups.back().id < *end)) {
      end = list.groups.back().id;
    }
    for (const ListedGroup& group : list.groups) members[group.id] += group.members;
  }
  GroupList merged;
  for (const auto& [id, count] : members) {
    const bool is_beyond = end.has_value() && id > *end;
    if (is_beyond || merged.groups.size() == groups_max) {
      merged.is_cut = true;
      return merged;
    }
    merged.groups.push_back({.id = std::string(id), .members = count});
  }
  merged.is_cut = end.has_value();
  return merged;
}

GroupList MergeBusiest(const std::vector<GroupList>& lists, const GroupListBounds& bounds) {
  std::map<absl::string_view, double> rates;
  double least = 0;  // all lists go as far as this
  GroupList merged;
  for (const GroupList& list : lists) {
    merged.is_cut |= list.is_cut;
    if (list.is_cut) least = std::max(least, list.groups.back().messages_per_second);
    for (const ListedGroup& group : list.groups) {
      double& rate = rates[group.id];
      rate = std::max(rate, group.messages_per_second);
    }
  }
  std::vector<std::pair<absl::string_view, double>> order(rates.begin(), rates.end());
  std::stable_sort(order.begin(), order.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  size_t bytes = 0;
  for (const auto& [id, rate] : order) {
    bytes += ListedBytes(id);
    const bool is_over = merged.groups.size() == bounds.groups_max ||
                         (!merged.groups.empty() && bytes > bounds.bytes_max);
    if (is_over || rate < least) {
      merged.is_cut = true;
      break;
    }
    merged.groups.push_back({.id = std::string(id), .members = 0, .messages_per_second = rate});
  }
  return merged;
}

}  // namespace groupcast::service
