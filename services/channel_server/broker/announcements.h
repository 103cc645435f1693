#ifndef GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_ANNOUNCEMENTS_H_
#define GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_ANNOUNCEMENTS_H_

#include <cstddef>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "services/channel/wire.h"

namespace groupcast::service {

// The announcements that are due, and the time of each attempt to send them.
//
// An announcement of this turn gets its first attempt in this turn. If there is no room, or the
// turn has reached its maximum, it waits for an attempt in a later turn. So an announcement for one
// worker does not wait behind those of another worker that subscribes to 100,000 groups at once.
//
// Bound: one waiting announcement for each group, and kProofsWaitingMax announcements that answer a
// nonce. Over it a new announcement that answers a nonce is dropped, and its worker subscribes
// again.
//
// Not thread-safe.
class Announcements {
 public:
  struct Entry {
    std::string group_id;
    PublisherId nonce{};  // of the subscription that it answers; zero: none
  };
  // Tries to send one. False: there was no room.
  using Send = std::function<bool(const Entry&)>;
  using Visit = std::function<void(const Entry&)>;

  // The highest number of attempts in a turn: for new announcements, and again for waiting ones.
  static constexpr size_t kPerTurnMax = 250;
  // After this number of failed attempts in a turn, the waiting ones are left for the next turn.
  static constexpr size_t kMissesMax = 16;
  static constexpr size_t kProofsWaitingMax = 1'000'000;

  // Adds an announcement for this turn. Without a nonce, the caller must add it only once until it
  // was sent.
  void Add(absl::string_view group_id, PublisherId nonce) {
    new_.push_back({std::string(group_id), nonce});
  }

  // Tries to send the waiting announcements.
  void SendWaiting(const Send& send);

  // Tries to send the announcements of this turn. The unsent ones wait. `dropped` gets those over
  // the bound.
  void SendNew(const Send& send, const Visit& dropped);

  // Tries to send none. The announcements of this turn wait, but `dropped` gets those with a nonce.
  void Postpone(const Visit& dropped);

  // Forgets those of groups that are gone.
  void EraseIf(const std::function<bool(const Entry&)>& is_gone);

  size_t waiting() const { return waiting_.size(); }
  // In the last turn, an announcement found no room.
  bool found_no_room() const { return found_no_room_; }

 private:
  void Wait(Entry entry, const Visit& dropped);

  std::vector<Entry> new_;
  std::deque<Entry> waiting_;
  // The nonces of waiting entries. An entry with a nonce that is not here was answered meanwhile.
  absl::flat_hash_set<PublisherId> proofs_;
  bool found_no_room_ = false;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_ANNOUNCEMENTS_H_
