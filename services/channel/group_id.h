#ifndef GROUPCAST_SERVICES_CHANNEL_GROUP_ID_H_
#define GROUPCAST_SERVICES_CHANNEL_GROUP_ID_H_

#include <cstddef>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"

namespace groupcast::service {

inline constexpr size_t kGroupIdBytesMax = 128;

// Returns why `id` is not a group id, as the end of a sentence that begins with "group_id". Empty:
// `id` is a group id. A group id is 1 to 128 bytes of UTF-8 without control characters (Unicode's
// category Cc). This function does not check for UTF-8: text from a WebSocket or from JSON is
// checked already.
absl::string_view GroupIdDefect(absl::string_view id);

// The beginning of the group ids that the services use among themselves. No client may use them.
inline constexpr absl::string_view kReservedGroupPrefix = "$groupcast.";

inline bool IsReservedGroup(absl::string_view id) {
  return absl::StartsWith(id, kReservedGroupPrefix);
}

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_GROUP_ID_H_
