#ifndef SDK_CPP_GROUPCAST_SESSION_H_
#define SDK_CPP_GROUPCAST_SESSION_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "sdk/cpp/groupcast/command.h"
#include "sdk/cpp/groupcast/event.h"
#include "sdk/cpp/groupcast/types.h"

namespace groupcast {

struct GroupCallbacks {
  MessageCallback on_message;
  JoinCallback on_join;  // May be empty.
  GapCallback on_gap;    // May be empty.
};

struct SessionLimits {
  // Sends that are not acknowledged, as frames; written ones count too.
  size_t queue_bytes_max = 0;
  size_t groups_max = 0;
};

// What a client knows of the protocol's state, over all its connections: its groups and their
// positions, commands that wait to be written, answers that are awaited. No IO, no clock, no
// threads.
//
// The owner puts in what the application wants and what the server says, and takes out what is
// due: frames with NextFrame() when the connection can write one, and callbacks with
// NextCallback(), which it runs outside of whatever lock guards this object. Application code,
// destructors of callbacks included, never runs inside a call of this class.
//
// Commands keep their order. On a new connection the groups are joined first, and sends wait until
// all these joins are answered, so that a client gets its own messages after a reconnect too.
class Session {
 public:
  explicit Session(const SessionLimits& limits);

  // The application's side. Group ids and JSON are valid.

  // kAlreadyExists: in that group already. kResourceExhausted: over groups_max. After Shutdown: its
  // status.
  absl::Status Join(absl::string_view group_id, std::shared_ptr<const GroupCallbacks> callbacks);
  // No callback of the group is given out from now on. Returns what Join was given, for the caller
  // to release, or null if the group was not joined.
  std::shared_ptr<const GroupCallbacks> Leave(absl::string_view group_id);
  // Takes `done` if and only if the result is OK; it is then given out once.
  // kResourceExhausted: over queue_bytes_max. kInvalidArgument: the message alone is over it. After
  // Shutdown: its status.
  absl::Status Send(absl::string_view group_id, absl::string_view message_json,
                    SendCallback&& done);
  // Ends everything: each send, and each join that was never answered, gets `why`, but sends that
  // were written get OutcomeUnknown(). Requires a `why` that is not OK. Only the first call counts.
  void Shutdown(const absl::Status& why);

  // The connection's side.

  // kInternal: no server that keeps to the protocol says this now; the connection is worth nothing.
  absl::Status OnEvent(Event event);
  // Sends that were written get OutcomeUnknown(); everything else waits for the next connection.
  // Returns how long the server asked to wait before reconnecting, if it did.
  std::optional<absl::Duration> OnDisconnected();
  // Joins once more the groups whose join the server refused for the moment.
  void RetryJoins();

  // What is due.

  // The next frame to write. A command counts as written from here on.
  std::optional<std::string> NextFrame();
  // The next callback to run; empty if none is due.
  std::function<void()> NextCallback();

  // Between the server's welcome and OnDisconnected().
  bool connected() const { return connected_; }
  // Whether RetryJoins() has something to do.
  bool has_refused_joins() const { return has_refused_joins_; }
  // Whether the server has answered all joins, and refused none for the moment.
  bool joins_settled() const;
  // Whether the server has said that it is about to close this connection. Nothing is written then:
  // what it would not read is better kept for the next connection.
  bool closing() const { return reconnect_after_.has_value(); }

 private:
  enum class GroupState {
    kQueued,   // A join is in the queue, or will be once connected.
    kJoining,  // The join is written.
    kJoined,
    kRefused,  // For the moment; RetryJoins().
  };
  struct Group {
    std::shared_ptr<const GroupCallbacks> callbacks;
    GroupState state = GroupState::kQueued;
    CommandId join_id{};
    // Not set before the first successful join.
    std::optional<Position> position;
    // Whether the application has heard of this join.
    bool answered = false;
  };
  enum class CommandKind { kJoin, kLeave, kSend };
  struct Command {
    CommandKind kind;
    std::string group_id;
    // Of a send:
    CommandId id{};
    std::string frame;
    SendCallback done;
  };
  struct WrittenSend {
    size_t bytes;
    SendCallback done;
  };
  struct DueCallback {
    std::string group_id;  // Empty for sends.
    std::function<void()> run;
  };
  using Groups = std::map<std::string, Group, std::less<>>;

  absl::Status Handle(const WelcomeEvent& event);
  absl::Status Handle(ReplyEvent& event);
  absl::Status Handle(const ErrorEvent& event);
  absl::Status Handle(MessageEvent& event);
  absl::Status Handle(GapEvent& event);
  absl::Status Handle(const ClosingEvent& event);
  absl::Status Handle(const UnknownEvent& event);

  void OnJoined(Groups::iterator group, Position position);
  void OnJoinRefused(Groups::iterator group, const ServerError& error);
  // The group whose join `id` is, or end().
  Groups::iterator FindJoin(CommandId id);
  Groups::iterator FindJoined(absl::string_view group_id);
  // Removes the group's join from the queue. False if it is not there.
  bool Unqueue(absl::string_view group_id);
  void CallJoin(const std::string& group_id, const Group& group, absl::StatusOr<Position> result);
  void CallGap(const Group& group, Gap gap);
  void CallSent(SendCallback done, absl::StatusOr<Position> result);
  CommandId NewId() { return CommandId{++last_id_}; }

  const SessionLimits limits_;
  bool connected_ = false;
  std::optional<absl::Duration> reconnect_after_;
  absl::Status ended_;
  uint64_t last_id_ = 0;

  Groups groups_;
  std::map<CommandId, std::string> joins_;        // Written and not answered: the group.
  std::set<std::string, std::less<>> rejoining_;  // Sends wait until these are answered.
  bool has_refused_joins_ = false;
  // Bounded: sends by queue_bytes_max; of a group that was not left at most one join; leaves by the
  // joins that were written, which each were within groups_max.
  std::deque<Command> queue_;
  std::map<CommandId, WrittenSend> written_sends_;
  size_t send_bytes_ = 0;  // Of queue_ and written_sends_.
  // Bounded: only the connection's side adds, and its owner runs all before the next event.
  std::deque<DueCallback> callbacks_;
};

}  // namespace groupcast

#endif  // SDK_CPP_GROUPCAST_SESSION_H_
