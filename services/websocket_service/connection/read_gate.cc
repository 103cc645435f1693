#include "services/websocket_service/connection/read_gate.h"

#include <utility>

namespace groupcast::service {

bool ReadGate::Admit(ReadNode* node, size_t unfinished_bytes, bool beyond_share,
                     size_t unseen_bytes) {
  Order& order = unfinished_bytes > 0 ? unfinished_ : others_;
  const bool is_open = unfinished_bytes > 0 ? IsOpenForUnfinished() : IsOpenForOthers();
  if (is_open && !order.HasBefore(beyond_share)) return true;
  Add(node, unfinished_bytes, &order.queue(beyond_share));
  node->unseen_bytes_ = static_cast<uint32_t>(unseen_bytes);
  unseen_bytes_ += unseen_bytes;
  return false;
}

void ReadGate::WaitForTurn(ReadNode* node, size_t unfinished_bytes, bool beyond_share) {
  Add(node, unfinished_bytes, &turns_.queue(beyond_share));
}

ReadNode* ReadGate::TakeDue() {
  if (due_.empty()) return nullptr;
  ReadNode* const node = &due_.front();
  Leave(node);
  return node;
}

void ReadGate::Add(ReadNode* node, size_t unfinished_bytes, List* list) {
  node->unfinished_bytes_ = static_cast<uint32_t>(unfinished_bytes);
  waiting_bytes_ += unfinished_bytes;
  list->push_back(*node);
}

ReadNode* ReadGate::TakeNext() {
  if (!has_next()) return nullptr;
  return Take(has_next_unfinished() ? &unfinished_ : &others_);
}

ReadNode* ReadGate::Take(Order* order) {
  List* const list = order->Next();
  order->OnTake(list);
  ReadNode* const node = &list->front();
  Leave(node);
  return node;
}

void ReadGate::Leave(ReadNode* node) {
  if (!node->waits_to_be_read()) return;
  // A list without a count lets go of an element of any list.
  List& any = turns_.queue(/*beyond=*/false);
  any.erase(any.iterator_to(*node));
  waiting_bytes_ -= std::exchange(node->unfinished_bytes_, 0);
  unseen_bytes_ -= std::exchange(node->unseen_bytes_, 0);
}

}  // namespace groupcast::service
