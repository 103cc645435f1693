#ifndef GROUPCAST_SERVICES_GROUPS_SENDS_H_
#define GROUPCAST_SERVICES_GROUPS_SENDS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/channel/channel.h"
#include "services/common/clock.h"
#include "services/groups/member.h"
#include "services/groups/refusals.h"
#include "services/groups/send_queue.h"
#include "services/groups/send_rules.h"
#include "services/protocol/command.h"

namespace groupcast::service {

// The sends of a worker's connections, from the command to its answer: a send waits for room in the
// channel, its publications go to the channel, and their results become the answer.
//
// Not thread-safe.
class Sends {
 public:
  // The pointers must outlive it. `calendar` has the date of messages. `find` returns a connection
  // of this worker, or null.
  Sends(const SendQueueOptions& options, const SendRules* rules, const Clock* clock,
        const Clock* calendar, Refusals* refusals, std::function<Member*(ConnectionId)> find);

  // The caller must set it before any other call. The channel must outlive it, or be set to null.
  void SetChannel(Channel* channel) { channel_ = channel; }

  // Whether the send may go now. nullopt: the member waits (Member::waits_for_room), or the send
  // will be refused as a whole.
  std::optional<SendQueue::Weight> Admit(Member* member, const Command& command);
  // Carries out a send whose member does not wait. `weight` is the result of Admit.
  void Send(Member* member, const Command& command, std::optional<SendQueue::Weight> weight);

  // The connection is gone. Later results for it are dropped.
  void Remove(Member* member) { queue_.Remove(member); }

  // The channel's state has changed, or it has room.
  void OnConnectionState(bool connected);
  void OnRoom() { queue_.GoOn(); }
  // The worker calls it on each tick: some members may have waited too long.
  void CheckDeadlines();

  // Ends all sends, because the worker ends. Those without a result are told `outcome_unknown`, and
  // all later ones are refused as `unavailable`. ReleaseAll must follow.
  void GiveUp();
  // Resumes the members that wait for room.
  void ReleaseAll() { queue_.ReleaseAll(); }

  // The number of sends without a result, also of connections that are gone.
  size_t pending() const { return pending_.size(); }
  // Messages that were handed to the channel.
  uint64_t published() const { return published_; }
  // Messages over the rates of their groups.
  uint64_t limited() const { return limited_; }

 private:
  struct PendingSend {
    ConnectionId connection;
    std::string command_id;  // JSON; empty: the client wants no reply
  };

  bool MayWaitForRoom() const;
  // What the channel counts of the command's message to one group.
  size_t BytesOf(const Member& member, const Command& command, absl::string_view group_id) const;
  std::string SenderOf(const Member& member, absl::string_view group_id) const;

  // Without a weight, the command is refused as a whole.
  void SendToGroup(Member* member, const Command& command, std::optional<SendQueue::Weight> weight);
  void SendToGroups(Member* member, const Command& command,
                    std::optional<SendQueue::Weight> weight);
  void Publish(Member* member, const Command& command, std::optional<SendQueue::Weight> weight,
               const std::string& group_id, int64_t sent_at_ms, Channel::PublishCallback done);

  // A send is on its way to the channel. Its number is for End.
  uint64_t Begin(Member* member, const Command& command);
  // The sender of a send without a result. Null: nobody must be told.
  Member* FindSender(uint64_t number) const;
  // The send has its result. Returns the same.
  Member* End(uint64_t number);

  const SendRules& rules_;
  const Clock* const clock_;
  const Clock* const calendar_;
  Refusals* const refusals_;
  const std::function<Member*(ConnectionId)> find_;
  Channel* channel_ = nullptr;
  SendQueue queue_;
  // By number, in the order of their commands. The channel's window bounds them.
  absl::flat_hash_map<uint64_t, PendingSend> pending_;
  uint64_t last_number_ = 0;
  uint64_t published_ = 0;
  uint64_t limited_ = 0;
  bool gives_up_ = false;
  absl::Time away_since_;  // the time of the disconnection, while not connected
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_GROUPS_SENDS_H_
