#ifndef GROUPCAST_SERVICES_WEBSOCKET_SERVICE_GROUP_SERVICE_H_
#define GROUPCAST_SERVICES_WEBSOCKET_SERVICE_GROUP_SERVICE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/channel/channel.h"
#include "services/common/clock.h"
#include "services/common/logging.h"
#include "services/websocket_service/command.h"
#include "services/websocket_service/event.h"
#include "services/websocket_service/group_table.h"

namespace groupcast::service {

struct GroupServiceOptions {
  CommandLimits commands;
  size_t groups_per_connection_max = 128;
  // A join that the channel has not answered by then fails with `unavailable`.
  absl::Duration join_timeout = absl::Seconds(5);
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
    uint64_t gaps = 0;        // messages lost on the way from the channel, counted by their gaps
  };

  // `clock` must outlive it. SetChannel before anything else.
  GroupService(const GroupServiceOptions& options, const Clock* clock);

  // `channel` must outlive it, or be set to null first.
  void SetChannel(Channel* channel) { channel_ = channel; }
  // Called when the channel cannot be used as configured.
  void OnFatal(std::function<void(const absl::Status&)> handler) { on_fatal_ = std::move(handler); }

  void Add(Member* member);
  // It leaves its groups, and answers that are on the way to it are dropped.
  void Remove(Member* member);

  // Carries out one command. False: it must wait, and with it all that follow, until
  // ResumeCommands; then it is to be handed in again.
  bool HandleCommand(Member* member, absl::string_view text);

  // Fails joins that have waited too long. To be called now and then.
  void CheckDeadlines();

  const GroupTable& table() const { return table_; }
  const Counters& counters() const { return counters_; }

  void OnHead(absl::string_view group_id, const Position& head) override;
  void OnMessage(const Message& message) override;
  void OnConnectionState(bool connected) override;
  void OnMisconfigured(const absl::Status& why) override;

 private:
  void AddGroup(Member* member, const Command& command);
  void LeaveGroup(Member* member, const Command& command);
  void SendToGroup(Member* member, const Command& command);
  void SendToGroups(Member* member, const Command& command);

  void Reply(Member* member, const std::string& event);
  void Refuse(Member* member, const CommandError& error);
  Member* FindMember(ConnectionId id) const;
  void FinishPendingJoins(Group* group);
  void FinishJoin(Member* member);
  void RemoveIfUnused(Group* group);
  void TellGap(const Group& group);

  const GroupServiceOptions options_;
  const Clock* const clock_;
  Channel* channel_ = nullptr;
  std::function<void(const absl::Status&)> on_fatal_;
  GroupTable table_;
  absl::flat_hash_map<ConnectionId, Member*> members_;
  size_t pending_joins_ = 0;
  Counters counters_;
  LogLimit gap_log_limit_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_WEBSOCKET_SERVICE_GROUP_SERVICE_H_
