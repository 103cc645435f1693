#ifndef SDK_CPP_GROUPCAST_TYPES_H_
#define SDK_CPP_GROUPCAST_TYPES_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace groupcast {

// A message's place in its group. Offsets grow along a group, not necessarily by 1, and can be
// compared only within one epoch.
struct Position {
  std::string epoch;
  uint64_t offset = 0;

  friend bool operator==(const Position&, const Position&) = default;
};

// A message of a group this client is a member of.
struct Message {
  std::string group_id;
  // The message as compact JSON, byte for byte as the server sent it: numbers are not re-printed.
  std::string json;
  // If the message is a JSON string: that string, without quotes and escapes.
  std::optional<std::string> text;
  uint64_t offset = 0;
  // The offset of the group's message before this one.
  uint64_t previous = 0;
  std::string epoch;
  // When a server took the message, by that server's clock.
  absl::Time sent_at;
};

// Messages of a group that this client did not get, and will not: those with an offset in
// (from, to].
struct Gap {
  std::string group_id;
  // The epoch after the gap.
  std::string epoch;
  // Not set if it cannot be said where the gap begins: the group's history is another one now.
  std::optional<uint64_t> from;
  // The member's position after the gap.
  uint64_t to = 0;
};

enum class ConnectionState {
  kConnecting,  // An attempt to connect is under way.
  kConnected,   // The server has welcomed this client. Joined groups are being joined again.
  kWaiting,     // There is no connection; the next attempt follows by itself.
  kClosed,      // There is no connection and there will be none: Close(), or the server forbade it.
};

using MessageCallback = std::function<void(const Message&)>;
using GapCallback = std::function<void(const Gap&)>;
// Given the position at which delivery begins, or why the server refused.
using JoinCallback = std::function<void(const absl::StatusOr<Position>&)>;
// Given the place of the message in its group's order, or why it has none, or none that is known.
using SendCallback = std::function<void(const absl::StatusOr<Position>&)>;
// `why` is OK for kConnecting, for kConnected and after Close(); otherwise it says what ended the
// connection or kept it from being made. kInternal: this client and the server disagree about the
// protocol, which is a defect of one of them and worth a report.
using StateListener = std::function<void(ConnectionState state, const absl::Status& why)>;

// The protocol's word for the error that `status` stands for, as "message_too_large" or
// "unavailable"; empty if it did not come from the server. Programs that must tell errors apart
// more finely than by status.code() compare this.
std::string ErrorWord(const absl::Status& status);

// Whether `status` is an error of which the server said that the same command may work later.
bool IsTransient(const absl::Status& status);

}  // namespace groupcast

#endif  // SDK_CPP_GROUPCAST_TYPES_H_
