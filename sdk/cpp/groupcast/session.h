#ifndef SDK_CPP_GROUPCAST_SESSION_H_
#define SDK_CPP_GROUPCAST_SESSION_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
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

struct SessionIdentity {
  // What connections name as ?session=, see CheckSessionId().
  std::string session_id;
  // What keys of sends begin with: up to 40 characters as of a session id. It must differ from that
  // of any other Session with this session_id, as of an earlier run of the program, or the server
  // takes sends of the one for repeats of the other's.
  std::string key_prefix;
};

struct SessionLimits {
  // Sends that are not acknowledged and histories that are not answered, as frames.
  size_t queue_bytes_max = 0;
  size_t groups_max = 0;
  // Of these, so many are written and not answered at a time. Each answer takes some 150 bytes of
  // what the server queues for this client, which it closes if they do not fit (1 MiB by default):
  // a client that comes back with very many unanswered sends would lose its connection again.
  size_t in_flight_max = 1000;
};

// For how long after it was first written a send may be written again. With the 30 s for which a
// server may hold it, this stays within the 2 minutes for which the server knows a key.
inline constexpr absl::Duration kResendPeriod = absl::Seconds(75);

// A send that the server refused for the moment is written again after between half and all of
// this, which doubles from the first refusal to the last.
inline constexpr absl::Duration kResendBackoffMin = absl::Milliseconds(100);
inline constexpr absl::Duration kResendBackoffMax = absl::Seconds(2);

// What a client knows of the protocol's state, over all its connections: its groups and their
// positions, commands that wait to be written, answers that are awaited. No IO, no clock, no
// threads; the same calls always have the same effects.
//
// The owner puts in what the application wants and what the server says, and takes out what is
// due: frames with NextFrame() when the connection can write one, and callbacks with
// NextCallback(), which it runs outside of whatever lock guards this object. At next_deadline() it
// calls OnTimer(). Application code, destructors of callbacks included, never runs inside a call of
// this class.
//
// `now` is by any clock of the owner's that does not go back, and always the same one.
//
// Commands keep their order. On a new connection the groups are joined first, each from its
// position; when all these joins are answered, the sends that were written but not resolved are
// written again, in their order, and then what waits.
class Session {
 public:
  Session(SessionIdentity identity, const SessionLimits& limits);

  // The application's side. Group ids, positions and JSON are valid.

  // kAlreadyExists: in that group already. kResourceExhausted: over groups_max. After Shutdown: its
  // status.
  absl::Status Join(absl::string_view group_id, const JoinOptions& options,
                    std::shared_ptr<const GroupCallbacks> callbacks);
  // No callback of the group is given out from now on. Returns what Join was given, for the caller
  // to release, or null if the group was not joined.
  std::shared_ptr<const GroupCallbacks> Leave(absl::string_view group_id);
  // Takes `done` if and only if the result is OK; it is then given out once.
  // kResourceExhausted: over queue_bytes_max. kInvalidArgument: the message alone is over it. After
  // Shutdown: its status.
  absl::Status Send(absl::string_view group_id, absl::string_view message_json,
                    const SendOptions& options, SendCallback&& done);
  // As Send. A question is written once: if its connection breaks, `done` gets AnswerLost().
  absl::Status History(absl::string_view group_id, const HistoryOptions& options,
                       HistoryCallback&& done);
  // Ends everything: each send, each history, and each join that was never answered, gets `why`,
  // but sends that may have been done get OutcomeUnknown(). Requires a `why` that is not OK. Only
  // the first call counts.
  void Shutdown(const absl::Status& why);

  // The connection's side.

  // kInternal: no server that keeps to the protocol says this now; the connection is worth nothing.
  absl::Status OnEvent(Event event, absl::Time now);
  // Everything but the histories that were written waits for the next connection.
  // Returns how long the server asked to wait before reconnecting, if it did.
  std::optional<absl::Duration> OnDisconnected();
  // Joins once more the groups whose join the server refused for the moment.
  void RetryJoins();

  // Time's side.

  // Does what is due: gives up sends, and queues those whose backoff is over.
  void OnTimer(absl::Time now);
  // When to call OnTimer; InfiniteFuture() if there is nothing to wait for.
  absl::Time next_deadline() const;

  // What is due.

  // The next frame to write. A command counts as written from here on.
  std::optional<std::string> NextFrame(absl::Time now);
  // The next callback to run; empty if none is due.
  std::function<void()> NextCallback();

  const std::string& session_id() const { return identity_.session_id; }
  // Between the server's welcome and OnDisconnected().
  bool connected() const { return connected_; }
  // Whether RetryJoins() has something to do.
  bool has_refused_joins() const { return has_refused_joins_; }
  // Whether the server has answered all joins, and refused none for the moment.
  bool joins_settled() const;
  // Whether the server has said that it is about to close this connection. Nothing is written then:
  // what it would not read is better kept for the next connection.
  bool closing() const { return reconnect_after_.has_value(); }
  // Sends and histories that are not resolved, as SessionLimits counts them.
  size_t queue_bytes() const { return queue_bytes_; }

 private:
  enum class GroupState {
    kQueued,   // A join is in the queue, or will be once connected.
    kJoining,  // The join is written.
    kJoined,
    kRefused,  // For the moment; RetryJoins().
  };
  struct Group {
    std::shared_ptr<const GroupCallbacks> callbacks;
    // Of the first successful join; later ones go by `position`.
    uint32_t history = 0;
    GroupState state = GroupState::kQueued;
    CommandId join_id{};
    // What the application has got or was told of. Not set before the first successful join,
    // unless that is to begin at a position.
    std::optional<Position> position;
    // Whether the application has heard of this join.
    bool answered = false;
  };
  enum class CommandKind { kJoin, kLeave, kSend, kHistory };
  struct Command {
    CommandKind kind;
    std::string group_id;  // Of a join or a leave.
    CommandId id{};        // Of a send or a history.
  };
  struct PendingSend {
    std::string frame;
    SendCallback done;
    // When to give up. Not before it is first written.
    absl::Time deadline = absl::InfiniteFuture();
    bool in_flight = false;  // Written on this connection, and not answered.
    bool in_doubt = false;   // An earlier transmission may have been done.
    // What the server said last; not OK once it has refused.
    absl::Status refusal;
    absl::Duration backoff = kResendBackoffMin;

    bool was_written() const { return deadline != absl::InfiniteFuture(); }
  };
  struct PendingHistory {
    std::string group_id;
    std::string frame;
    HistoryCallback done;
    bool in_flight = false;
  };
  struct DueCallback {
    std::string group_id;  // Empty for sends.
    std::function<void()> run;
  };
  using Groups = std::map<std::string, Group, std::less<>>;
  // In the order in which the application sent, which is also that of the deadlines.
  using Sends = std::map<CommandId, PendingSend>;
  using Histories = std::map<CommandId, PendingHistory>;

  absl::Status Handle(const WelcomeEvent& event, absl::Time now);
  absl::Status Handle(ReplyEvent& event, absl::Time now);
  absl::Status Handle(const ErrorEvent& event, absl::Time now);
  absl::Status Handle(MessageEvent& event, absl::Time now);
  absl::Status Handle(GapEvent& event, absl::Time now);
  absl::Status Handle(const ClosingEvent& event, absl::Time now);
  absl::Status Handle(const UnknownEvent& event, absl::Time now);

  absl::Status OnJoined(Groups::iterator group, ReplyEvent& reply);
  void OnJoinRefused(Groups::iterator group, const ServerError& error);
  absl::Status OnSent(Sends::iterator send, ReplyEvent& reply);
  void OnSendRefused(Sends::iterator send, const ServerError& error, absl::Time now);
  absl::Status OnHistory(Histories::iterator history, ReplyEvent& reply);
  std::string JoinFrame(const std::string& group_id);
  // Whether a frame of `bytes` may still be queued.
  absl::Status CheckRoom(size_t bytes) const;
  // Ends a send with what is known of it when no more transmission may follow.
  void GiveUp(Sends::iterator send, const absl::Status& if_not_done);
  template <typename Pending>
  void SetInFlight(Pending* pending, bool in_flight);
  void Resolve(Sends::iterator send, absl::StatusOr<Position> result);
  void Resolve(Histories::iterator history, absl::StatusOr<GroupHistory> result);
  // The group whose join `id` is, or end().
  Groups::iterator FindJoin(CommandId id);
  Groups::iterator FindJoined(absl::string_view group_id);
  void CallJoin(const std::string& group_id, const Group& group, absl::StatusOr<Joined> result);
  void CallGap(const Group& group, Gap gap);
  CommandId NewId() { return CommandId{++last_id_}; }

  const SessionIdentity identity_;
  const SessionLimits limits_;
  bool connected_ = false;
  std::optional<absl::Duration> reconnect_after_;
  absl::Status ended_;
  uint64_t last_id_ = 0;
  std::minstd_rand random_;

  Groups groups_;
  std::map<CommandId, std::string> joins_;        // Written and not answered: the group.
  std::set<std::string, std::less<>> rejoining_;  // All else waits until these are answered.
  bool has_refused_joins_ = false;
  // Bounded: sends and histories by queue_bytes_max; of a group that was not left at most one join;
  // leaves by the joins that were written, which each were within groups_max. May name sends that
  // are resolved meanwhile.
  std::deque<Command> queue_;
  Sends sends_;
  Histories histories_;
  size_t queue_bytes_ = 0;  // Of sends_ and histories_.
  size_t in_flight_ = 0;    // How many of them are.
  // When to write refused sends again. May name sends that are resolved meanwhile.
  std::set<std::pair<absl::Time, CommandId>> resends_;
  // Bounded: only events, OnDisconnected, OnTimer and Shutdown add, for what is in the bounds
  // above; the owner runs all before the next event.
  std::deque<DueCallback> callbacks_;
};

}  // namespace groupcast

#endif  // SDK_CPP_GROUPCAST_SESSION_H_
