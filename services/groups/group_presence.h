#ifndef GROUPCAST_SERVICES_GROUPS_GROUP_PRESENCE_H_
#define GROUPCAST_SERVICES_GROUPS_GROUP_PRESENCE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/node_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/channel/presence.h"
#include "services/common/clock.h"
#include "services/common/token_bucket.h"
#include "services/groups/group_table.h"
#include "services/groups/member.h"
#include "services/protocol/command.h"

namespace groupcast::service {

struct GroupPresenceOptions {
  // A group is watched for this time after the last read of its members, so that clients that read
  // again and again cost little.
  absl::Duration linger = absl::Seconds(30);
  // The bounds of the groups that are watched only because of the reads of one connection, and of
  // all connections of one user. One more read ends the watch that has the oldest read.
  size_t lingering_per_connection_max = 128;
  size_t lingering_per_user_max = 1'024;

  // If the view of a group is not complete after this time, a read fails with `unavailable`.
  absl::Duration read_timeout = absl::Seconds(5);

  // The bound of the bytes of a page. One more member may exceed it.
  size_t page_bytes_max = 64u << 10;

  // The events (changes × members that get them) of all groups. Over the rate, changes wait, and a
  // member that joins and leaves meanwhile is not told. One change may exceed it. Groups share it
  // fairly: a group with few events does not wait for those that have many.
  TokenRate event_rate = {.per_second = 50'000, .burst = 5'000};
  // The events of one turn. One change may exceed it.
  size_t events_per_turn = 2'000;
  // If a group's changes wait for this time without a break, and it has more events than its share
  // of the rate, its events end, and its members are told.
  absl::Duration behind_max = absl::Seconds(10);
};

// Presence of a worker's members: the reads of group_members, and the events member_joined and
// member_left of members that asked for them. It watches groups on the channel, and reports this
// worker's members to it.
//
// A member gets events from its request on, and pages in line with them: a page has the effect of
// all events before it. So a page and the later events together are the view, without a hole.
//
// Bounds: a member has one read at a time, as its later commands wait. The engine bounds the
// watches and their memory; what it refuses is told to the members that asked. Before that, watches
// end that nobody needs now, the one with the oldest read first. Changes that wait are at most one
// for each member of a view, and each that has left it.
//
// Not thread-safe.
class GroupPresence final : public PresenceListener {
 public:
  using Refuse = std::function<void(Member* member, const absl::Status& why, const std::string& id,
                                    Command::Kind kind)>;
  // Fills in what members may know of the member.
  using Describe = std::function<void(const Member& member, PresentMember* to)>;

  // `table` and `clock` must outlive it. `find` returns a connection of this worker, or null.
  GroupPresence(const GroupPresenceOptions& options, const Clock* clock, GroupTable* table,
                std::function<Member*(ConnectionId)> find, Describe describe, Refuse refuse);

  // Null: the channel has no presence, and all reads fail. `presence` must outlive it.
  void SetPresence(Presence* presence);

  // kUnavailable: the channel has no presence.
  absl::Status Check() const;

  // This worker itself is in the group from now on, without a connection. For one group.
  // `on_view`: the owner watches the group, and its view is complete.
  void JoinItself(absl::string_view group_id, PresentMember self, std::function<void()> on_view);

  // The member has joined the group, and may get messages.
  void OnJoin(const Group& group, const Member& member);
  // The member has left it. `connection_lost`: the connection has ended.
  void OnLeave(const Group& group, Member* member, bool connection_lost);

  // The member gets the events of the group from now on. It has no effect for a member whose
  // encoding has none. Check must have passed.
  void AddInterest(const Group& group, Member* member);

  // The member may not see the group's members any more: if it gets events, they end, and it is
  // told `why`.
  void EndInterest(const Group& group, Member* member, const absl::Status& why);

  // Answers group_members, at once or later. Until then the member has one more pending answer.
  // Check must have passed.
  void Read(Member* member, const Command& command);
  // The connection has ended: its read gets no answer.
  void Drop(Member* member);

  // Sends events, and answers reads that waited for them. To be called in each turn. Returns when
  // there is more to do: InfinitePast in the next turn, InfiniteFuture not before another call.
  absl::Time ServeTurn();
  // Fails the reads that have waited for too long, and ends watches that nobody needs. To be called
  // on each tick.
  void CheckDeadlines();
  // Fails all reads that wait, because the worker ends.
  void RefuseReads(const absl::Status& why);

  size_t watch_count() const { return watched_.size(); }

  std::vector<uint64_t> MembersOf(absl::string_view group_id) override;
  std::optional<PresentMember> FindMember(absl::string_view group_id,
                                          uint64_t connection_id) override;
  void OnViewComplete(absl::string_view group_id) override;
  void OnMemberJoined(absl::string_view group_id, const PresentMember& member) override;
  void OnMemberLeft(absl::string_view group_id, const PresentMember& member) override;
  void OnWatchRefused(absl::string_view group_id, const absl::Status& why) override;

 private:
  struct Question {
    std::string group_id;
    std::string command_id;
    std::optional<uint64_t> after;
    uint32_t limit = 0;
    bool count_only = false;
    absl::Time deadline;
  };
  // A change that the interested members were not told yet.
  struct Change {
    bool joined;  // else it has left
    bool known;   // they know a member with this id
    PresentMember member;
  };
  // In an order that does not depend on addresses.
  struct ById {
    bool operator()(const Member* a, const Member* b) const {
      return a->connection_id() < b->connection_id();
    }
  };
  using Members = std::set<Member*, ById>;
  // A watch that lingers, by the time at which it ends.
  using Lingering = std::set<std::pair<absl::Time, std::string>>;
  // A connection, or a user as UserLimits counts.
  enum class ReaderKind : uint8_t { kConnection, kUser };
  using Reader = std::pair<ReaderKind, uint64_t>;
  // A place in the order of events.
  using Turn = std::pair<uint64_t, uint64_t>;
  struct Watched {
    Members interested;
    Members readers;  // with a question that waits
    absl::Time keep_until = absl::InfinitePast();
    // Those that have read last. Empty: nobody has.
    std::vector<Reader> last_readers;
    bool lingers = false;  // in lingering_, and in those of its last readers
    std::map<uint64_t, Change> changes;
    absl::Time behind_since;     // if there are changes
    uint64_t behind_events = 0;  // sent since then
    std::optional<Turn> turn;    // in queue_
  };

  Watched* WatchGroup(absl::string_view group_id);
  // A watch that nobody needs now lingers.
  void Linger(const std::string& group_id, Watched* watched);
  void EndLingering(const std::string& group_id, Watched* watched);
  // The id may be a part of what goes.
  void Unwatch(const std::string& group_id);
  static std::vector<Reader> ReadersOf(const Member& member);
  // The same, and ends the oldest watches over the bounds of the last readers. This one may be one
  // of them. To be called when a group may have lost the last member that needed its watch.
  void LingerWithinBounds(const std::string& group_id);
  // Ends the oldest watches of these readers until `more` of them are within their bounds.
  void BoundLingering(const std::vector<Reader>& readers, size_t more);
  // The group has its next turn when others have got as many events as its next change has.
  void Queue(const std::string& group_id, Watched* watched);
  bool ExceedsItsShare(const Watched& watched, absl::Time now) const;
  void RemoveInterest(const std::string& group_id, Watched* watched, Member* member);
  void NoteChange(absl::string_view group_id, Change change);
  // Sends a change. Returns the number of events.
  static size_t SendChange(const std::string& group_id, Watched* watched);
  bool MayAnswer(const Watched& watched, const Member& member, const Question& question) const;
  void Answer(Member* member, const Question& question, const PresenceView& view);
  void AnswerReaders(const std::string& group_id);
  void EndInterests(const std::string& group_id, Watched* watched, const absl::Status& why);
  // Ends the question of a reader, without an answer, and resumes its commands later.
  std::optional<Question> TakeQuestion(Member* member);
  static void Resume(const std::vector<Member*>& members);

  const GroupPresenceOptions options_;
  const Clock* const clock_;
  GroupTable* const table_;
  const std::function<Member*(ConnectionId)> find_;
  const Describe describe_;
  const Refuse refuse_;
  Presence* presence_ = nullptr;
  std::string own_group_;  // that this worker itself is in; empty: none
  PresentMember self_;
  std::function<void()> on_own_view_;
  absl::node_hash_map<std::string, Watched> watched_;
  std::map<Member*, Question, ById> questions_;
  Lingering lingering_;
  absl::flat_hash_map<Reader, Lingering> lingering_of_;
  // Groups with changes to tell. The order is that of self-clocked fair queueing.
  std::map<Turn, std::string> queue_;
  uint64_t virtual_time_ = 0;  // in events: of the turn that was the last one
  uint64_t last_turn_ = 0;     // turns of the same time are in the order of their requests
  TokenBucket event_tokens_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_GROUPS_GROUP_PRESENCE_H_
