#include "services/websocket_service/connection/read_gate.h"

#include <utility>

namespace groupcast::service {

bool ReadGate::Admit(ReadNode* node, size_t unfinished_bytes) {
  List& list = unfinished_bytes > 0 ? unfinished_ : others_;
  const bool is_open = unfinished_bytes > 0 ? IsOpenForUnfinished() : IsOpenForOthers();
  if (is_open && list.empty()) return true;
  node->unfinished_bytes_ = unfinished_bytes;
  waiting_bytes_ += unfinished_bytes;
  list.push_back(*node);
  return false;
}

ReadNode* ReadGate::TakeNext() {
  if (!has_next()) return nullptr;
  ReadNode* const node = &(has_next_unfinished() ? unfinished_ : others_).front();
  Leave(node);
  return node;
}

void ReadGate::Leave(ReadNode* node) {
  if (!node->waits_to_be_read()) return;
  List& list = node->unfinished_bytes_ > 0 ? unfinished_ : others_;
  list.erase(list.iterator_to(*node));
  waiting_bytes_ -= std::exchange(node->unfinished_bytes_, 0);
}

}  // namespace groupcast::service
