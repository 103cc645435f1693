#include "services/groups/send_queue.h"

namespace groupcast::service {

std::optional<SendQueue::Weight> SendQueue::Admit(Member* member, const PublicationsSize& size) {
  if (member->waits_for_room) return std::nullopt;
  Queue& queue = WeightOf(size) == Weight::kHeavy ? heavy_ : light_;
  const bool is_its_turn = std::exchange(going_on_, nullptr) == member || queue.empty();
  if (is_its_turn && MayGo(size)) return CountAdmitted(size);
  member->waits_for_room = true;
  queue.push_back({member, size});
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

SendQueue::Queue* SendQueue::Next() {
  for (Queue* queue : {&light_, &heavy_}) {
    if (!queue->empty() && MayGo(queue->front().size)) return queue;
  }
  return nullptr;
}

void SendQueue::GoOn() {
  if (heavy_.empty()) heavy_waits_for_room_ = false;
  while (Queue* const queue = Next()) Resume(queue);
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
  for (size_t left = light_.size(); left > 0 && !light_.empty(); --left) Resume(&light_);
  for (size_t left = heavy_.size(); left > 0 && !heavy_.empty(); --left) Resume(&heavy_);
}

void SendQueue::Remove(Member* member) {
  if (!std::exchange(member->waits_for_room, false)) return;
  const auto is_its = [member](const Entry& entry) { return entry.member == member; };
  if (std::erase_if(light_, is_its) == 0) std::erase_if(heavy_, is_its);
}

}  // namespace groupcast::service
