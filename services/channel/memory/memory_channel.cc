#include "services/channel/memory/memory_channel.h"

#include <algorithm>
#include <optional>
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

void MemoryHub::RaiseFloor(absl::string_view group_id, uint64_t offset) {
  Group& group = groups_[group_id];
  group.floor = std::max(group.floor, offset);
  group.head = std::max(group.head, offset);
  std::erase_if(group.messages,
                [&](const History::Entry& entry) { return entry.offset <= group.floor; });
}

void MemoryHub::BeginEpoch(Epoch epoch) {
  epoch_ = epoch;
  last_offset_ = 0;
  groups_.clear();
  keys_.clear();
  for (MemoryChannel* channel : channels_) {
    for (const auto& [id, subscription] : channel->subscriptions_) channel->DeliverLater(id);
  }
}

Position MemoryHub::Take(Waiting publication) {
  if (!publication.key.empty()) {
    if (const auto found = keys_.find(publication.key); found != keys_.end()) return found->second;
  }
  Group& group = groups_[publication.group_id];
  const uint64_t offset = 1 + (groups_count_alone_ ? group.head : last_offset_++);
  publication.entry.offset = offset;
  publication.entry.previous = group.head;
  group.head = offset;
  group.messages.push_back(std::move(publication.entry));
  if (group.messages.size() > kept_max_) {
    group.floor = group.messages.front().offset;
    group.messages.erase(group.messages.begin());
  }
  const Position position{epoch_, offset};
  if (!publication.key.empty()) keys_[publication.key] = position;
  for (MemoryChannel* channel : channels_) channel->DeliverLater(publication.group_id);
  return position;
}

MemoryChannel::MemoryChannel(MemoryHub* hub, ChannelListener* listener)
    : hub_(hub),
      listener_(listener),
      presence_(&hub->presences_,
                [hub](std::function<void()> work) { hub->Later(std::move(work)); }),
      self_(std::make_shared<MemoryChannel*>(this)) {
  hub_->channels_.push_back(this);
}

MemoryChannel::~MemoryChannel() {
  *self_ = nullptr;
  std::erase(hub_->channels_, this);
}

void MemoryChannel::Publish(const Publication& publication, PublishCallback done) {
  const bool is_promised = promised_ > 0;
  if (is_promised) --promised_;
  if (publication.content.data.size() > hub_->message_bytes_max_) {
    hub_->Later([self = self_, done = std::move(done)] {
      if (*self != nullptr) done(absl::ResourceExhaustedError("too large"));
    });
    return;
  }
  if (!is_promised && !HasRoomForNumber(1)) {
    hub_->Later([self = self_, done = std::move(done)] {
      if (*self != nullptr) done(absl::UnavailableError("no room"));
    });
    return;
  }
  const Content& content = publication.content;
  waiting_.push_back({.group_id = std::string(publication.group_id),
                      .entry = {.kind = content.kind,
                                .data = std::string(content.data),
                                .sent_at_ms = content.sent_at_ms,
                                .excluded_session = content.excluded_session,
                                .from = std::string(content.from)},
                      .key = publication.key,
                      .done = std::move(done)});
  if (!connected_) return;
  MemoryHub::Waiting taken = std::move(waiting_.back());
  waiting_.pop_back();
  PublishCallback answer = std::move(taken.done);
  const Position position = hub_->Take(std::move(taken));
  hub_->Later([self = self_, answer = std::move(answer), position] {
    if (*self != nullptr) answer(position);
  });
}

bool MemoryChannel::HasRoomFor(const PublicationsSize& size) {
  const bool has_room = HasRoomForNumber(size.count);
  promised_ = has_room ? size.count : 0;
  if (!has_room) wanted_room_ = std::min(wanted_room_.value_or(size.count), size.count);
  return has_room;
}

bool MemoryChannel::HasRoomForNumber(size_t publications) const {
  return room_ && (waiting_.empty() || waiting_.size() + publications <= waiting_max_);
}

void MemoryChannel::TellRoom() {
  if (!wanted_room_.has_value() || !HasRoomForNumber(*wanted_room_)) return;
  wanted_room_.reset();
  hub_->Later([self = self_] {
    if (*self != nullptr) (*self)->listener_->OnRoom();
  });
}

void MemoryChannel::Subscribe(absl::string_view group_id) {
  const std::string id(group_id);
  subscriptions_[id] = {.position = hub_->HeadOf(id), .placed = connected_};
  DeliverLater(id);
}

void MemoryChannel::Unsubscribe(absl::string_view group_id) { subscriptions_.erase(group_id); }

void MemoryChannel::FetchHistory(absl::string_view group_id, const Position& after, uint32_t newest,
                                 HistoryCallback done) {
  ++fetches_;
  if (!connected_) {
    hub_->Later([self = self_, done = std::move(done)] {
      if (*self != nullptr) done(absl::UnavailableError("not connected"));
    });
    return;
  }
  const MemoryHub::Group& group = hub_->groups_[group_id];
  History history{.head = {hub_->epoch_, group.head}, .floor = group.floor};
  const uint64_t from = after.epoch == hub_->epoch_ ? after.offset : 0;
  for (const History::Entry& entry : group.messages) {
    if (entry.offset > from) history.messages.push_back(entry);
  }
  std::vector<History::Entry>& messages = history.messages;
  const size_t most = newest == 0 ? hub_->answer_max_ : std::min<size_t>(newest, hub_->answer_max_);
  if (messages.size() > most) {
    newest == 0 ? messages.erase(messages.begin() + static_cast<ptrdiff_t>(most), messages.end())
                : messages.erase(messages.begin(), messages.end() - static_cast<ptrdiff_t>(most));
  }
  Answer answer{.history = std::move(history), .done = std::move(done)};
  answers_are_held_ ? held_answers_.push_back(std::move(answer)) : Finish(std::move(answer));
}

void MemoryChannel::Finish(Answer answer) {
  hub_->Later([self = self_, answer = std::move(answer)] {
    if (*self != nullptr) answer.done(answer.history);
  });
}

void MemoryChannel::SetConnected(bool connected) {
  if (connected == connected_) return;
  connected_ = connected;
  presence_.SetConnected(connected);
  hub_->Later([self = self_, connected] {
    if (*self != nullptr) (*self)->listener_->OnConnectionState(connected);
  });
  if (!connected) {
    for (Answer& answer : std::exchange(held_answers_, {})) {
      hub_->Later([self = self_, done = std::move(answer.done)] {
        if (*self != nullptr) done(absl::UnavailableError("the connection was lost"));
      });
    }
    return;
  }
  for (auto& [id, subscription] : subscriptions_) {
    if (!subscription.placed) subscription.position = hub_->HeadOf(id);
    subscription.placed = true;
    DeliverLater(id);
  }
  for (MemoryHub::Waiting& publication : std::exchange(waiting_, {})) {
    PublishCallback done = std::move(publication.done);
    const Position position = hub_->Take(std::move(publication));
    hub_->Later([self = self_, done = std::move(done), position] {
      if (*self != nullptr) done(position);
    });
  }
  TellRoom();
}

void MemoryChannel::FailWaiting(const absl::Status& why) {
  for (MemoryHub::Waiting& publication : std::exchange(waiting_, {})) {
    hub_->Later([self = self_, done = std::move(publication.done), why] {
      if (*self != nullptr) done(why);
    });
  }
  TellRoom();
}

void MemoryChannel::SetRoom(bool room) {
  room_ = room;
  TellRoom();
}

void MemoryChannel::HoldMessages(bool hold) {
  messages_are_held_ = hold;
  if (hold) return;
  for (const auto& [id, subscription] : subscriptions_) DeliverLater(id);
}

void MemoryChannel::HoldAnswers(bool hold) {
  answers_are_held_ = hold;
  if (hold) return;
  for (Answer& answer : std::exchange(held_answers_, {})) Finish(std::move(answer));
}

void MemoryChannel::TellGap(absl::string_view group_id, const Gap& gap) {
  hub_->Later([self = self_, id = std::string(group_id), gap] {
    if (*self == nullptr) return;
    const auto found = (*self)->subscriptions_.find(id);
    if (found == (*self)->subscriptions_.end()) return;
    found->second.position = gap.to;
    (*self)->listener_->OnGap(id, gap);
  });
}

void MemoryChannel::DeliverLater(const std::string& group_id) {
  hub_->Later([self = self_, group_id] {
    if (*self != nullptr) (*self)->Deliver(group_id);
  });
}

// Makes the next calls of the listener for a subscription, until there are none. It looks
// everything up again each time, because the listener may do anything.
void MemoryChannel::Deliver(const std::string& group_id) {
  while (connected_ && !messages_are_held_) {
    const auto found = subscriptions_.find(group_id);
    if (found == subscriptions_.end()) return;
    Subscription& subscription = found->second;
    const MemoryHub::Group& group = hub_->groups_[group_id];
    if (!subscription.announced) {
      subscription.announced = true;
      listener_->OnSubscribed(group_id, subscription.position);
      continue;
    }
    const bool new_epoch = subscription.position.epoch != hub_->epoch_;
    if (new_epoch || subscription.position.offset < group.floor) {
      const Gap gap{.new_epoch = new_epoch,
                    .from = new_epoch ? 0 : subscription.position.offset,
                    .to = {hub_->epoch_, group.floor}};
      subscription.position = gap.to;
      listener_->OnGap(group_id, gap);
      continue;
    }
    const auto next = std::find_if(
        group.messages.begin(), group.messages.end(),
        [&](const auto& entry) { return entry.offset > subscription.position.offset; });
    if (next == group.messages.end()) return;
    subscription.position.offset = next->offset;
    // A copy, because the listener may publish.
    const History::Entry entry = *next;  // NOLINT(performance-unnecessary-copy-initialization)
    listener_->OnMessage({.group_id = group_id,
                          .epoch = hub_->epoch_,
                          .offset = entry.offset,
                          .previous = entry.previous,
                          .content = {.kind = entry.kind,
                                      .data = entry.data,
                                      .sent_at_ms = entry.sent_at_ms,
                                      .excluded_session = entry.excluded_session,
                                      .from = entry.from}});
  }
}

}  // namespace groupcast::service
