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
#include "groupcast/command.h"
#include "groupcast/event.h"
#include "groupcast/members_view.h"
#include "groupcast/types.h"

namespace groupcast {

struct SessionIdentity {
  // The value that connections give as ?session=, see CheckSessionId().
  std::string session_id;
  // The beginning of the keys of sends: up to 40 characters as of a session id. No other Session
  // with this session_id may have the same prefix, such as one of an earlier run of the program.
  // Otherwise the server takes sends of one for repeats of the other's.
  std::string key_prefix;
};

struct SessionLimits {
  // The bytes of the frames of sends without an acknowledgement and of reads without an answer:
  // histories and members.
  size_t queue_bytes_max = 0;
  size_t groups_max = 0;
  // The number of these that are written and not yet answered. Each answer takes about 150 bytes of
  // the server's outbox for this client (1 MiB by default). The server closes the connection if
  // they do not fit. Without this limit, a client with a large number of unanswered sends would
  // lose its connection again after each reconnect.
  size_t in_flight_max = 1000;
};

// The time after its first write in which a send may be written again. With the 30 s for which a
// server may hold it, this stays within the 2 minutes for which the server knows a key.
inline constexpr absl::Duration kResendPeriod = absl::Seconds(75);

// A send that the server refused for the moment is written again after a random delay, between half
// of this and all of it. The delay doubles with each refusal, from Min to Max.
inline constexpr absl::Duration kResendBackoffMin = absl::Milliseconds(100);
inline constexpr absl::Duration kResendBackoffMax = absl::Seconds(2);

// The size of the pages in which the views of on_members are read. A server gives no larger ones.
inline constexpr uint32_t kViewPageMembers = 500;

// A client's state of the protocol, over all its connections: its groups and their positions, the
// commands that wait, and the answers that it expects. It has no IO, no clock and no threads. The
// same calls always have the same effects.
//
// The owner puts in the calls of the application and the events of the server. It takes out frames
// with NextFrame() when the connection can write one, and callbacks with NextCallback(). It runs
// the callbacks outside of any lock that guards this object. At next_deadline() it calls OnTimer().
// Application code, including destructors of callbacks, never runs inside a call of this class.
//
// `now` comes from a clock of the owner that does not go back, and always from the same one.
//
// Commands keep their order. A new connection first joins the groups, each from its position. When
// all these joins are answered, it writes the unresolved sends of earlier connections again, in
// their order. Then it writes the commands that wait.
class Session {
 public:
  Session(SessionIdentity identity, const SessionLimits& limits);

  // The application's calls. Group ids, positions and JSON are valid.

  // kAlreadyExists: this client is in that group. kResourceExhausted: over groups_max, or on_end of
  // twice that number of earlier memberships has not run yet. After Shutdown: its status.
  absl::Status Join(absl::string_view group_id, const JoinOptions& options,
                    std::shared_ptr<const GroupCallbacks> callbacks);
  // From now on NextCallback() returns no callback of the group, except on_end. Leave returns the
  // callbacks that Join was given, which the caller releases, or null if the group was not joined.
  std::shared_ptr<const GroupCallbacks> Leave(absl::string_view group_id);
  // Takes `done` if and only if the result is OK. NextCallback() then returns it once.
  // kResourceExhausted: over queue_bytes_max. kInvalidArgument: the message alone is over it. After
  // Shutdown: its status.
  absl::Status Send(absl::string_view group_id, absl::string_view message_json,
                    const SendOptions& options, SendCallback&& done);
  // As Send. A request is written once. If its connection breaks, `done` gets AnswerLost().
  absl::Status History(absl::string_view group_id, const HistoryOptions& options,
                       HistoryCallback&& done);
  absl::Status Members(absl::string_view group_id, const MembersOptions& options,
                       MembersCallback&& done);
  // Ends everything. Each send, each read, and each join that was never answered gets `why`.
  // Sends that may have been delivered get OutcomeUnknown() instead. `why` must not be OK. Only the
  // first call counts.
  void Shutdown(const absl::Status& why);

  // The connection's calls.

  // kInternal: a server that follows the protocol does not say this now. End the connection.
  absl::Status OnEvent(Event event, absl::Time now);
  // Everything waits for the next connection, except the reads that were written. Returns the
  // delay before the reconnect that the server asked for, if any.
  std::optional<absl::Duration> OnDisconnected();
  // Joins again the groups that the server refused for the moment.
  void RetryJoins();

  // The timer's calls.

  // Gives up overdue sends, and queues sends when their backoff ends.
  void OnTimer(absl::Time now);
  // The time at which to call OnTimer; InfiniteFuture() if nothing waits.
  absl::Time next_deadline() const;

  // The output.

  // For a command of the owner that is no command of this class.
  CommandId NewCommandId() { return CommandId{++last_id_}; }
  // Adds a callback of the owner, after all that are due.
  void AddCallback(std::function<void()> run) { callbacks_.push_back({"", std::move(run)}); }
  // The next frame to write. A command counts as written from here on.
  std::optional<std::string> NextFrame(absl::Time now);
  // The next callback to run; empty if none is due.
  std::function<void()> NextCallback();

  const std::string& session_id() const { return identity_.session_id; }
  // Between the server's welcome and OnDisconnected().
  bool connected() const { return connected_; }
  // Whether RetryJoins() has something to do.
  bool has_refused_joins() const { return has_refused_joins_; }
  // Whether the server has answered all joins and has refused none of them for the moment.
  bool joins_settled() const;
  // Whether the server announced that it closes this connection. Then this client writes nothing:
  // the server would not read it, so it stays for the next connection.
  bool closing() const { return closing_; }
  // The bytes of unresolved sends and reads, as SessionLimits counts them.
  size_t queue_bytes() const { return queue_bytes_; }

 private:
  enum class GroupState {
    kQueued,   // A join is in the queue, or will be once connected.
    kJoining,  // The join is written.
    kJoined,
    kRefused,  // For the moment, see RetryJoins().
  };
  struct Group {
    std::shared_ptr<const GroupCallbacks> callbacks;
    // Of the members. Only callbacks touch it. Null without on_members.
    std::shared_ptr<MembersView> view;
    // For the first successful join. Later ones use `position`.
    uint32_t history = 0;
    GroupState state = GroupState::kQueued;
    CommandId join_id{};  // Of the last one on this connection; 0: none was written.
    // The last position that the application received, or that a gap or a join gave it. Not set
    // before the first successful join, unless that join begins at a position.
    std::optional<Position> position;
    // Whether the application has the result of this join.
    bool answered = false;
  };
  enum class CommandKind { kJoin, kLeave, kSend, kRead };
  struct Command {
    CommandKind kind;
    std::string group_id;  // Of a join or a leave.
    CommandId id{};        // Of a send or a read.
    absl::Duration pause;  // Of a leave, before it is tried again.
  };
  struct PendingLeave {
    std::string group_id;
    absl::Duration pause;
  };
  struct PendingSend {
    std::string frame;
    SendCallback done;
    // The time to give up. InfiniteFuture until it is first written.
    absl::Time deadline = absl::InfiniteFuture();
    bool in_flight = false;  // Written on this connection, and not answered.
    bool in_doubt = false;   // An earlier transmission may have been delivered.
    // The server's last answer; not OK once it has refused.
    absl::Status refusal;
    absl::Duration backoff = kResendBackoffMin;

    bool was_written() const { return deadline != absl::InfiniteFuture(); }
  };
  // Of the history or of the members of a group. One of the callbacks is set.
  struct PendingRead {
    std::string group_id;
    std::string frame;
    HistoryCallback on_history;
    MembersCallback on_members;
    bool in_flight = false;
  };
  // The pages of a view.
  struct ViewRead {
    std::string group_id;
    CommandId id{};     // Of the page that was asked for; 0: none was.
    std::string after;  // For the next page.
    size_t members = 0;
  };
  struct DueCallback {
    std::string group_id;  // Empty for those that a Leave does not take back.
    std::function<void()> run;
    bool is_end = false;
  };
  using Groups = std::map<std::string, Group, std::less<>>;
  // In the order of the application's calls, which is also the order of the deadlines.
  using Sends = std::map<CommandId, PendingSend>;
  using Reads = std::map<CommandId, PendingRead>;

  absl::Status Handle(const WelcomeEvent& event, absl::Time now);
  absl::Status Handle(ReplyEvent& event, absl::Time now);
  absl::Status Handle(const ErrorEvent& event, absl::Time now);
  absl::Status Handle(MessageEvent& event, absl::Time now);
  absl::Status Handle(GapEvent& event, absl::Time now);
  absl::Status Handle(MemberEvent& event, absl::Time now);
  absl::Status Handle(const ClosingEvent& event, absl::Time now);
  absl::Status Handle(const UnknownEvent& event, absl::Time now);

  absl::Status OnJoined(Groups::iterator group, ReplyEvent& reply);
  void OnJoinRefused(Groups::iterator group, const ServerError& error);
  absl::Status OnSent(Sends::iterator send, ReplyEvent& reply);
  // A leave that the server postpones is tried again: as a member, the connection would get the
  // group's messages for nothing.
  void OnLeaveRefused(CommandId id, const ServerError& error, absl::Time now);
  void OnSendRefused(Sends::iterator send, const ServerError& error, absl::Time now);
  // Whether the read may be queued.
  absl::Status CheckRead(const PendingRead& read) const;
  void AddRead(PendingRead read, CommandId id);
  absl::Status OnRead(Reads::iterator read, ReplyEvent& reply);
  absl::Status OnHistory(Reads::iterator read, ReplyEvent& reply);
  absl::Status OnMembers(Reads::iterator read, ReplyEvent& reply);
  absl::Status OnViewPage(ReplyEvent& reply);
  // The members of the group cannot be read.
  void EndViewRead(const absl::Status& why);
  // A page that comes for it later is ignored.
  void DropViewRead(absl::string_view group_id);
  void CallView(Groups::iterator group, std::function<void(MembersView*)> run);
  std::string JoinFrame(const std::string& group_id);
  std::string LeaveFrame(const Command& command);
  // Whether a frame of `bytes` may still be queued.
  absl::Status CheckRoom(size_t bytes) const;
  // Ends a send that may not be written again. The result depends on its earlier transmissions.
  void GiveUp(Sends::iterator send, const absl::Status& if_not_done);
  template <typename Pending>
  void SetInFlight(Pending* pending, bool in_flight);
  void Resolve(Sends::iterator send, absl::StatusOr<Position> result);
  template <typename Callback, typename Result>
  void Resolve(Reads::iterator read, Callback PendingRead::*callback, Result result);
  void Fail(Reads::iterator read, const absl::Status& why);
  // The group of the join `id`, or end().
  Groups::iterator FindJoin(CommandId id);
  Groups::iterator FindJoined(absl::string_view group_id);
  void CallJoin(const std::string& group_id, const Group& group, absl::StatusOr<Joined> result);
  void CallGap(const Group& group, Gap gap);
  // Takes the callbacks of a membership that ends.
  void CallEnd(std::shared_ptr<const GroupCallbacks> callbacks, const absl::Status& why);

  const SessionIdentity identity_;
  const SessionLimits limits_;
  bool connected_ = false;
  bool closing_ = false;
  std::optional<absl::Duration> reconnect_after_;
  absl::Status ended_;
  uint64_t last_id_ = 0;
  std::minstd_rand random_;

  Groups groups_;
  std::map<CommandId, std::string> joins_;        // The group of each written, unanswered join.
  std::set<std::string, std::less<>> rejoining_;  // Everything else waits for these.
  bool has_refused_joins_ = false;
  // Leaves without an answer, and those that are tried again later. Bounded: over twice groups_max,
  // Join fails.
  std::map<CommandId, PendingLeave> written_leaves_;
  std::multimap<absl::Time, PendingLeave> postponed_leaves_;
  // Bounded: queue_bytes_max limits sends and reads. Each group that was not left has at most
  // one join. Each leave belongs to a written join, and those were within groups_max. May name
  // sends that are resolved by now.
  std::deque<Command> queue_;
  Sends sends_;
  Reads reads_;
  // One after the other, the first one now. So views never take the place of the application's own
  // reads. Bounded: each group has at most one.
  std::deque<ViewRead> view_reads_;
  size_t queue_bytes_ = 0;  // Of sends_ and reads_.
  size_t in_flight_ = 0;    // The number of them in flight.
  // The times to write refused sends again. May name sends that are resolved by now.
  std::set<std::pair<absl::Time, CommandId>> resends_;
  // Bounded: events, OnDisconnected, OnTimer and Shutdown add callbacks, each for an item of the
  // bounded lists above. The owner runs all of them before the next event. Leave adds on_end, which
  // ends_due_ counts.
  std::deque<DueCallback> callbacks_;
  size_t ends_due_ = 0;
};

}  // namespace groupcast

#endif  // SDK_CPP_GROUPCAST_SESSION_H_
