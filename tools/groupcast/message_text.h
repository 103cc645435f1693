#ifndef GROUPCAST_TOOLS_GROUPCAST_MESSAGE_TEXT_H_
#define GROUPCAST_TOOLS_GROUPCAST_MESSAGE_TEXT_H_

#include <string>

#include "absl/strings/string_view.h"
#include "groupcast/types.h"

namespace groupcast::cli {

// A message for people, with its line end: the text of a string, or the JSON of another value.
std::string MessageLine(const Message& message);

// A message for programs: one JSON object on one line, with the fields of the protocol and
// "position", which --since takes.
std::string MessageJson(const Message& message);

// A string as JSON, with quotes.
std::string JsonString(absl::string_view text);

}  // namespace groupcast::cli

#endif  // GROUPCAST_TOOLS_GROUPCAST_MESSAGE_TEXT_H_
