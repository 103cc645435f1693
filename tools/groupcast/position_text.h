#ifndef GROUPCAST_TOOLS_GROUPCAST_POSITION_TEXT_H_
#define GROUPCAST_TOOLS_GROUPCAST_POSITION_TEXT_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "groupcast/types.h"

namespace groupcast::cli {

// A position as an argument: EPOCH:OFFSET.
std::string PositionText(const Position& position);

// kInvalidArgument: the text has another form. The message says which one is right.
absl::StatusOr<Position> ParsePosition(absl::string_view text);

}  // namespace groupcast::cli

#endif  // GROUPCAST_TOOLS_GROUPCAST_POSITION_TEXT_H_
