#include "services/websocket_service/connection/read_gate.h"

#include <algorithm>
#include <utility>

namespace groupcast::service {

bool ReadGate::Admit(ReadNode* node, size_t unfinished_bytes, bool beyond_share,
                     size_t unseen_bytes) {
  Order& order = unfinished_bytes > 0 ? unfinished_ : others_;
  // With fewer bytes than it had, it is another message.
  const std::optional<size_t> before = EndFinishing(node);
  const bool goes_on = before.has_value() && unfinished_bytes >= *before;
  const bool is_open = unfinished_bytes > 0 ? IsOpenForUnfinished() : IsOpenForOthers();
  if (is_open && (goes_on || !order.HasBefore(beyond_share))) {
    if (unfinished_bytes > 0 && !IsOpenForOthers()) BeginFinishing(node, unfinished_bytes);
    return true;
  }
  Add(node, unfinished_bytes, &order.queue(beyond_share));
  node->unseen_bytes_ = static_cast<uint32_t>(unseen_bytes) & 0x7fffffff;
  unseen_bytes_ += unseen_bytes;
  return false;
}

void ReadGate::WaitForTurn(ReadNode* node, size_t unfinished_bytes, bool beyond_share) {
  Add(node, unfinished_bytes, &turns_.queue(beyond_share));
}

ReadNode* ReadGate::TakeDue() {
  if (due_.empty()) return nullptr;
  ReadNode* const node = &due_.front();
  Unlink(node);
  return node;
}

void ReadGate::Add(ReadNode* node, size_t unfinished_bytes, List* list) {
  node->unfinished_bytes_ = static_cast<uint32_t>(unfinished_bytes);
  waiting_bytes_ += unfinished_bytes;
  list->push_back(*node);
}

ReadNode* ReadGate::TakeNext() {
  if (!has_next()) return nullptr;
  if (!has_next_unfinished()) return Take(&others_);
  const bool is_at_bound = !IsOpenForOthers();
  const size_t bytes = unfinished_.Next()->front().unfinished_bytes_;
  ReadNode* const node = Take(&unfinished_);
  if (is_at_bound) BeginFinishing(node, bytes);
  return node;
}

ReadNode* ReadGate::Take(Order* order) {
  List* const list = order->Next();
  order->OnTake(list);
  ReadNode* const node = &list->front();
  Unlink(node);
  return node;
}

void ReadGate::BeginFinishing(ReadNode* node, size_t unfinished_bytes) {
  EndFinishing(node);
  node->is_finisher_ = 1;
  finishers_.push_back({.node = node, .bytes = unfinished_bytes, .idle_looks = 0});
}

std::optional<size_t> ReadGate::EndFinishing(ReadNode* node) {
  if (node->is_finisher_ == 0) return std::nullopt;
  node->is_finisher_ = 0;
  const auto found = std::find_if(finishers_.begin(), finishers_.end(),
                                  [&](const Finisher& finisher) { return finisher.node == node; });
  const size_t bytes = found->bytes;
  finishers_.erase(found);
  return bytes;
}

void ReadGate::LookAtFinishers() {
  std::vector<ReadNode*> idle;
  for (Finisher& finisher : finishers_) {
    if (finisher.node->waits_to_be_read()) continue;  // for its turn, and not for its peer
    if (++finisher.idle_looks >= kIdleLooksMax) idle.push_back(finisher.node);
  }
  for (ReadNode* const node : idle) EndFinishing(node);
}

void ReadGate::Leave(ReadNode* node) {
  EndFinishing(node);
  Unlink(node);
}

void ReadGate::Unlink(ReadNode* node) {
  if (!node->waits_to_be_read()) return;
  // A list without a count lets go of an element of any list.
  List& any = turns_.queue(/*beyond=*/false);
  any.erase(any.iterator_to(*node));
  waiting_bytes_ -= std::exchange(node->unfinished_bytes_, 0);
  unseen_bytes_ -= node->unseen_bytes_;
  node->unseen_bytes_ = 0;
}

}  // namespace groupcast::service
