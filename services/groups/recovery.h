#ifndef GROUPCAST_SERVICES_GROUPS_RECOVERY_H_
#define GROUPCAST_SERVICES_GROUPS_RECOVERY_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/channel/channel.h"
#include "services/common/clock.h"
#include "services/groups/group_table.h"
#include "services/groups/history_fetcher.h"

namespace groupcast::service {

// The memberships of a worker that are not live yet, because they joined with `since` or `history`:
// each has a position of its own, from which it is fed what the group was delivered before, as its
// outbox has room. When its position is the group's, it is live and leaves no trace here.
//
// What it is fed comes from the group's recent messages if its position is among them, else page by
// page from the channel. A page is not kept: what an outbox had no room for is fetched again.
//
// A join begins undecided: its reply, which says where it begins, may need an answer of the
// channel.
//
// Not thread-safe. Except in Begin, a join that is decided lets its member's commands go on; they
// may change the table, so each method's caller must not rely on its groups afterwards.
class Recoveries {
 public:
  struct Counters {
    uint64_t complete = 0;    // that had `since`, and are live without loss
    uint64_t lost = 0;        // that had `since`, and were told that something was lost
    uint64_t gaps = 0;        // told while recovering
    uint64_t deliveries = 0;  // messages that were fed
  };

  // The time between attempts when the channel is away, or its answer does not help.
  static constexpr absl::Duration kRetryAfter = absl::Milliseconds(200);

  // Both must outlive it.
  Recoveries(GroupTable* table, const Clock* clock) : table_(table), clock_(clock) {}

  void SetChannel(Channel* channel) { fetcher_.SetChannel(channel); }

  // `member` has joined `group`, which is subscribed. If the reply cannot be given at once,
  // pending_answers counts it until then.
  void Begin(Group* group, Member* member, PendingJoin join);

  // The member leaves the group, or is gone.
  void Drop(Group* group, Member* member);

  // Where a member that recovers is; null if it does not recover.
  const Position* PositionOf(Group* group, Member* member) const;

  // The group's position has moved. A gap was told to live members already.
  void OnPosition(Group* group);
  void OnGap(Group* group, const Gap& gap);
  // The member has room again.
  void OnDrained(Member* member);
  // The channel is there again.
  void OnConnected();

  struct Expired {
    Group* group;
    Member* member;
    PendingJoin join;
  };
  // The joins whose time is over; they are dropped here, and are for the caller to refuse.
  std::vector<Expired> TakeExpired();

  // Tries again what has failed. To be called now and then.
  void RetryFailed();

  size_t size() const { return all_.size(); }
  const Counters& counters() const { return counters_; }

 private:
  struct Recovery;
  using Key = std::pair<Group*, Member*>;
  using Pointer = std::shared_ptr<Recovery>;

  Pointer Find(Group* group, Member* member) const;
  std::vector<Pointer> OfGroup(Group* group) const;
  static void Sort(std::vector<Pointer>* recoveries);

  void Advance(const Pointer& recovery);
  void Step(const Pointer& recovery);
  void Decide(const Pointer& recovery);
  void DecideByPage(const Pointer& recovery, const HistoryPage& page);
  void Reply(Recovery* recovery, const Position& position, bool recovered);
  // What a fetch is for: to go on after the position; or to decide where that is, by the newest
  // messages or by the head.
  enum class Want { kMessages, kNewest, kHead };
  void Fetch(const Pointer& recovery, const Position& after, uint32_t newest, Want want);
  void OnAnswer(const Pointer& recovery, Want want, absl::StatusOr<HistoryPage>& page);
  void OnHead(Recovery* recovery, const Position& head);
  void FeedRecent(Recovery* recovery, size_t index);
  void FeedPage(Recovery* recovery, HistoryPage* page);
  bool Feed(Recovery* recovery, uint64_t offset, const SharedBytes& frame);
  void TellGap(Recovery* recovery, const Gap& gap);
  void RetryLater(Recovery* recovery);
  void BecomeLive(const Pointer& recovery);

  GroupTable* const table_;
  const Clock* const clock_;
  HistoryFetcher fetcher_;
  std::map<Key, Pointer> all_;
  uint64_t next_number_ = 1;
  Counters counters_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_GROUPS_RECOVERY_H_
