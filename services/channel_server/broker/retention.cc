#include "services/channel_server/broker/retention.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "services/channel/group_id.h"

namespace groupcast::service {
namespace {

// The cost of a retained message besides its frame: its block, its slot, and its group if it is the
// only message there.
constexpr uint32_t kOverheadBytes = 256;

// A shorter body is not worth a comparison: the bookkeeping costs more.
constexpr size_t kSharedBytesMin = 256;

// Null: it is the last one.
template <typename List, typename Message>
Message* NextIn(List& list, Message& message) {
  const auto next = ++list.iterator_to(message);
  return next == list.end() ? nullptr : &*next;
}

}  // namespace

absl::Duration LongestKept(const RetentionOptions& options) {
  absl::Duration longest = std::max(options.history_age_max, options.repair_retention);
  for (const auto& [prefix, history] : options.histories) {
    longest = std::max(longest, history.age_max);
  }
  return longest;
}

Retention::Retention(const RetentionOptions& options, Listener* listener)
    : options_(options),
      listener_(listener),
      bounds_(MakeBounds(options.history_messages_max, options.history_age_max)),
      reserved_bounds_(MakeBounds(0, absl::ZeroDuration())) {
  std::vector<std::pair<std::string, Bounds>> bounds;
  for (const auto& [prefix, history] : options.histories) {
    bounds.emplace_back(prefix, MakeBounds(history.messages_max, history.age_max));
  }
  bounds_by_prefix_ = PrefixMap<Bounds>(std::move(bounds));
}

Retention::Bounds Retention::MakeBounds(size_t messages_max, absl::Duration age_max) {
  const absl::Duration age = std::max(age_max, options_.repair_retention);
  auto kept = std::find_if(kept_.begin(), kept_.end(),
                           [age](const Kept& known) { return known.age == age; });
  if (kept == kept_.end()) kept = kept_.insert(kept_.end(), {.age = age});
  return {messages_max, age_max, static_cast<size_t>(kept - kept_.begin())};
}

void Retention::SetGroup(Chain* chain, absl::string_view group_id) {
  if (chain->bounds_ != nullptr) return;
  const Bounds* const own = bounds_by_prefix_.Find(group_id);
  chain->bounds_ = IsReservedGroup(group_id) ? &reserved_bounds_ : own != nullptr ? own : &bounds_;
}

Retention::~Retention() {
  all_.clear_and_dispose([this](Message* message) { Release(message); });
}

bool Retention::MayShare(const Message& message) {
  return message.bytes_ - message.head_bytes_ >= kSharedBytesMin;
}

Retention::MessagePtr Retention::Copy(PublisherId publisher, absl::Span<const char> frame,
                                      size_t body_bytes) {
  const absl::string_view bytes(frame.data(), frame.size());
  const absl::string_view body = bytes.substr(bytes.size() - body_bytes);
  Message* shared = nullptr;
  if (body_bytes >= kSharedBytesMin) {
    const auto newest = newest_bodies_.find(publisher);
    if (newest != newest_bodies_.end() && newest->second->body() == body) shared = newest->second;
  }
  const size_t own_bytes = shared != nullptr ? bytes.size() - body_bytes : bytes.size();
  auto* const message = new (::operator new(sizeof(Message) + own_bytes)) Message();
  std::memcpy(reinterpret_cast<char*>(message + 1), bytes.data(), own_bytes);
  message->bytes_ = static_cast<uint32_t>(bytes.size());
  message->head_bytes_ = static_cast<uint32_t>(bytes.size() - body_bytes);
  message->publisher_ = publisher;
  message->body_ = shared != nullptr ? shared : message;
  if (shared != nullptr) ++shared->users_;
  return MessagePtr(message, Deleter{this});
}

void Retention::Release(Message* message) {
  if (--message->users_ > 0) return;
  Message* const body = message->body_;
  bytes_ -= message->charged_;
  if (body == message && MayShare(*message)) {
    const auto newest = newest_bodies_.find(message->publisher_);
    if (newest != newest_bodies_.end() && newest->second == message) newest_bodies_.erase(newest);
  }
  message->~Message();
  ::operator delete(message);
  if (body != message) Release(body);
}

void Retention::Add(Chain* chain, MessagePtr added, uint64_t offset, absl::Time since) {
  Message* const message = added.release();
  message->chain_ = chain;
  message->since_ = since;
  message->offset_ = offset;
  all_.push_back(*message);
  ++message_count_;
  if (young_ == nullptr) young_ = message;
  for (Kept& kept : kept_) {
    if (kept.first == nullptr) kept.first = message;
  }
  chain->messages_.push_back(message);
  by_size_.Resize(chain, chain->bytes() + message->bytes() + kOverheadBytes);
  const bool shares = message->body_ != message;
  message->charged_ = (shares ? message->head_bytes_ : message->bytes_) + kOverheadBytes;
  bytes_ += message->charged_;
  if (!shares && MayShare(*message)) newest_bodies_[message->publisher_] = message;
  Trim(chain);
  DropOverBound();
}

void Retention::DropOverBound() {
  Chain* const newest = all_.back().chain_;
  while (bytes_ > options_.bytes_max) {
    SizeOrder::Item* const largest =
        by_size_.LargestExcept(newest->count() == 1 ? newest : nullptr);
    if (largest == nullptr) return;
    DropOldest(static_cast<Chain*>(largest));
  }
}

const Retention::Message* Retention::next(const Message& message) const {
  return NextIn(all_, message);
}

void Retention::Trim(Chain* chain) {
  while (chain->count() > BoundsOf(*chain).messages_max && chain->messages_.front()->old_) {
    DropOldest(chain);
  }
}

void Retention::DropOldest(Chain* chain) {
  Message* const dropped = chain->messages_.front();
  chain->messages_.pop_front();
  chain->floor_ = dropped->offset_;
  by_size_.Resize(chain, chain->bytes() - dropped->bytes() - kOverheadBytes);
  if (young_ == dropped) young_ = NextIn(all_, *dropped);
  for (Kept& kept : kept_) {
    if (kept.first == dropped) kept.first = NextIn(all_, *dropped);
  }
  all_.erase(all_.iterator_to(*dropped));
  --message_count_;
  Release(dropped);
  if (chain->empty()) listener_->OnEmptied(chain);
}

void Retention::Expire(absl::Time now) {
  for (Kept& kept : kept_) {
    while (kept.first != nullptr && kept.first->since_ + kept.age <= now) {
      Chain* const chain = std::exchange(kept.first, NextIn(all_, *kept.first))->chain_;
      // It is the oldest of its chain: the earlier ones went the same way.
      if (&kept_[BoundsOf(*chain).kept] == &kept) DropOldest(chain);
    }
  }
  while (young_ != nullptr && young_->since_ + options_.repair_retention <= now) {
    Message* const aged = std::exchange(young_, NextIn(all_, *young_));
    aged->old_ = true;
    Trim(aged->chain_);
  }
}

void Retention::Clear(Chain* chain) {
  while (!chain->empty()) DropOldest(chain);
}

void Retention::ClearAll() {
  while (const Message* const first = oldest()) DropOldest(first->chain_);
}

size_t Retention::FirstAfter(const Chain& chain, uint64_t offset) {
  const auto& messages = chain.messages_;
  const auto first = std::upper_bound(
      messages.begin(), messages.end(), offset,
      [](uint64_t wanted, const Message* message) { return wanted < message->offset(); });
  return static_cast<size_t>(first - messages.begin());
}

Retention::Page Retention::PageAfter(const Chain& chain, uint64_t after) const {
  Page page{.begin = FirstAfter(chain, after), .floor = chain.floor()};
  size_t bytes = 0;
  for (page.end = page.begin; page.end < chain.count(); ++page.end) {
    bytes += chain.at(page.end).bytes();
    if (page.end > page.begin && bytes > options_.page_bytes_max) break;
  }
  return page;
}

Retention::Page Retention::NewestPage(const Chain& chain, uint64_t after, size_t count,
                                      absl::Time now) const {
  const size_t first = FirstAfter(chain, after);
  const Bounds& bounds = BoundsOf(chain);
  const size_t limit = std::min(count, bounds.messages_max);
  Page page{.begin = chain.count(), .end = chain.count(), .floor = chain.floor()};
  size_t bytes = 0;
  for (; page.begin > first && page.end - page.begin < limit; --page.begin) {
    const Message& next = chain.at(page.begin - 1);
    bytes += next.bytes();
    if (next.since() + bounds.age_max <= now) break;
    if (page.begin < page.end && bytes > options_.page_bytes_max) break;
  }
  if (page.begin > first) page.floor = chain.at(page.begin - 1).offset();
  return page;
}

}  // namespace groupcast::service
