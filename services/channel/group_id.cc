#include "services/channel/group_id.h"

namespace groupcast::service {

absl::string_view GroupIdDefect(absl::string_view id) {
  if (id.empty()) return "is empty";
  if (id.size() > kGroupIdBytesMax) return "is longer than 128 bytes";
  for (size_t i = 0; i < id.size(); ++i) {
    const unsigned char c = id[i];
    const bool c0 = c < 0x20 || c == 0x7f;
    // U+0080 to U+009F are the two bytes C2 80 to C2 9F.
    const bool c1 = c == 0xc2 && i + 1 < id.size() && static_cast<unsigned char>(id[i + 1]) < 0xa0;
    if (c0 || c1) return "has a control character";
  }
  return "";
}

}  // namespace groupcast::service
