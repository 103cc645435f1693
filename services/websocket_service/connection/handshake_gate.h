#ifndef GROUPCAST_SERVICES_WEBSOCKET_SERVICE_CONNECTION_HANDSHAKE_GATE_H_
#define GROUPCAST_SERVICES_WEBSOCKET_SERVICE_CONNECTION_HANDSHAKE_GATE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <unordered_map>

#include "absl/time/time.h"
#include "boost/intrusive/list.hpp"
#include "services/connections/peer_address.h"
#include "services/websocket_service/connection/read_gate.h"

namespace groupcast::service {

// Bounds the TLS handshakes of a worker. Those under way have places: each one takes up to some
// 150 KB, as its client likes, and a connection whose handshake has not begun takes hardly any
// memory. One address takes a place only while it has fewer than are free: alone
// it has half of them, and beside each address that takes many, some stay free. Handshakes also
// have a bounded time in each turn, because each costs a signature. Above a bound, connections
// wait: the addresses take turns, and the connections of one address keep their order. So
// connections of one address do not keep others waiting, however many they are.
//
// Each connection waits at most once, and an address is known while it has places or connections
// that wait. So the number of connections bounds the tables.
//
// No IO. Not thread-safe. A node that leaves a ReadGate (ReadGate::Leave) leaves this gate too.
class HandshakeGate {
 public:
  // The caller counts the time of handshakes with Spend.
  HandshakeGate(size_t handshakes_max, absl::Duration time_per_turn)
      : free_(handshakes_max), time_per_turn_(time_per_turn), time_left_(time_per_turn) {}
  HandshakeGate(const HandshakeGate&) = delete;
  HandshakeGate& operator=(const HandshakeGate&) = delete;

  // A turn begins, with new time.
  void BeginTurn() { time_left_ = time_per_turn_; }
  // A step of a handshake has taken this time.
  void Spend(absl::Duration time) { time_left_ -= time; }

  // Whether the handshake of `node`, which is of `address`, may begin: it has a place then. If not,
  // the node waits, and TakeNext returns it later. It must be in no gate.
  bool Admit(ReadNode* node, PeerAddress address) {
    Share& share = shares_[address];
    // Those that wait go first. If they have their share, TakeNext returns `node` in this turn.
    if (has_time() && round_.empty() && MayHavePlace(share)) {
      TakePlace(&share);
      return true;
    }
    share.waiting.push_back(*node);
    Queue(address, &share);
    return false;
  }

  // Whether the handshake of `node`, which has a place, may go on. If not, the node waits, and
  // TakeNext returns it later. It must be in no gate.
  bool GoOn(ReadNode* node) {
    if (has_time() && under_way_.empty()) return true;
    under_way_.push_back(*node);
    return false;
  }

  // A handshake of `address` has ended: its place is free.
  void Release(PeerAddress address) {
    ++free_;
    const auto found = shares_.find(address);
    Share& share = found->second;
    --share.places;
    if (share.places == 0 && !share.is_in_round) shares_.erase(found);
  }

  // Takes the node whose handshake is next: those that have a place before those that get one.
  // Null: the time of the turn is over, there is no place, or none waits.
  ReadNode* TakeNext() {
    if (!has_time()) return nullptr;
    if (!under_way_.empty()) return Take(&under_way_);
    // Those that it passes over have places. So their number is bounded.
    for (size_t left = free_ > 0 ? round_.size() : 0; left > 0; --left) {
      const PeerAddress address = round_.front();
      round_.pop_front();
      const auto found = shares_.find(address);
      Share& share = found->second;
      share.is_in_round = false;
      if (share.waiting.empty()) {  // its nodes have left
        if (share.places == 0) shares_.erase(found);
        continue;
      }
      if (!MayHavePlace(share)) {
        Queue(address, &share);
        continue;
      }
      ReadNode* const node = Take(&share.waiting);
      TakePlace(&share);
      if (!share.waiting.empty()) Queue(address, &share);
      return node;
    }
    return nullptr;
  }

  // Whether TakeNext may return a node in the next turn.
  bool has_next() const {
    if (!under_way_.empty()) return true;
    return free_ > 0 && std::any_of(round_.begin(), round_.end(), [this](PeerAddress address) {
             const Share& share = shares_.find(address)->second;
             return !share.waiting.empty() && MayHavePlace(share);
           });
  }
  // Whether connections wait for places that others have.
  bool is_crowded() const {
    return std::any_of(shares_.begin(), shares_.end(), [this](const auto& entry) {
      const Share& share = entry.second;
      return !share.waiting.empty() && !MayHavePlace(share);
    });
  }
  // The addresses that it knows.
  size_t addresses() const { return shares_.size(); }

 private:
  using List = boost::intrusive::list<ReadNode, boost::intrusive::constant_time_size<false>>;

  struct Share {
    size_t places = 0;
    bool is_in_round = false;
    List waiting;
  };

  bool has_time() const { return time_left_ > absl::ZeroDuration(); }
  bool MayHavePlace(const Share& share) const { return share.places < free_; }
  void TakePlace(Share* share) {
    --free_;
    ++share->places;
  }
  void Queue(PeerAddress address, Share* share) {
    if (share->is_in_round) return;
    share->is_in_round = true;
    round_.push_back(address);
  }
  static ReadNode* Take(List* list) {
    ReadNode* const node = &list->front();
    list->pop_front();
    return node;
  }

  size_t free_;
  const absl::Duration time_per_turn_;
  absl::Duration time_left_;
  std::unordered_map<PeerAddress, Share> shares_;
  // Addresses whose connections wait, or have left, each once.
  std::deque<PeerAddress> round_;
  List under_way_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_WEBSOCKET_SERVICE_CONNECTION_HANDSHAKE_GATE_H_
