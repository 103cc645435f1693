#include "services/common/nearest_name.h"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <utility>

#include "absl/strings/match.h"

namespace groupcast::service {
namespace {

// The number of characters to add, drop, replace, or swap with their neighbour (optimal string
// alignment).
size_t EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> before(b.size() + 1);  // the row before `last`
  std::vector<size_t> last(b.size() + 1);
  std::vector<size_t> row(b.size() + 1);
  std::iota(last.begin(), last.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] =
          std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

}  // namespace

std::optional<std::string> NearestName(absl::string_view name,
                                       const std::vector<std::string>& known) {
  if (known.empty()) return std::nullopt;
  const auto nearest = std::min_element(
      known.begin(), known.end(),
      [&](const auto& a, const auto& b) { return EditDistance(name, a) < EditDistance(name, b); });
  if (EditDistance(name, *nearest) <= std::max<size_t>(1, name.size() / 3)) return *nearest;
  const auto contains = [&](const std::string& other) { return absl::StrContains(other, name); };
  const auto only = std::find_if(known.begin(), known.end(), contains);
  if (only == known.end() || std::any_of(only + 1, known.end(), contains)) return std::nullopt;
  return *only;
}

}  // namespace groupcast::service
