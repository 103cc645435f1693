#include "services/channel_server/broker/announcements.h"

#include <algorithm>
#include <utility>

namespace groupcast::service {

void Announcements::SendWaiting(const Send& send) {
  found_no_room_ = false;
  size_t misses = 0;
  for (size_t left = std::min(waiting_.size(), kPerTurnMax); left > 0 && misses < kMissesMax;
       --left) {
    Entry entry = std::move(waiting_.front());
    waiting_.pop_front();
    if (entry.nonce != PublisherId{} && !proofs_.contains(entry.nonce)) continue;
    if (send(entry)) {
      proofs_.erase(entry.nonce);
      continue;
    }
    ++misses;
    waiting_.push_back(std::move(entry));
  }
  if (misses > 0) found_no_room_ = true;
}

void Announcements::SendNew(const Send& send, const Visit& dropped) {
  size_t tries = 0;
  for (Entry& entry : new_) {
    if (tries++ < kPerTurnMax) {
      if (send(entry)) {
        proofs_.erase(entry.nonce);
        continue;
      }
      found_no_room_ = true;
    }
    Wait(std::move(entry), dropped);
  }
  new_.clear();
}

void Announcements::Postpone(const Visit& dropped) {
  found_no_room_ = false;
  for (Entry& entry : new_) {
    if (entry.nonce == PublisherId{}) {
      waiting_.push_back(std::move(entry));
    } else {
      dropped(entry);
    }
  }
  new_.clear();
}

void Announcements::EraseIf(const std::function<bool(const Entry&)>& is_gone) {
  const auto erase = [&](const Entry& entry) {
    if (!is_gone(entry)) return false;
    proofs_.erase(entry.nonce);
    return true;
  };
  std::erase_if(new_, erase);
  std::erase_if(waiting_, erase);
}

void Announcements::Wait(Entry entry, const Visit& dropped) {
  if (entry.nonce != PublisherId{}) {
    // It waits already: its worker has asked again.
    if (proofs_.contains(entry.nonce)) return;
    if (proofs_.size() >= kProofsWaitingMax) return dropped(entry);
    proofs_.insert(entry.nonce);
  }
  waiting_.push_back(std::move(entry));
}

}  // namespace groupcast::service
