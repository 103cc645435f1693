#include "services/channel/zmq/subscriptions.h"

#include <algorithm>
#include <utility>

#include "absl/status/statusor.h"
#include "services/channel/wire_content.h"

namespace groupcast::service {
namespace {

// The most that one feed, and all feeds together, hold while they are behind.
constexpr size_t kFeedHeldBytesMax = 1u << 20;
constexpr size_t kHeldBytesMax = 32u << 20;

}  // namespace

Subscriptions::Subscriptions(const ChannelClientOptions& options, const Clock* clock,
                             ChannelLinks* links, ChannelListener* listener)
    : options_(options), clock_(clock), links_(links), listener_(listener) {}

PublisherId Subscriptions::NextNonce() {
  // Odd steps visit every value before one comes again.
  constexpr uint64_t kStep = 0x9e3779b97f4a7c15;
  uint64_t nonce = 0;
  while (nonce == 0) nonce = static_cast<uint64_t>(options_.publisher) + ++nonces_ * kStep;
  return PublisherId{nonce};
}

Subscriptions::Subscription* Subscriptions::Find(absl::string_view group_id) {
  const auto found = subscriptions_.find(group_id);
  return found == subscriptions_.end() ? nullptr : &found->second;
}

void Subscriptions::Subscribe(absl::string_view group_id) {
  const auto [entry, is_new] = subscriptions_.try_emplace(group_id);
  if (!is_new) return;
  Subscription& subscription = entry->second;
  subscription.group_id = &entry->first;
  // A round that is under way need not visit it: its announcement has a newer head.
  subscription.round = round_;
  by_round_.push_back(subscription);
  subscription.nonce = NextNonce();
  Make(&subscription, 0);
}

void Subscriptions::Make(Subscription* subscription, size_t attempt) {
  ++subscription->times_subscribed;
  links_->Subscribe(TopicOf(*subscription->group_id));
  links_->Subscribe(ProofTopicOf(*subscription->group_id, subscription->nonce));
  WaitForProof(subscription, attempt);
}

void Subscriptions::WaitForProof(Subscription* subscription, size_t attempt) {
  subscription->Hook<WaitTag>::unlink();
  subscription->attempt = attempt;
  subscription->subscribe_again =
      clock_->Now() + options_.resubscribe_after * static_cast<int64_t>(1u << attempt);
  waiting_[attempt].push_back(*subscription);
}

void Subscriptions::SubscribeAgain(Subscription* subscription) {
  ++resubscribes_;
  subscription->announced = false;
  subscription->nonce = NextNonce();
  Make(subscription, 0);
}

void Subscriptions::Unsubscribe(absl::string_view group_id) {
  const auto found = subscriptions_.find(group_id);
  if (found == subscriptions_.end()) return;
  Subscription& subscription = found->second;
  if (!subscription.announced) links_->Unsubscribe(ProofTopicOf(group_id, subscription.nonce));
  const std::string topic = TopicOf(group_id);
  for (; subscription.times_subscribed > 0; --subscription.times_subscribed) {
    links_->Unsubscribe(topic);
  }
  held_bytes_ -= subscription.counted_bytes;
  subscription.ended = true;
  // It leaves the lists with its node.
  auto node = subscriptions_.extract(found);
  if (delivering_ == &subscription) ended_.push_back(std::move(node));
}

void Subscriptions::OnConnected() {
  List<WaitTag> all;
  for (List<WaitTag>& list : waiting_) all.splice(all.end(), list);
  while (!all.empty()) WaitForProof(&all.front(), 0);
}

void Subscriptions::Tick(bool connected) {
  if (!connected) return;
  const absl::Time now = clock_->Now();
  for (List<WaitTag>& list : waiting_) {
    while (!list.empty() && list.front().subscribe_again <= now) {
      Subscription* const subscription = &list.front();
      ++resubscribes_;
      // The nonce stays: the answer to an earlier attempt proves as much.
      links_->Unsubscribe(ProofTopicOf(*subscription->group_id, subscription->nonce));
      Make(subscription, std::min(subscription->attempt + 1, kAttempts - 1));
    }
  }
}

// ---- Feeds.

template <typename Work>
bool Subscriptions::WithFeed(Subscription* subscription, Work work) {
  delivering_ = subscription;
  work(&subscription->feed);
  delivering_ = nullptr;
  bool behind = false;
  if (!subscription->ended) {
    const size_t held = subscription->feed.held_bytes();
    held_bytes_ += held - std::exchange(subscription->counted_bytes, held);
    behind = subscription->feed.behind();
  }
  ended_.clear();
  return behind;
}

bool Subscriptions::OnMessage(const LiveFrame& frame, Epoch current) {
  Subscription* const subscription = Find(frame.group_id);
  if (subscription == nullptr) return false;
  const LiveHeader& header = frame.header;
  const size_t room = kHeldBytesMax - std::min(kHeldBytesMax, held_bytes_);
  const size_t held_max = std::min(kFeedHeldBytesMax, subscription->feed.held_bytes() + room);
  return WithFeed(subscription, [&](Feed* feed) {
    feed->OnMessage({header.epoch, header.offset}, header.previous, frame.body, current, held_max,
                    this);
  });
}

bool Subscriptions::OnAnnouncement(const LiveFrame& frame, Epoch current) {
  Subscription* const subscription = Find(frame.group_id);
  if (subscription == nullptr) return false;
  const Position head{frame.header.epoch, frame.header.offset};
  const bool was_warm = subscription->feed.warm();
  if (!subscription->announced && frame.header.publisher == subscription->nonce) {
    subscription->announced = true;
    subscription->Hook<WaitTag>::unlink();
    links_->Unsubscribe(ProofTopicOf(frame.group_id, subscription->nonce));
  } else if (!was_warm) {
    return false;
  }
  subscription->feed.OnHead(head, current);
  const bool behind = subscription->feed.behind();
  if (was_warm) return behind;
  // Views into the frame stay good, but the listener may unsubscribe, and subscribe again.
  listener_->OnSubscribed(frame.group_id, head);
  const Subscription* const still = Find(frame.group_id);
  return still != nullptr && still->feed.behind();
}

Subscriptions::Repaired Subscriptions::OnHistory(Subscription* subscription,
                                                 const channel::v1::History& history) {
  const Position head{Epoch{history.epoch()}, history.head()};
  const Position before = subscription->feed.position();
  Position after;
  const bool behind = WithFeed(subscription, [&](Feed* feed) {
    feed->OnHistoryBegin(head, history.floor(), this);
    for (const std::string& bytes : history.messages()) {
      const absl::StatusOr<LiveFrame> frame = ParseLiveFrame(bytes);
      if (!frame.ok()) {
        ++malformed_;
        continue;
      }
      feed->OnHistoryMessage({frame->header.epoch, frame->header.offset}, frame->header.previous,
                             frame->body, this);
    }
    feed->OnHistoryEnd(head, this);
    after = feed->position();
  });
  if (!behind) return Repaired::kInStep;
  return after == before ? Repaired::kStuck : Repaired::kBehind;
}

void Subscriptions::Deliver(const Position& position, uint64_t previous, absl::string_view body) {
  if (delivering_->ended) return;
  Message message{.group_id = *delivering_->group_id,
                  .epoch = position.epoch,
                  .offset = position.offset,
                  .previous = previous};
  if (!ContentFromWire(body, &incoming_, &message.content)) {
    // It has its place, but this version cannot read it. The listener gets that loss as a gap.
    ++malformed_;
    Tell({.from = previous, .to = position});
    return;
  }
  listener_->OnMessage(message);
}

void Subscriptions::Tell(const Gap& gap) {
  if (delivering_->ended) return;
  ++gaps_;
  listener_->OnGap(*delivering_->group_id, gap);
}

// ---- Rounds.

void Subscriptions::StartRound() { ++round_; }

Subscriptions::Subscription* Subscriptions::NextOfRound() {
  if (by_round_.empty() || by_round_.front().round == round_) return nullptr;
  Subscription* const next = &by_round_.front();
  next->round = round_;
  by_round_.splice(by_round_.end(), by_round_, by_round_.begin());
  return next;
}

}  // namespace groupcast::service
