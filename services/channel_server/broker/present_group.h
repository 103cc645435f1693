#ifndef GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_PRESENT_GROUP_H_
#define GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_PRESENT_GROUP_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "services/channel/fingerprint.h"
#include "services/channel/proto/wire.pb.h"
#include "services/channel/wire.h"

namespace groupcast::service {

struct PresentGroupOptions {
  // A client with an identity that loses its connection may come back within this time: then there
  // is no leave and no join. Zero: each connection counts by itself.
  absl::Duration grace = absl::Seconds(5);
  // A connection of an identity that is there with another session, or without one, waits for this
  // time: it may be the successor of the first one, whose end is not known yet. At most the grace
  // counts.
  absl::Duration overlap = absl::Seconds(1);
  // The members of a worker that is away stay for this time.
  absl::Duration lease = absl::Seconds(8);
  // The changes that are remembered for watchers: at most this number, and at most twice the
  // members or `changes_of_small_max`. A watcher that is further behind gets the whole table again.
  size_t changes_max = 16'384;
  size_t changes_of_small_max = 512;
};

// The members of one watched group: those that watchers see, and the connections behind them.
//
// A member has the id of the connection with which it came. When its client comes back with another
// connection, the member keeps the id, and nobody sees a change.
//
// All connections of one session are one member. It leaves when the last of them has ended. So a
// client may come back long before the loss of its old connection is known.
//
// Workers report joins and leaves in order. A worker that comes back lists its members again; those
// that it does not name have lost their connections.
//
// Logic only; the caller gives the time, and calls Expire when next_deadline() has come. Not
// thread-safe.
class PresentGroup {
 public:
  // `options` must outlive it.
  explicit PresentGroup(const PresentGroupOptions* options) : options_(options) {}

  // A connection that is known changes its data. A connection of another worker has no effect. The
  // member has the id that its worker reports, if no other one has it.
  void Join(PublisherId worker, const channel::v1::PresentMember& member, absl::Time now);
  // The connection has left the group by itself, or has ended. Unknown connections have no effect.
  void Leave(PublisherId worker, uint64_t connection);
  void Lose(PublisherId worker, uint64_t connection, absl::Time now);

  // The worker lists its members. After EndList, connections that it has not named count as lost.
  // Connections in a list are no successors of others that are there.
  void BeginList(PublisherId worker);
  void EndList(PublisherId worker, absl::Time now);

  // The worker's connection is lost. Its members leave when the lease ends, unless their clients or
  // the worker come back.
  void OnWorkerAway(PublisherId worker, absl::Time now);
  // The worker is there again, and will list its members.
  void OnWorkerBack(PublisherId worker);
  // The worker has ended: its connections are lost.
  void OnWorkerEnded(PublisherId worker, absl::Time now);

  void Expire(absl::Time now);
  absl::Time next_deadline() const {
    return deadlines_.empty() ? absl::InfiniteFuture() : deadlines_.begin()->first;
  }

  // The visible members, by id. Null or the end: there is none.
  const channel::v1::PresentMember* Find(uint64_t id) const;
  // The first visible member with an id of at least `id`. Null: there is none.
  const channel::v1::PresentMember* FirstFrom(uint64_t id) const;

  // The ids of changed members, with numbers from first_change() to end_change() - 1. The present
  // state of the member counts: Find says whether it is there.
  uint64_t first_change() const { return end_change_ - changes_.size(); }
  uint64_t end_change() const { return end_change_; }
  uint64_t change(uint64_t number) const { return changes_[number - first_change()]; }

  // The member that stands for the connection, with its id. Null: the connection is not known.
  const channel::v1::PresentMember* MemberOf(PublisherId worker, uint64_t connection);

  // The connections whose member has another id or time than their worker knows, since the last
  // call. The worker must be told, so that it reports the same to a server that begins again.
  struct Connection {
    PublisherId worker;
    uint64_t id;
  };
  std::vector<Connection> TakeUntold() { return std::exchange(untold_, {}); }

  // All members, also those that are not visible.
  size_t size() const { return entries_.size(); }
  size_t bytes() const { return bytes_ + changes_.size() * sizeof(changes_[0]); }

  // For tests: the places in the index of clients that were looked at so far.
  uint64_t looked_at() const { return looked_at_; }

 private:
  enum class State : uint8_t {
    kThere,    // visible
    kLeaving,  // visible; its connection is lost, or its worker is away
    kWaiting,  // becomes visible at its deadline, or the successor of another one before
    kBehind,   // another connection of its session is there
  };
  struct Entry {
    channel::v1::PresentMember member;  // with the visible id, and without its identity and session
    Fingerprint identity;
    Fingerprint session;
    uint64_t connection = 0;
    PublisherId worker{};
    uint64_t told_id = 0;       // the id that the worker knows
    int64_t told_since_ms = 0;  // the time of the join that the worker knows
    State state = State::kThere;
    bool named = true;  // in the worker's present list
    absl::Time deadline = absl::InfiniteFuture();

    bool visible() const { return state == State::kThere || state == State::kLeaving; }
  };
  using Entries = std::map<uint64_t, Entry>;  // by id
  // What entries have in common, besides user and info.
  enum class Match : uint8_t { kIdentity, kSession };
  // A hash, the state and the id.
  using Twins = absl::btree_set<std::tuple<size_t, State, uint64_t>>;

  Entry EntryOf(PublisherId worker, const channel::v1::PresentMember& member) const;
  void Add(Entry entry, absl::Time now);
  // The member may have another token now. False: it is another client for others of its session.
  bool Update(Entry* entry, const Entry& fresh);
  Entry* FindConnection(PublisherId worker, uint64_t connection);
  // Another entry of the same client, in this state. Null: none.
  Entry* FindTwin(const Entry& of, Match match, State state);
  // The entry that takes the place of a lost one. Null: none.
  Entry* FindSuccessor(const Entry& of);
  uint64_t FreeIdFor(const Entry& entry) const;
  void SetDeadline(Entry* entry, absl::Time deadline);
  void SetState(Entry* entry, State state);
  void BecomeThere(Entry* entry);
  void AddTwin(const Entry& entry);
  void RemoveTwin(const Entry& entry);
  // The connection of `from` takes the place of the one behind `to`; `from` is removed.
  void TakeOver(Entry* to, Entry* from);
  void Succeed(Entry* to, const Entry& connection);
  void Bind(const Entry& entry);
  void Unbind(const Entry& entry);
  void LoseEntry(Entry* entry, absl::Time now);
  void Remove(Entry* entry);
  void NoteChange(uint64_t id);
  const Entry& MemberOf(const Entry& entry);
  void TellWorker(Entry* entry);
  std::vector<uint64_t> IdsOf(PublisherId worker) const;
  static size_t BytesOf(const Entry& entry);
  static size_t HashOf(const Entry& entry, Match match);

  const PresentGroupOptions* options_;
  Entries entries_;
  absl::flat_hash_map<uint64_t, uint64_t> by_connection_;  // the ids
  Twins twins_;
  std::map<PublisherId, std::set<uint64_t>> by_worker_;  // ids
  std::set<PublisherId> listing_;
  std::set<std::pair<absl::Time, uint64_t>> deadlines_;
  std::deque<uint64_t> changes_;
  uint64_t end_change_ = 1;
  std::vector<Connection> untold_;
  uint64_t looked_at_ = 0;
  size_t bytes_ = 0;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_PRESENT_GROUP_H_
