#ifndef SDK_CPP_GROUPCAST_TYPES_H_
#define SDK_CPP_GROUPCAST_TYPES_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace groupcast {

// A message's place in its group. Offsets grow along a group, not necessarily by 1. Only offsets of
// one epoch can be compared. A member's position is the place of the newest message that it
// received or that a gap reported as lost.
struct Position {
  std::string epoch;
  uint64_t offset = 0;

  friend bool operator==(const Position&, const Position&) = default;
};

// A message of a group that this client is a member of.
struct Message {
  std::string group_id;
  // The message as compact JSON, byte for byte as the server sent it. Numbers keep their digits.
  std::string json;
  // If the message is a JSON string: that string, without quotes and escapes.
  std::optional<std::string> text;
  uint64_t offset = 0;
  // The offset of the group's message before this one.
  uint64_t previous = 0;
  std::string epoch;
  // The time at which a server took the message, by that server's clock.
  absl::Time sent_at;

  // The position to store for JoinOptions::since, once the message is processed.
  Position position() const { return {epoch, offset}; }
};

// The choices of an application that joins a group. By default it gets the messages after the join.
struct JoinOptions {
  // Get every message after this position, stored in an earlier run. Store the position of the
  // newest message that was processed, or of a later Gap or Joined.
  std::optional<Position> since;
  // Get up to this number of the newest messages first. A server gives at most 100. Not together
  // with `since`.
  uint32_t history = 0;
};

// A membership has begun, or continues after a reconnect.
struct Joined {
  // The position at which delivery begins. The next message has this offset as its `previous`.
  Position position;
  // False if messages are lost after this member's last position, or after JoinOptions::since. The
  // gap callback gets that loss. True otherwise, also if there was no such position.
  bool recovered = true;
};

// Messages of a group that this client did not get and will not get: those with an offset in (from,
// to].
struct Gap {
  std::string group_id;
  // The epoch after the gap.
  std::string epoch;
  // The member's position before the gap. It is not set if the gap has no known beginning, because
  // the group has another history. Messages in the gap may then have come before, under other
  // offsets.
  std::optional<uint64_t> from;
  uint64_t to = 0;

  // The member's position after the gap.
  Position position() const { return {epoch, to}; }
};

struct SendOptions {
  // Clients of this client's session, including this one, do not get the message.
  bool exclude_self = false;
};

struct HistoryOptions {
  // Only messages after this position.
  std::optional<Position> since;
  // At most this number, the newest. A server gives at most 100.
  uint32_t limit = 100;
};

// The history of a group, read without a membership.
struct GroupHistory {
  std::string group_id;
  // The position of the group's newest message.
  Position head;
  // Whether `messages` has every message after HistoryOptions::since. False without `since`.
  bool recovered = false;
  // Oldest first, without the messages that this session sent with exclude_self.
  std::vector<Message> messages;
};

enum class ConnectionState {
  kConnecting,  // An attempt to connect is under way.
  kConnected,   // The server has welcomed this client, which joins its groups again.
  kWaiting,     // There is no connection. The next attempt follows by itself.
  kClosed,      // There is no connection, and none follows: Close(), or the server forbade it.
};

using MessageCallback = std::function<void(const Message&)>;
using GapCallback = std::function<void(const Gap&)>;
// Gets the position at which delivery begins, or the reason of a refusal.
using JoinCallback = std::function<void(const absl::StatusOr<Joined>&)>;
// Gets the message's place in its group's order, or the reason why it has none, or none that is
// known.
using SendCallback = std::function<void(const absl::StatusOr<Position>&)>;
using HistoryCallback = std::function<void(const absl::StatusOr<GroupHistory>&)>;
// `why` is OK for kConnecting, for kConnected and after Close(). Otherwise it says what ended the
// connection or prevented it. kInternal: this client and the server disagree about the protocol.
// That is a defect of one of them; please report it.
using StateListener = std::function<void(ConnectionState state, const absl::Status& why)>;

// The protocol's word for the error of `status`, for example "message_too_large" or "unavailable".
// Empty if the error did not come from the server. Compare it where status.code() is not fine
// enough.
std::string ErrorWord(const absl::Status& status);

// Whether the same call is safe later and may succeed then.
bool IsTransient(const absl::Status& status);

}  // namespace groupcast

#endif  // SDK_CPP_GROUPCAST_TYPES_H_
