#include "services/access/grants.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/strip.h"

namespace groupcast::service {

absl::string_view RightName(Right right) {
  switch (right) {
    case Right::kJoin:
      return "join";
    case Right::kSend:
      return "send";
    case Right::kRead:
      return "read";
    case Right::kObserve:
      return "observe";
    case Right::kManage:
      return "manage";
  }
  return "";
}

void Grants::Add(absl::string_view pattern, Rights rights) {
  const bool is_prefix = absl::ConsumeSuffix(&pattern, "*");
  (is_prefix ? prefixes_ : exact_).emplace_back(std::string(pattern), rights);
}

Rights Grants::Of(absl::string_view group_id) const {
  Rights all;
  for (const auto& [id, rights] : exact_) {
    if (group_id == id) all.Add(rights);
  }
  for (const auto& [prefix, rights] : prefixes_) {
    if (absl::StartsWith(group_id, prefix)) all.Add(rights);
  }
  return all;
}

bool Grants::Cover(absl::string_view prefix, Right right) const {
  return std::any_of(prefixes_.begin(), prefixes_.end(), [&](const auto& granted) {
    return absl::StartsWith(prefix, granted.first) && granted.second.Has(right);
  });
}

}  // namespace groupcast::service
