#ifndef SDK_CPP_GROUPCAST_TYPES_H_
#define SDK_CPP_GROUPCAST_TYPES_H_

#include <cstdint>
#include <functional>
#include <map>
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
  // The history that the offset belongs to.
  std::string epoch;
  // Below 2^53.
  uint64_t offset = 0;

  friend bool operator==(const Position&, const Position&) = default;
};

// Who sent a message. The server writes it.
struct Sender {
  // As Member::connection_id.
  std::string connection_id;
  // Of its token. Empty if it has none.
  std::string user;

  friend bool operator==(const Sender&, const Sender&) = default;
};

// A message of a group that this client is a member of.
struct Message {
  // The group that it was sent to.
  std::string group_id;
  // The message as compact JSON, byte for byte as the server sent it. Numbers keep their digits.
  std::string json;
  // If the message is a JSON string: that string, without quotes and escapes.
  std::optional<std::string> text;
  // Its place in the group.
  uint64_t offset = 0;
  // The offset of the group's message before this one.
  uint64_t previous = 0;
  // The history that both offsets belong to.
  std::string epoch;
  // The time at which a server took the message, by that server's clock.
  absl::Time sent_at;
  // Set in groups whose rules name senders.
  std::optional<Sender> from;

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
  // The group that they were sent to.
  std::string group_id;
  // The epoch after the gap.
  std::string epoch;
  // The member's position before the gap. It is not set if the gap has no known beginning, because
  // the group has another history. Messages in the gap may then have come before, under other
  // offsets.
  std::optional<uint64_t> from;
  // The member's offset after the gap.
  uint64_t to = 0;

  // The member's position after the gap.
  Position position() const { return {epoch, to}; }
};

// The choices of an application that sends a message.
struct SendOptions {
  // Clients of this client's session, including this one, do not get the message.
  bool exclude_self = false;
};

// The part of a history that Client::History() reads.
struct HistoryOptions {
  // Only messages after this position.
  std::optional<Position> since;
  // At most this number, the newest. A server gives at most 100.
  uint32_t limit = 100;
};

// The history of a group, read without a membership.
struct GroupHistory {
  // The group that was asked for.
  std::string group_id;
  // The position of the group's newest message.
  Position head;
  // Whether `messages` has every message after HistoryOptions::since. False without `since`.
  bool recovered = false;
  // Oldest first, without the messages that this session sent with exclude_self.
  std::vector<Message> messages;
};

// A member of a group: one client, with all connections of its session.
struct Member {
  // The id of the connection with which it came.
  std::string connection_id;
  // Of its token. Empty if it has none.
  std::string user;
  // What the token says of the user, as compact JSON. Empty if it says nothing.
  std::string info_json;
  // The time of the join, to the second, by a server's clock.
  absl::Time since;

  friend bool operator==(const Member&, const Member&) = default;
};

// The page of members that Client::Members() reads.
struct MembersOptions {
  // The size of a page. A server gives at most 500, and fewer if they take more than 64 KiB.
  uint32_t limit = 100;
  // GroupMembers::next of the page before. Empty: the first page.
  std::string after;
  // Only the number of the members.
  bool count_only = false;
};

// One page of the members of a group, read without a membership.
struct GroupMembers {
  // The group that was asked for.
  std::string group_id;
  // Of the whole group.
  uint64_t count = 0;
  // In the order of their connection ids. Empty with MembersOptions::count_only.
  std::vector<Member> members;
  // MembersOptions::after for the next page. Empty if this is the last one.
  std::string next;
};

// By connection id.
using MembersById = std::map<std::string, Member, std::less<>>;

// A change of the members of a group that this client is in.
struct MembersUpdate {
  // All members after the change. Only valid while the callback runs.
  const MembersById& members;
  // Also those whose fields have changed.
  std::vector<Member> joined;
  // As they were before.
  std::vector<Member> left;
};

// The states of a client's connection.
enum class ConnectionState {
  kConnecting,  // An attempt to connect is under way.
  kConnected,   // The server has welcomed this client, which joins its groups again.
  kWaiting,     // There is no connection. The next attempt follows by itself.
  kClosed,      // There is no connection, and none follows: Close(), or the server forbade it.
};

// Gets one message of a group.
using MessageCallback = std::function<void(const Message&)>;
// Gets the loss, before the first message after it.
using GapCallback = std::function<void(const Gap&)>;
// Gets the position at which delivery begins, or the reason of a refusal.
using JoinCallback = std::function<void(const absl::StatusOr<Joined>&)>;
// Gets the message's place in its group's order, or the reason why it has none, or none that is
// known.
using SendCallback = std::function<void(const absl::StatusOr<Position>&)>;
// Gets the messages, or the reason why there is no answer.
using HistoryCallback = std::function<void(const absl::StatusOr<GroupHistory>&)>;
// Gets the page, or the reason why there is no answer.
using MembersCallback = std::function<void(const absl::StatusOr<GroupMembers>&)>;
// Gets each change, or the reason why the members cannot be read.
using MembersListener = std::function<void(const absl::StatusOr<MembersUpdate>&)>;
// Gets the reason of the end.
using EndCallback = std::function<void(const absl::Status&)>;
// Gets the token, or the reason why there is none. It may be called from any thread, at any time,
// also after the client has ended. Only its first call counts.
using TokenCallback = std::function<void(absl::StatusOr<std::string>)>;
// Gets a token, and gives it to `done`, at once or later.
using TokenSource = std::function<void(TokenCallback done)>;
// Gets an error that no other callback tells.
using ErrorListener = std::function<void(const absl::Status&)>;
// `why` is OK for kConnecting, for kConnected and after Close(). Otherwise it says what ended the
// connection or prevented it. kInternal: this client and the server disagree about the protocol.
// That is a defect of one of them; please report it.
using StateListener = std::function<void(ConnectionState state, const absl::Status& why)>;

// What a membership calls. Only `on_message` must be there.
struct GroupCallbacks {
  // Gets the group's messages.
  MessageCallback on_message;
  // Runs before the messages with the position at which delivery begins, and once more for each
  // reconnect. It may get an error. If IsTransient(), the client tries again by itself, with the
  // backoff of reconnects, from its last position. For any other error, the client is not a member,
  // or no longer, for example because its token does not grant the group any more.
  JoinCallback on_join;
  // Gets every gap, including a loss that on_join reports with recovered = false.
  GapCallback on_gap;
  // Gets the members of the group: after each join, when the list is complete, and then for each
  // member that comes or goes. It gets an error if the members cannot be read, and is not called
  // again before the next join.
  MembersListener on_members;
  // Runs once, as the last callback of the membership, also if the join has no answer yet. It gets
  // the reason: the error of a join that is not tried again, or the error word "left" (Leave),
  // "closed" (Close) or "refused" (kClosed).
  EndCallback on_end;
};

// The word for the error of `status`: the protocol's, for example "message_too_large" or
// "unavailable", or one of the client's own:
//   queue_full       over ClientOptions::queue_bytes_max. IsTransient()
//   outcome_unknown  a send may or may not have been delivered
//   left             Leave() ended the membership
//   closed           Close() was called
//   refused          the server forbade this client to come back
//   no_token         ClientOptions::token_source gave no token. IsTransient()
// Empty for other errors, for example for bad arguments. Compare it where status.code() is not fine
// enough.
std::string ErrorWord(const absl::Status& status);

// Whether the same call is safe later and may succeed then.
bool IsTransient(const absl::Status& status);

}  // namespace groupcast

#endif  // SDK_CPP_GROUPCAST_TYPES_H_
