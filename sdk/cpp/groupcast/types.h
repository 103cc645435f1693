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

// A message's place in its group. Offsets grow along a group, not necessarily by 1, and can be
// compared only within one epoch. A member's position is that of the newest message it has got, or
// was told that it will not get.
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

  // What to keep for JoinOptions::since, once the message is dealt with.
  Position position() const { return {epoch, offset}; }
};

// What an application may ask for when it joins. By default it gets what comes after the join.
struct JoinOptions {
  // Get everything after this position, as kept from an earlier run: of the newest message that was
  // dealt with, or of a Gap or Joined that came later.
  std::optional<Position> since;
  // Get up to this many of the newest messages first; a server gives at most 100. Not together with
  // `since`.
  uint32_t history = 0;
};

// A membership has begun, or has begun again after a reconnect.
struct Joined {
  // Where delivery begins: the first message that follows has this offset as its `previous`.
  Position position;
  // False if messages after the position that this member had, or after JoinOptions::since, are
  // lost; the gap callback hears of them. True otherwise, so also if there was no such position.
  bool recovered = true;
};

// Messages of a group that this client did not get, and will not: those with an offset in
// (from, to].
struct Gap {
  std::string group_id;
  // The epoch after the gap.
  std::string epoch;
  // The member's position before the gap. Not set if it cannot be said where the gap begins: the
  // group's history is another one now, and messages in it may have been got under other offsets.
  std::optional<uint64_t> from;
  uint64_t to = 0;

  // The member's position after the gap.
  Position position() const { return {epoch, to}; }
};

struct SendOptions {
  // Clients of this client's session, itself included, do not get the message.
  bool exclude_self = false;
};

struct HistoryOptions {
  // Only what came after this position.
  std::optional<Position> since;
  // At most this many, the newest; a server gives at most 100.
  uint32_t limit = 100;
};

// What a group's history had, read without being a member.
struct GroupHistory {
  std::string group_id;
  // The position of the group's newest message.
  Position head;
  // Whether `messages` has everything after HistoryOptions::since; false if there was none.
  bool recovered = false;
  // Oldest first. Messages that this session sent with exclude_self are left out.
  std::vector<Message> messages;
};

enum class ConnectionState {
  kConnecting,  // An attempt to connect is under way.
  kConnected,   // The server has welcomed this client. Joined groups are being joined again.
  kWaiting,     // There is no connection; the next attempt follows by itself.
  kClosed,      // There is no connection and there will be none: Close(), or the server forbade it.
};

using MessageCallback = std::function<void(const Message&)>;
using GapCallback = std::function<void(const Gap&)>;
// Given where delivery begins, or why the server refused.
using JoinCallback = std::function<void(const absl::StatusOr<Joined>&)>;
// Given the place of the message in its group's order, or why it has none, or none that is known.
using SendCallback = std::function<void(const absl::StatusOr<Position>&)>;
using HistoryCallback = std::function<void(const absl::StatusOr<GroupHistory>&)>;
// `why` is OK for kConnecting, for kConnected and after Close(); otherwise it says what ended the
// connection or kept it from being made. kInternal: this client and the server disagree about the
// protocol, which is a defect of one of them and worth a report.
using StateListener = std::function<void(ConnectionState state, const absl::Status& why)>;

// The protocol's word for the error that `status` stands for, as "message_too_large" or
// "unavailable"; empty if it did not come from the server. Programs that must tell errors apart
// more finely than by status.code() compare this.
std::string ErrorWord(const absl::Status& status);

// Whether to ask for the same again later is safe and may work.
bool IsTransient(const absl::Status& status);

}  // namespace groupcast

#endif  // SDK_CPP_GROUPCAST_TYPES_H_
