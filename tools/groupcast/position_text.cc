#include "tools/groupcast/position_text.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace groupcast::cli {

std::string PositionText(const Position& position) {
  return absl::StrCat(position.epoch, ":", position.offset);
}

absl::StatusOr<Position> ParsePosition(absl::string_view text) {
  const size_t colon = text.rfind(':');
  Position position;
  if (colon == absl::string_view::npos || colon == 0 ||
      text.find_first_not_of("0123456789", colon + 1) != absl::string_view::npos ||
      !absl::SimpleAtoi(text.substr(colon + 1), &position.offset)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "\"", text,
        "\" is no position; it has the form EPOCH:OFFSET, such as 5f0c2ab3d1e94477:42"));
  }
  position.epoch = std::string(text.substr(0, colon));
  return position;
}

}  // namespace groupcast::cli
