#include "services/channel/memory/memory_channel.h"

#include <algorithm>
#include <utility>

namespace groupcast::service {

bool MemoryHub::Pump() {
  bool any = false;
  while (!queue_.empty()) {
    any = true;
    std::vector<std::function<void()>> events;
    events.swap(queue_);
    for (const std::function<void()>& event : events) event();
  }
  return any;
}

MemoryChannel::MemoryChannel(MemoryHub* hub, ChannelListener* listener)
    : hub_(hub), listener_(listener), self_(std::make_shared<MemoryChannel*>(this)) {}

MemoryChannel::~MemoryChannel() {
  *self_ = nullptr;
  for (auto& [id, group] : hub_->groups_) std::erase(group.subscribers, this);
}

void MemoryChannel::Publish(absl::string_view group_id, const Content& content,
                            PublishCallback done) {
  if (!connected_) {
    hub_->Later([done = std::move(done)] { done(absl::UnavailableError("not connected")); });
    return;
  }
  MemoryHub::Group& group = hub_->groups_[group_id];
  const uint64_t offset = ++hub_->last_offset_;
  const History::Entry& entry =
      group.messages.emplace_back(History::Entry{.offset = offset,
                                                 .previous = group.head,
                                                 .kind = content.kind,
                                                 .data = std::string(content.data),
                                                 .sent_at_ms = content.sent_at_ms});
  group.head = offset;
  for (MemoryChannel* subscriber : group.subscribers) {
    hub_->Later([self = subscriber->self_, id = std::string(group_id), entry] {
      if (*self != nullptr) (*self)->Deliver(id, entry);
    });
  }
  hub_->Later([self = self_, done = std::move(done), position = Position{hub_->epoch_, offset}] {
    if (*self != nullptr) done(position);
  });
}

void MemoryChannel::Subscribe(absl::string_view group_id) {
  const std::string id(group_id);
  if (!subscriptions_.insert(id).second) return;
  hub_->groups_[id].subscribers.push_back(this);
  Announce(id);
}

void MemoryChannel::Unsubscribe(absl::string_view group_id) {
  if (subscriptions_.erase(group_id) == 0) return;
  std::erase(hub_->groups_[group_id].subscribers, this);
}

void MemoryChannel::FetchHistory(absl::string_view group_id, uint64_t after, uint32_t limit,
                                 HistoryCallback done) {
  if (!connected_) {
    hub_->Later([done = std::move(done)] { done(absl::UnavailableError("not connected")); });
    return;
  }
  History history;
  const MemoryHub::Group& group = hub_->groups_[group_id];
  history.head = {hub_->epoch_, group.head};
  for (const History::Entry& entry : group.messages) {
    if (entry.offset > after) history.messages.push_back(entry);
  }
  if (limit != 0 && history.messages.size() > limit) {
    const size_t left_out = history.messages.size() - limit;
    history.floor = history.messages[left_out - 1].offset;
    history.messages.erase(history.messages.begin(), history.messages.begin() + left_out);
  }
  hub_->Later([done = std::move(done), history = std::move(history)] { done(history); });
}

void MemoryChannel::SetConnected(bool connected) {
  if (connected == connected_) return;
  connected_ = connected;
  hub_->Later([self = self_, connected] {
    if (*self != nullptr) (*self)->listener_->OnConnectionState(connected);
  });
  if (!connected) return;
  for (const std::string& id : subscriptions_) Announce(id);
}

void MemoryChannel::Deliver(absl::string_view group_id, const History::Entry& entry) {
  if (!connected_ || !subscriptions_.contains(group_id)) return;
  listener_->OnMessage(
      {.group_id = group_id,
       .epoch = hub_->epoch_,
       .offset = entry.offset,
       .previous = entry.previous,
       .content = {.kind = entry.kind, .data = entry.data, .sent_at_ms = entry.sent_at_ms}});
}

void MemoryChannel::Announce(const std::string& group_id) {
  // The head of this moment: what was queued before is part of it, what is queued later comes after
  // it.
  hub_->Later(
      [self = self_, group_id, head = Position{hub_->epoch_, hub_->groups_[group_id].head}] {
        if (*self == nullptr || !(*self)->connected_) return;
        if ((*self)->subscriptions_.contains(group_id)) (*self)->listener_->OnHead(group_id, head);
      });
}

}  // namespace groupcast::service
