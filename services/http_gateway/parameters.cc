#include "services/http_gateway/parameters.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace groupcast::service {

bool ReadCountParameter(const Route& route, absl::string_view name, uint32_t most, uint32_t* count,
                        Problem* problem) {
  const auto text = route.Parameter(name);
  if (!text.has_value()) return true;
  const bool is_number =
      !text->empty() && std::all_of(text->begin(), text->end(), absl::ascii_isdigit);
  // One that fits no integer is more than the most, too.
  if (is_number && !absl::SimpleAtoi(*text, count)) *count = most;
  if (!is_number || *count == 0) {
    *problem = MakeProblem(400, kBadRequest,
                           absl::StrCat(name, " must be a number from 1 to ", most, "."));
    return false;
  }
  *count = std::min(*count, most);
  return true;
}

std::optional<uint64_t> ReadConnectionId(absl::string_view text) {
  uint64_t id = 0;
  if (text.size() != 16 || !std::all_of(text.begin(), text.end(), absl::ascii_isxdigit) ||
      !absl::SimpleHexAtoi(text, &id)) {
    return std::nullopt;
  }
  return id;
}

}  // namespace groupcast::service
