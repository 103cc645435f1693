#ifndef GROUPCAST_SERVICES_CHANNEL_POSITION_H_
#define GROUPCAST_SERVICES_CHANNEL_POSITION_H_

#include <cstdint>
#include <string>

#include "absl/strings/str_format.h"

namespace groupcast::service {

// Names the history that offsets belong to. It is random, so that two histories never share an
// epoch. 0: no epoch.
enum class Epoch : uint64_t {};

// A message's place: `offset` grows along a group within an epoch.
struct Position {
  Epoch epoch{};
  uint64_t offset = 0;

  friend bool operator==(const Position&, const Position&) = default;
};

// The form that clients see: 16 hexadecimal digits.
inline std::string EpochText(Epoch epoch) {
  return absl::StrFormat("%016x", static_cast<uint64_t>(epoch));
}

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_POSITION_H_
