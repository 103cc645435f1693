#include "services/channel/memory/memory_presence.h"

#include <optional>
#include <utility>

namespace groupcast::service {

MemoryPresence::MemoryPresence(All* all, std::function<void(std::function<void()>)> later)
    : all_(all), later_(std::move(later)), self_(std::make_shared<MemoryPresence*>(this)) {
  all_->push_back(this);
}

MemoryPresence::~MemoryPresence() {
  *self_ = nullptr;
  std::erase(*all_, this);
  // Its members are gone.
  for (MemoryPresence* const other : *all_) {
    for (const auto& [group_id, watched] : other->watched_) other->LookLater(group_id);
  }
}

void MemoryPresence::SetConnected(bool connected) {
  connected_ = connected;
  for (auto& [group_id, watched] : watched_) {
    if (!connected) watched.complete = false;
    if (connected) LookLater(group_id);
  }
}

void MemoryPresence::Watch(absl::string_view group_id) {
  if (!watched_.contains(group_id) && !HasRoomToWatch()) {
    later_([self = self_, id = std::string(group_id)] {
      if (*self == nullptr || (*self)->listener_ == nullptr) return;
      (*self)->listener_->OnWatchRefused(id, absl::UnavailableError("too many groups are watched"));
    });
    return;
  }
  if (watched_.emplace(group_id, Watched{}).second) LookLater(group_id);
}

void MemoryPresence::Unwatch(absl::string_view group_id) {
  if (const auto found = watched_.find(group_id); found != watched_.end()) watched_.erase(found);
}

const PresenceView* MemoryPresence::View(absl::string_view group_id) const {
  const auto found = watched_.find(group_id);
  return found == watched_.end() || !found->second.complete ? nullptr : &found->second.view;
}

void MemoryPresence::OnJoin(absl::string_view group_id, uint64_t) { LookLater(group_id); }

void MemoryPresence::OnLeave(absl::string_view group_id, uint64_t, bool) { LookLater(group_id); }

void MemoryPresence::LookLater(absl::string_view group_id) {
  for (MemoryPresence* const one : *all_) {
    if (!one->watched_.contains(group_id)) continue;
    later_([self = one->self_, id = std::string(group_id)] {
      if (*self != nullptr) (*self)->Look(id);
    });
  }
}

PresenceView MemoryPresence::MembersNow(const std::string& group_id) const {
  PresenceView members;
  for (const MemoryPresence* const one : *all_) {
    if (one->listener_ == nullptr) continue;
    for (const uint64_t id : one->listener_->MembersOf(group_id)) {
      std::optional<PresentMember> member = one->listener_->FindMember(group_id, id);
      if (!member.has_value()) continue;
      member->identity = member->session = {};
      members.emplace(id, *std::move(member));
    }
  }
  return members;
}

void MemoryPresence::Look(const std::string& group_id) {
  const auto found = watched_.find(group_id);
  if (found == watched_.end() || !connected_ || listener_ == nullptr) return;
  const PresenceView before = std::exchange(found->second.view, MembersNow(group_id));
  const PresenceView now = found->second.view;
  const bool was_complete = found->second.was_complete;
  const bool completes = !std::exchange(found->second.complete, true);
  found->second.was_complete = true;
  // The listener may end the watch in each call.
  const std::shared_ptr<MemoryPresence*> self = self_;
  const auto goes_on = [&] { return *self != nullptr && watched_.contains(group_id); };
  for (const auto& [id, member] : before) {
    if (was_complete && goes_on() && !now.contains(id)) listener_->OnMemberLeft(group_id, member);
  }
  for (const auto& [id, member] : now) {
    if (was_complete && goes_on() && !before.contains(id)) {
      listener_->OnMemberJoined(group_id, member);
    }
  }
  if (completes && goes_on()) listener_->OnViewComplete(group_id);
}

}  // namespace groupcast::service
