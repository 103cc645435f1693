#ifndef GROUPCAST_SERVICES_COMMON_NEAREST_NAME_H_
#define GROUPCAST_SERVICES_COMMON_NEAREST_NAME_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace groupcast::service {

// Returns the known name that was most likely meant by `name`: one that looks alike, or the only
// one that contains it. nullopt: there is none.
std::optional<std::string> NearestName(absl::string_view name,
                                       const std::vector<std::string>& known);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_COMMON_NEAREST_NAME_H_
