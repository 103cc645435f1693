#ifndef GROUPCAST_SERVICES_COMMON_PREFIX_MAP_H_
#define GROUPCAST_SERVICES_COMMON_PREFIX_MAP_H_

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"

namespace groupcast::service {

// Values by the beginning of a text. The longest prefix counts, and "" is the beginning of each
// text. A search costs one binary search, and a step for each prefix that contains the nearest one.
// Threads may share it while nobody changes it.
template <typename Value>
class PrefixMap {
 public:
  PrefixMap() = default;
  // The prefixes must differ.
  explicit PrefixMap(std::vector<std::pair<std::string, Value>> values) {
    std::sort(values.begin(), values.end(),
              [](const auto& a, const auto& b) { return a.first < b.first; });
    for (auto& [prefix, value] : values) {
      const Entry* const parent = Find(entries_.size(), prefix);
      const size_t parent_index = parent == nullptr ? kNone : parent - entries_.data();
      entries_.push_back({std::move(prefix), std::move(value), parent_index});
    }
  }

  bool empty() const { return entries_.empty(); }

  // The value of the longest prefix of `text`. Null: there is none.
  const Value* Find(absl::string_view text) const {
    const auto after = std::upper_bound(
        entries_.begin(), entries_.end(), text,
        [](absl::string_view wanted, const Entry& entry) { return wanted < entry.prefix; });
    const Entry* const entry = Find(after - entries_.begin(), text);
    return entry == nullptr ? nullptr : &entry->value;
  }

 private:
  static constexpr size_t kNone = static_cast<size_t>(-1);

  struct Entry {
    std::string prefix;
    Value value;
    size_t parent;  // the longest prefix of this prefix, or kNone
  };

  // All that is between a prefix of `text` and `text` begins with that prefix. So the nearest entry
  // below `text`, which is before `end`, has the longest prefix among itself and its parents.
  const Entry* Find(size_t end, absl::string_view text) const {
    size_t index = end == 0 ? kNone : end - 1;
    while (index != kNone && !absl::StartsWith(text, entries_[index].prefix)) {
      index = entries_[index].parent;
    }
    return index == kNone ? nullptr : &entries_[index];
  }

  std::vector<Entry> entries_;  // in the order of the prefixes
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_COMMON_PREFIX_MAP_H_
