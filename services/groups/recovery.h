#ifndef GROUPCAST_SERVICES_GROUPS_RECOVERY_H_
#define GROUPCAST_SERVICES_GROUPS_RECOVERY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/node_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "boost/intrusive/list.hpp"
#include "boost/intrusive/set.hpp"
#include "services/channel/channel.h"
#include "services/common/clock.h"
#include "services/groups/group_table.h"
#include "services/groups/history_fetcher.h"
#include "services/groups/pending_joins.h"

namespace groupcast::service {

// The memberships of a worker that are not live yet, because they joined with `since` or `history`.
// Each has its own position. A recovery sends its member the messages after that position when its
// outbox has room. When it reaches the group's position it becomes live and leaves this list.
//
// A recovery takes messages from the group's recent ones, if they go back to its position.
// Otherwise it fetches them from the channel, page by page. It keeps no page: it fetches messages
// that did not fit into an outbox again.
//
// A join begins undecided: its reply names the position where delivery begins. To find this
// position, it may need an answer of the channel.
//
// The cost of many members that reconnect at the same time grows in proportion to their number. A
// message looks only at the recoveries that it decides, and a tick only at the recoveries that are
// due. In each case the older recovery continues first, so effects depend only on the input.
//
// Not thread-safe. Except in Begin, a decided join resumes its member's commands. They may change
// the table, so the caller of a method must not rely on its groups afterwards.
class Recoveries {
 public:
  struct Counters {
    uint64_t complete = 0;    // recoveries with `since` that became live without a loss
    uint64_t lost = 0;        // recoveries with `since` and with a loss
    uint64_t gaps = 0;        // gaps that recovering members got
    uint64_t deliveries = 0;  // messages that recovering members got
  };

  // The time between attempts when the channel is not connected, or when its answer does not help.
  static constexpr absl::Duration kRetryAfter = absl::Milliseconds(200);

  // Both must outlive it.
  Recoveries(GroupTable* table, const Clock* clock) : table_(table), clock_(clock) {}

  void SetChannel(Channel* channel) { fetcher_.SetChannel(channel); }

  // The join's member has joined its group, which is subscribed. If there is no reply at once, the
  // member's pending_answers counts the join until its reply.
  void Begin(PendingJoin join);

  // The member leaves the group, or its connection has ended.
  void Drop(Group* group, Member* member);

  // The position of a member that recovers. Null: it does not recover.
  const Position* PositionOf(Group* group, Member* member) const;

  // The group's position has moved by one message, which is in `recent`.
  void OnPosition(Group* group);
  // The group's position has moved over a gap. Live members have the gap already.
  void OnGap(Group* group, const Gap& gap);
  // The member has room again.
  void OnDrained(Member* member);
  // The channel is connected again.
  void OnConnected();

  // Removes the undecided joins with a deadline up to `now`. Returns them in the order of their
  // deadlines. The caller refuses them.
  std::vector<PendingJoin> TakeExpired(absl::Time now);

  // Repeats failed fetches kRetryAfter after their failure. The worker calls it on each tick.
  void RetryFailed();

  size_t size() const { return all_.size(); }
  const Counters& counters() const { return counters_; }

 private:
  using AutoUnlink = boost::intrusive::link_mode<boost::intrusive::auto_unlink>;
  using ListHook = boost::intrusive::list_member_hook<AutoUnlink>;
  using SetHook = boost::intrusive::set_member_hook<AutoUnlink>;

  struct Recovery : std::enable_shared_from_this<Recovery> {
    Recovery(PendingJoin pending_join, uint64_t its_number);

    // The lowest offset of the group at which a message may decide it.
    uint64_t decided_at() const { return join.since.has_value() ? join.since->offset : 0; }

    const PendingJoin join;
    Group* const group;
    Member* const member;
    const uint64_t number;  // grows with each recovery

    // The position of the member's last message. Before the reply: the position that it has seen
    // (`since`).
    Position position;
    bool replied = false;
    bool is_pending = false;   // counted in the member's pending_answers
    bool head_covers = false;  // `since` is ahead of the group, but not of the channel's head
    bool lost = false;         // the member knows of a loss
    bool ended = false;        // it is live, or was dropped
    bool blocked = false;      // the outbox was full; it continues with OnDrained
    bool fetching = false;
    absl::Time retry_at = absl::InfinitePast();  // no fetch before

    ListHook of_group;  // always, until it ends
    SetHook undecided;  // a message may decide it
    SetHook expiring;   // it has no reply yet
    ListHook failed;    // a fetch has failed, and is to be repeated
  };
  using Key = std::pair<Group*, Member*>;
  using Pointer = std::shared_ptr<Recovery>;

  struct ByDecidingOffset {
    bool operator()(const Recovery& a, const Recovery& b) const {
      return std::pair(a.decided_at(), a.number) < std::pair(b.decided_at(), b.number);
    }
  };
  struct ByDeadline {
    bool operator()(const Recovery& a, const Recovery& b) const {
      return std::pair(a.join.deadline, a.number) < std::pair(b.join.deadline, b.number);
    }
  };
  template <ListHook Recovery::*hook>
  using List =
      boost::intrusive::list<Recovery, boost::intrusive::member_hook<Recovery, ListHook, hook>,
                             boost::intrusive::constant_time_size<false>>;
  template <SetHook Recovery::*hook, typename Order>
  using Set =
      boost::intrusive::set<Recovery, boost::intrusive::member_hook<Recovery, SetHook, hook>,
                            boost::intrusive::compare<Order>,
                            boost::intrusive::constant_time_size<false>>;
  struct OfGroup {
    List<&Recovery::of_group> all;  // in the order of their numbers
    Set<&Recovery::undecided, ByDecidingOffset> undecided;
  };

  Pointer Find(Group* group, Member* member) const;
  void End(const Pointer& recovery);
  void AdvanceInOrder(std::vector<Pointer> recoveries);
  void Advance(const Pointer& recovery);
  void Step(const Pointer& recovery);
  void Decide(const Pointer& recovery);
  void DecideByPage(const Pointer& recovery, const HistoryPage& page);
  // `recovered` is for a join with `since`.
  void Reply(Recovery* recovery, const Position& position, std::optional<bool> recovered);
  // The purpose of a fetch: to continue after the position, or to find the position by the newest
  // messages or by the head.
  enum class Want { kMessages, kNewest, kHead };
  void Fetch(const Pointer& recovery, const Position& after, uint32_t newest, Want want);
  void OnAnswer(const Pointer& recovery, Want want, absl::StatusOr<HistoryPage>& page);
  void OnHead(Recovery* recovery, const Position& head);
  void FeedRecent(Recovery* recovery, size_t index);
  void FeedPage(Recovery* recovery, HistoryPage* page);
  bool Feed(Recovery* recovery, uint64_t offset, const SharedBytes& bytes);
  void TellGap(Recovery* recovery, const Gap& gap);
  void RetryLater(Recovery* recovery);
  void BecomeLive(const Pointer& recovery);

  GroupTable* const table_;
  const Clock* const clock_;
  HistoryFetcher fetcher_;
  // The lists are declared before all_: a recovery leaves them when it is destroyed.
  absl::node_hash_map<Group*, OfGroup> groups_;  // those with recoveries
  Set<&Recovery::expiring, ByDeadline> expiring_;
  List<&Recovery::failed> failed_;  // in the order of retry_at
  absl::flat_hash_map<Key, Pointer> all_;
  uint64_t next_number_ = 1;
  Counters counters_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_GROUPS_RECOVERY_H_
