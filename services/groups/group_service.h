#ifndef GROUPCAST_SERVICES_GROUPS_GROUP_SERVICE_H_
#define GROUPCAST_SERVICES_GROUPS_GROUP_SERVICE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/channel/channel.h"
#include "services/common/clock.h"
#include "services/common/logging.h"
#include "services/common/token_bucket.h"
#include "services/groups/authenticator.h"
#include "services/groups/connection_access.h"
#include "services/groups/control/control_room.h"
#include "services/groups/group_presence.h"
#include "services/groups/group_table.h"
#include "services/groups/history_reads.h"
#include "services/groups/member.h"
#include "services/groups/memberships.h"
#include "services/groups/message_rate.h"
#include "services/groups/recent_messages.h"
#include "services/groups/recovery.h"
#include "services/groups/refusals.h"
#include "services/groups/send_queue.h"
#include "services/groups/send_rules.h"
#include "services/groups/sends.h"
#include "services/groups/user_limits.h"
#include "services/protocol/command.h"

namespace groupcast::service {

struct GroupServiceOptions {
  CommandLimits commands;
  SendRulesOptions send_rules;
  MembershipsOptions memberships;
  // The commands of one connection. A command to several groups costs one for each. A rate of zero
  // per second is no limit.
  TokenRate command_rate = {.per_second = 0, .burst = 256};
  AuthenticatorOptions access;
  // The date, for times that leave the process: of joins and of messages.
  const Clock* calendar = Calendar();
  UserLimitsOptions users;
  HistoryReadsOptions history_reads;
  GroupPresenceOptions presence;
  RecentMessagesOptions recent;
  SendQueueOptions sends;
  ControlOptions control;
};

// A worker's part in groups. It gives its connections' commands to its rooms (Memberships,
// ConnectionAccess, Sends, HistoryReads, GroupPresence), and hands the channel's messages to the
// members. It knows neither sockets nor the bytes on a connection: members are an interface, and
// their encodings build the bytes.
//
// Not thread-safe; it lives on its worker's loop.
class GroupService final : public ChannelListener {
 public:
  struct Counters {
    uint64_t commands = 0;
    uint64_t errors = 0;        // commands answered with an error
    uint64_t rate_limited = 0;  // of these, with `rate_limited`
    uint64_t refused = 0;       // and for want of a right or of a valid token
    // Commands, or groups of a command, that are over a limit.
    uint64_t too_many_groups = 0;
    uint64_t message_too_large = 0;
    uint64_t too_deep = 0;           // commands whose JSON nests too deep
    uint64_t sends_limited = 0;      // by the rate of the group's rule
    uint64_t user_connections = 0;   // that were closed, because their users had too many
    uint64_t user_groups = 0;        // joins that were refused for the same reason
    uint64_t user_rate_limited = 0;  // commands over the rate of their users
    uint64_t questions_limited = 0;  // as ControlQuestions::limited
    uint64_t messages = 0;           // messages from the channel, each counted once
    uint64_t deliveries = 0;         // messages × members
    uint64_t gaps = 0;               // each for all live members, or for one recovering member
    uint64_t recoveries = 0;         // joins with `since` without a loss
    uint64_t recoveries_lost = 0;    // joins with `since` and with a loss
  };

  // `clock` must outlive it. The caller must call SetChannel before any other method.
  GroupService(const GroupServiceOptions& options, const Clock* clock);

  // `channel` must outlive it, or the caller must set it to null first.
  void SetChannel(Channel* channel) {
    channel_ = channel;
    recoveries_.SetChannel(channel);
    memberships_.SetChannel(channel);
    sends_.SetChannel(channel);
    reads_.SetChannel(channel);
    presence_.SetPresence(channel == nullptr ? nullptr : channel->presence());
    if (control_ != nullptr) control_->SetChannel(channel);
  }
  // Sets the handler of a misconfiguration: the channel cannot work as configured.
  void OnFatal(std::function<void(const absl::Status&)> handler) { on_fatal_ = std::move(handler); }

  // Calls `watcher` for each message of the channel, with its time (Content::sent_at_ms). Null: no
  // call.
  void WatchMessages(std::function<void(int64_t sent_at_ms)> watcher) {
    message_watcher_ = std::move(watcher);
  }

  // The limits of commands, with the channel's present maximum.
  const CommandLimits& command_limits() const { return command_limits_; }

  const AccessPolicy& access_policy() const { return *options_.access.policy; }

  // The caller must remove `member` before it is destroyed.
  void Add(Member* member);
  // The member leaves its groups. Later answers for it are dropped.
  void Remove(Member* member);

  // Takes the token of a new connection, which may be empty, before any command of it. The member
  // has its user then (UserOf). Admit must follow.
  absl::Status Identify(Member* member, absl::string_view token) {
    return access_.Identify(member, token);
  }
  // Begins the connection's stay, after Identify. If the token was refused, it tells the reason and
  // ends the connection.
  void Admit(Member* member, const absl::Status& identified) { access_.Admit(member, identified); }

  // Executes one command. False: this command and all later ones must wait. After
  // Member::ResumeCommands, the caller passes it to HandleCommand again.
  bool HandleCommand(Member* member, absl::string_view text);
  // The same for a front end that has the command already.
  bool Run(Member* member, const Command& command);

  // Takes what one command costs, for a request of the member that is none. kAborted: its rates do
  // not let it go on.
  absl::Status TakeToken(Member* member);
  // A front end has told a client an error of this code by itself.
  void CountError(ErrorCode code) { refusals_.CountToldElsewhere(code); }

  // Asks all workers for the member, as ControlQuestions. Its right is the caller's concern.
  // Returns the question, for DropQuestion. kAborted: the member, or all members of this worker
  // together, ask too often. kUnavailable: the worker cannot ask now.
  absl::StatusOr<uint64_t> AskWorkers(Member* member, ControlCommand command,
                                      ControlQuestions::Done done);
  // Nobody waits for the result any more.
  void DropQuestion(uint64_t question) { control_->Drop(question); }

  // The caller calls it when the outbox of a member with `recoveries` has drained.
  void OnDrained(Member* member) { recoveries_.OnDrained(member); }

  // Answers members that read history, within a budget. The worker calls it once per turn. Returns
  // whether some wait for the next turn.
  bool ServeReaders() { return reads_.ServeTurn(); }

  // Sends events of joins and leaves, within a budget. The worker calls it once per turn. Returns
  // when it must be called again: InfinitePast in the next turn.
  absl::Time ServePresence() { return presence_.ServeTurn(); }

  // Fails the joins that have passed their deadline, and repeats failed fetches. The worker calls
  // it on each tick. Its time grows only with the number of joins that are due.
  void CheckDeadlines();

  // Ends all waiting, because the worker ends. Sends without a result are told `outcome_unknown`.
  // Joins and reads of history without an answer, and commands that wait, are refused as
  // `unavailable`. Later results are dropped, and later commands are refused too, so no member has
  // a pending answer any more.
  void GiveUp();
  // The number of sends without a result, also of connections that are gone.
  size_t pending_sends() const { return sends_.pending(); }

  const GroupTable& table() const { return table_; }
  // The errors of commands, and of single groups of them, with this code.
  uint64_t errors_of(ErrorCode code) const {
    return refusals_.counters().of_codes[static_cast<size_t>(code)];
  }
  uint64_t publications() const { return sends_.published(); }
  Counters counters() const;

  void OnSubscribed(absl::string_view group_id, const Position& head) override;
  void OnMessage(const Message& message) override;
  void OnGap(absl::string_view group_id, const Gap& gap) override;
  void OnConnectionState(bool connected) override;
  void OnRoom() override;
  void OnMisconfigured(const absl::Status& why) override;

 private:
  void RunCommand(Member* member, const Command& command, std::optional<SendQueue::Weight> weight);
  // Whether the member may give the command before it has shown a token. If not, it has the answer.
  bool HasShownToken(Member* member, const Command& command);
  // Whether the rates of the member and of its user let it run a command now. If not, it has the
  // answer.
  bool HasTokens(Member* member, const Command& command);
  // kAborted: they do not. It is counted.
  absl::Status CheckTokens(const Member& member);
  // Takes the tokens of a command that runs, or of text that is no command.
  void TakeTokens(Member* member, size_t commands);
  void AddGroup(Member* member, const Command& command);
  void LeaveGroup(Member* member, const Command& command);
  void ReadHistory(Member* member, const Command& command);
  void ReadMembers(Member* member, const Command& command);
  // Whether the worker ends, and takes no more commands that wait for the channel. If so, the
  // member has the answer.
  bool Stops(Member* member, const Command& command);

  // Follows the channel's maximum.
  void TellConnection(bool connected);
  void UpdateCommandLimits();
  Member* FindMember(ConnectionId id) const;

  const GroupServiceOptions options_;
  const Clock* const clock_;
  CommandLimits command_limits_;
  Channel* channel_ = nullptr;
  std::function<void(const absl::Status&)> on_fatal_;
  std::function<void(int64_t)> message_watcher_;
  absl::flat_hash_map<ConnectionId, Member*> members_;
  Refusals refusals_;
  RecentMessages recent_;  // used by the table's groups
  GroupTable table_;
  Recoveries recoveries_;
  HistoryReads reads_;
  GroupPresence presence_;
  UserLimits users_;
  Memberships memberships_;
  ConnectionAccess access_;
  const SendRules send_rules_;
  Sends sends_;
  RateWindows rate_windows_;
  std::unique_ptr<ControlRoom> control_;  // null: the worker has no part in control
  bool gives_up_ = false;
  Counters counters_;
  LogLimit gap_log_limit_;
  LogLimit connection_log_limit_;
  LogLimit maximum_log_limit_;
  bool smaller_told_ = false;  // the last line about the maximum says that it is smaller
  bool away_told_ = true;      // the next line about the channel is that it is there
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_GROUPS_GROUP_SERVICE_H_
