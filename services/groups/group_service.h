#ifndef GROUPCAST_SERVICES_GROUPS_GROUP_SERVICE_H_
#define GROUPCAST_SERVICES_GROUPS_GROUP_SERVICE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/channel/channel.h"
#include "services/common/clock.h"
#include "services/common/logging.h"
#include "services/groups/group_table.h"
#include "services/groups/recent_messages.h"
#include "services/groups/recovery.h"
#include "services/protocol/command.h"
#include "services/protocol/event.h"

namespace groupcast::service {

struct GroupServiceOptions {
  CommandLimits commands;
  size_t groups_per_connection_max = 128;
  // A join that the channel has not answered by then fails with `unavailable`.
  absl::Duration join_timeout = absl::Seconds(5);
  // The messages in one reply to group_history, unless a single one is larger.
  size_t history_reply_bytes_max = 256u << 10;
  RecentMessagesOptions recent;
};

// What a worker does for groups: it carries out its connections' commands on the channel, and hands
// what the channel brings to the members. It knows neither sockets nor frames on the wire; members
// are an interface.
//
// Not thread-safe; it lives on its worker's loop.
class GroupService final : public ChannelListener {
 public:
  struct Counters {
    uint64_t commands = 0;
    uint64_t errors = 0;      // commands answered with an error
    uint64_t messages = 0;    // that came from the channel and were handed out
    uint64_t deliveries = 0;  // messages × members
    uint64_t gaps = 0;  // gaps that were told: each to all live members, or to one that recovers
    uint64_t recoveries = 0;       // joins with `since` that got all they missed
    uint64_t recoveries_lost = 0;  // joins with `since` that were told that they lost something
  };

  // `clock` must outlive it. SetChannel before anything else.
  GroupService(const GroupServiceOptions& options, const Clock* clock);

  // `channel` must outlive it, or be set to null first.
  void SetChannel(Channel* channel) {
    channel_ = channel;
    recoveries_.SetChannel(channel);
  }
  // Called when the channel cannot be used as configured.
  void OnFatal(std::function<void(const absl::Status&)> handler) { on_fatal_ = std::move(handler); }

  void Add(Member* member);
  // It leaves its groups, and answers that are on the way to it are dropped.
  void Remove(Member* member);

  // Carries out one command. False: it must wait, and with it all that follow, until
  // ResumeCommands; then it is to be handed in again.
  bool HandleCommand(Member* member, absl::string_view text);

  // The outbox of a member with `recoveries` has drained.
  void OnDrained(Member* member) { recoveries_.OnDrained(member); }

  // Fails joins that have waited too long, and retries recoveries. To be called now and then.
  void CheckDeadlines();

  const GroupTable& table() const { return table_; }
  Counters counters() const;

  void OnSubscribed(absl::string_view group_id, const Position& head) override;
  void OnMessage(const Message& message) override;
  void OnGap(absl::string_view group_id, const Gap& gap) override;
  void OnConnectionState(bool connected) override;
  void OnRoom() override;
  void OnMisconfigured(const absl::Status& why) override;

 private:
  bool MayRun(const Member& member, const Command& command);
  bool MayWaitForRoom() const;
  bool WaitsForRoom(Member* member);
  void GoOnWithSends();
  void AddGroup(Member* member, const Command& command);
  void AddGroupAgain(Group* group, Member* member, const Command& command);
  void Admit(Group* group, Member* member, PendingJoin join);
  void LeaveGroup(Member* member, const Command& command);
  void SendToGroup(Member* member, const Command& command);
  void SendToGroups(Member* member, const Command& command);
  void Publish(Member* member, const Command& command, const std::string& group_id,
               Channel::PublishCallback done);
  void ReadHistory(Member* member, const Command& command);

  void Reply(Member* member, const std::string& event);
  void Refuse(Member* member, const CommandError& error);
  Member* FindMember(ConnectionId id) const;
  void RefuseJoin(Group* group, Member* member, const PendingJoin& join);
  void RemoveIfUnused(Group* group);

  const GroupServiceOptions options_;
  const Clock* const clock_;
  Channel* channel_ = nullptr;
  std::function<void(const absl::Status&)> on_fatal_;
  RecentMessages recent_;  // the table's groups use it
  GroupTable table_;
  Recoveries recoveries_;
  absl::flat_hash_map<ConnectionId, Member*> members_;
  size_t pending_joins_ = 0;  // of groups that are not subscribed
  // Members whose sends wait for room in the channel: who came first goes on first.
  std::deque<Member*> waiting_for_room_;
  absl::Time away_since_;  // if the channel is
  Counters counters_;
  LogLimit gap_log_limit_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_GROUPS_GROUP_SERVICE_H_
