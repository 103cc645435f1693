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

// The announcements that are due, and when each is tried.
//
// An announcement of this turn is tried in this turn. If it finds no room, or is over the number of
// a turn, it waits and is tried again in later turns. So an announcement for one worker does not
// wait behind those of another worker that subscribes to 100,000 groups at once.
//
// Bound: one waiting announcement for each group, and kProofsWaitingMax that answer a nonce. Over
// it a new one that answers a nonce is dropped; its worker subscribes again.
//
// Not thread-safe.
class Announcements {
 public:
  struct Entry {
    std::string group_id;
    PublisherId nonce{};  // of the subscription that it answers; zero: of none
  };
  // Tries one. False: it found no room.
  using Send = std::function<bool(const Entry&)>;
  using Visit = std::function<void(const Entry&)>;

  // How many new ones are tried in a turn, and how many waiting ones.
  static constexpr size_t kPerTurnMax = 250;
  // After this number without room in a turn, waiting ones are left for the next turn.
  static constexpr size_t kMissesMax = 16;
  static constexpr size_t kProofsWaitingMax = 1'000'000;

  // For this turn. Whoever adds one without a nonce adds it once until it was sent.
  void Add(absl::string_view group_id, PublisherId nonce) {
    new_.push_back({std::string(group_id), nonce});
  }

  // Tries those that wait.
  void SendWaiting(const Send& send);

  // Tries those of this turn; the rest waits. `dropped` gets those over the bound.
  void SendNew(const Send& send, const Visit& dropped);

  // Without trying any: those of this turn wait, but those that answer a nonce are dropped.
  void Postpone(const Visit& dropped);

  size_t waiting() const { return waiting_.size(); }
  // The last turn found no room for one.
  bool found_no_room() const { return found_no_room_; }

 private:
  void Wait(Entry entry, const Visit& dropped);

  std::vector<Entry> new_;
  std::deque<Entry> waiting_;
  // The nonces of waiting entries. An entry whose nonce is not here was answered meanwhile.
  absl::flat_hash_set<PublisherId> proofs_;
  bool found_no_room_ = false;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_ANNOUNCEMENTS_H_
