#ifndef GROUPCAST_SERVICES_WEBSOCKET_SERVICE_CONNECTION_HANDSHAKE_GATE_H_
#define GROUPCAST_SERVICES_WEBSOCKET_SERVICE_CONNECTION_HANDSHAKE_GATE_H_

#include <cstddef>

#include "boost/intrusive/list.hpp"
#include "services/websocket_service/connection/read_gate.h"

namespace groupcast::service {

// Bounds the TLS handshakes that are under way. Each one takes up to some 150 KB, as its client
// likes, and a connection whose handshake has not begun takes hardly any memory. So above the bound
// connections wait in the order of their arrival. Each waits at most once: the number of
// connections bounds the queue.
//
// No IO. Not thread-safe. A node that leaves a ReadGate (ReadGate::Leave) leaves this gate too.
class HandshakeGate {
 public:
  explicit HandshakeGate(size_t handshakes_max) : free_(handshakes_max) {}
  HandshakeGate(const HandshakeGate&) = delete;
  HandshakeGate& operator=(const HandshakeGate&) = delete;

  // Whether the handshake of `node` may begin: it has a place then. If not, the node waits, and
  // TakeNext returns it later. It must be in no gate.
  bool Admit(ReadNode* node) {
    if (free_ == 0 || !waiting_.empty()) {
      waiting_.push_back(*node);
      return false;
    }
    --free_;
    return true;
  }

  // A handshake has ended: its place is free.
  void Release() { ++free_; }

  // Gives a free place to the node that waits longest. Null: there is no place, or none waits.
  ReadNode* TakeNext() {
    if (free_ == 0 || waiting_.empty()) return nullptr;
    --free_;
    ReadNode* const node = &waiting_.front();
    waiting_.pop_front();
    return node;
  }

  bool has_waiting() const { return !waiting_.empty(); }

 private:
  size_t free_;
  boost::intrusive::list<ReadNode, boost::intrusive::constant_time_size<false>> waiting_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_WEBSOCKET_SERVICE_CONNECTION_HANDSHAKE_GATE_H_
