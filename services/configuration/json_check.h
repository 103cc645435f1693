#ifndef GROUPCAST_SERVICES_CONFIGURATION_JSON_CHECK_H_
#define GROUPCAST_SERVICES_CONFIGURATION_JSON_CHECK_H_

#include <functional>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"

namespace groupcast::service {

// The text in place of a secret.
inline constexpr absl::string_view kHiddenValue = "(hidden)";

// Checks that `text` is the JSON of a message of this type, and puts the line of each field into
// `lines`, by the field's path.
//
// protobuf's parser is not strict enough for a file that people write. It takes a name in two
// forms, a number in quotes, and text that is not JSON. Its errors have no line.
//
// kInvalidArgument: the message has the form "LINE: FIELD ...", and says what is allowed.
absl::Status CheckJson(absl::string_view text, const google::protobuf::Descriptor& type,
                       std::map<std::string, int, std::less<>>* lines);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CONFIGURATION_JSON_CHECK_H_
