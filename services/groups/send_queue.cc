#include "services/groups/send_queue.h"

namespace groupcast::service {

std::optional<SendQueue::Weight> SendQueue::Admit(Member* member, const PublicationsSize& size) {
  if (member->waits_for_room) return std::nullopt;
  Order& order = WeightOf(size) == Weight::kHeavy ? heavy_ : light_;
  const bool beyond = member->input_share.is_exceeded();
  const bool is_its_turn = std::exchange(going_on_, nullptr) == member || !order.HasBefore(beyond);
  if (is_its_turn && MayGo(size)) return CountAdmitted(size);
  member->waits_for_room = true;
  order.queue(beyond).push_back({member, size});
  return std::nullopt;
}

std::optional<SendQueue::Weight> SendQueue::AdmitAtOnce(const PublicationsSize& size) {
  if (!has_room_(size)) return std::nullopt;
  return CountAdmitted(size);
}

SendQueue::Weight SendQueue::CountAdmitted(const PublicationsSize& size) {
  const Weight weight = WeightOf(size);
  if (weight == Weight::kHeavy) {
    heavy_in_flight_ += size.bytes;
    heavy_waits_for_room_ = false;
    light_turn_ = 0;
  } else if (heavy_waits_for_room_) {
    light_turn_ += size.bytes;
  }
  return weight;
}

bool SendQueue::MayGo(const PublicationsSize& size) {
  if (WeightOf(size) == Weight::kLight) {
    const bool is_heavy_turn = heavy_waits_for_room_ && light_turn_ >= options_.light_turn_bytes;
    return !is_heavy_turn && has_room_(size);
  }
  if (connected_ && heavy_in_flight_ > 0 &&
      heavy_in_flight_ + size.bytes > options_.heavy_in_flight_max) {
    return false;
  }
  if (has_room_(size)) return true;
  heavy_waits_for_room_ = true;
  return false;
}

SendQueue::Order* SendQueue::Next() {
  for (Order* order : {&light_, &heavy_}) {
    const Queue* const queue = order->Next();
    if (queue != nullptr && MayGo(queue->front().size)) return order;
  }
  return nullptr;
}

void SendQueue::GoOn() {
  // A resumed send may have its result at once, and call this again: the loop below goes on for it.
  if (std::exchange(goes_on_, true)) return;
  if (heavy_.empty()) heavy_waits_for_room_ = false;
  while (Order* const order = Next()) {
    Queue* const queue = order->Next();
    order->OnTake(queue);
    Resume(queue);
    if (heavy_.empty()) heavy_waits_for_room_ = false;
  }
  goes_on_ = false;
}

void SendQueue::Resume(Queue* queue) {
  Member* const member = queue->front().member;
  queue->pop_front();
  member->waits_for_room = false;
  going_on_ = member;
  member->ResumeCommands();
  going_on_ = nullptr;
}

void SendQueue::ReleaseAll() {
  for (Order* order : {&light_, &heavy_}) {
    for (const bool beyond : {false, true}) Release(&order->queue(beyond));
  }
}

void SendQueue::Release(Queue* queue) {
  for (size_t left = queue->size(); left > 0 && !queue->empty(); --left) Resume(queue);
}

void SendQueue::Remove(Member* member) {
  if (!std::exchange(member->waits_for_room, false)) return;
  const auto is_its = [member](const Entry& entry) { return entry.member == member; };
  for (Order* order : {&light_, &heavy_}) {
    for (const bool beyond : {false, true}) {
      if (std::erase_if(order->queue(beyond), is_its) > 0) return;
    }
  }
}

}  // namespace groupcast::service
