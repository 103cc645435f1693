#ifndef GROUPCAST_SERVICES_CHANNEL_GROUP_ID_H_
#define GROUPCAST_SERVICES_CHANNEL_GROUP_ID_H_

#include <cstddef>

#include "absl/strings/string_view.h"

namespace groupcast::service {

inline constexpr size_t kGroupIdBytesMax = 128;

// Why `id` is not a group id, as the end of a sentence that begins with "group_id"; empty if it is
// one. A group id is 1 to 128 bytes of UTF-8 without control characters (Unicode's category Cc).
// Whether it is UTF-8 is not checked here: text that comes from a WebSocket or from JSON has been
// checked already.
absl::string_view GroupIdDefect(absl::string_view id);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_GROUP_ID_H_
