#include "services/channel_server/broker/retention.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace groupcast::service {
namespace {

// The cost of a retained message besides its frame: its block, its slot, and its group if it is the
// only message there.
constexpr size_t kOverheadBytes = 256;

}  // namespace

Retention::Retention(const RetentionOptions& options, Listener* listener)
    : options_(options), listener_(listener), young_(all_.end()) {}

Retention::~Retention() { all_.clear_and_dispose(Deleter()); }

void Retention::Deleter::operator()(Message* message) const {
  message->~Message();
  ::operator delete(message);
}

Retention::MessagePtr Retention::Copy(absl::Span<const char> frame) {
  void* const block = ::operator new(sizeof(Message) + frame.size());
  auto* const message = new (block) Message();
  message->bytes = static_cast<uint32_t>(frame.size());
  std::memcpy(reinterpret_cast<char*>(message + 1), frame.data(), frame.size());
  return MessagePtr(message);
}

void Retention::Add(Chain* chain, MessagePtr added, uint64_t offset, absl::Time since) {
  Message* const message = added.release();
  message->chain = chain;
  message->since = since;
  message->offset = offset;
  message->old = false;
  all_.push_back(*message);
  if (young_ == all_.end()) young_ = --all_.end();
  boost::circular_buffer<Message*>& messages = chain->messages_;
  if (messages.full()) messages.set_capacity(messages.empty() ? 1 : 2 * messages.capacity());
  messages.push_back(message);
  bytes_ += message->bytes + kOverheadBytes;
  Trim(chain);
  while (bytes_ > options_.bytes_max && &all_.front() != &all_.back()) {
    DropOldest(all_.front().chain);
  }
}

void Retention::Trim(Chain* chain) {
  while (chain->size() > options_.history_messages_max && chain->messages_.front()->old) {
    DropOldest(chain);
  }
}

void Retention::DropOldest(Chain* chain) {
  boost::circular_buffer<Message*>& messages = chain->messages_;
  Message* const dropped = messages.front();
  messages.pop_front();
  // What a burst took is given back.
  if (messages.empty()) {
    messages.set_capacity(0);
  } else if (messages.capacity() >= 16 && messages.size() <= messages.capacity() / 4) {
    messages.set_capacity(messages.capacity() / 2);
  }
  chain->floor_ = dropped->offset;
  bytes_ -= dropped->bytes + kOverheadBytes;
  const auto at = all_.iterator_to(*dropped);
  if (young_ == at) ++young_;
  all_.erase_and_dispose(at, Deleter());
  if (messages.empty()) listener_->OnEmptied(chain);
}

void Retention::Expire(absl::Time now) {
  const absl::Duration age_max = std::max(options_.history_age_max, options_.repair_retention);
  while (!all_.empty() && all_.front().since + age_max <= now) DropOldest(all_.front().chain);
  while (young_ != all_.end() && young_->since + options_.repair_retention <= now) {
    Message& aged = *young_++;
    aged.old = true;
    Trim(aged.chain);
  }
}

void Retention::Clear(Chain* chain) {
  while (!chain->empty()) DropOldest(chain);
}

void Retention::ClearAll() {
  while (!all_.empty()) DropOldest(all_.front().chain);
}

size_t Retention::FirstAfter(const Chain& chain, uint64_t offset) {
  const auto& messages = chain.messages_;
  const auto first = std::upper_bound(
      messages.begin(), messages.end(), offset,
      [](uint64_t wanted, const Message* message) { return wanted < message->offset; });
  return static_cast<size_t>(first - messages.begin());
}

Retention::Page Retention::PageAfter(const Chain& chain, uint64_t after) const {
  Page page{.begin = FirstAfter(chain, after), .end = 0, .floor = chain.floor()};
  size_t bytes = 0;
  for (page.end = page.begin; page.end < chain.size(); ++page.end) {
    bytes += chain.at(page.end).bytes;
    if (page.end > page.begin && bytes > options_.page_bytes_max) break;
  }
  return page;
}

Retention::Page Retention::NewestPage(const Chain& chain, uint64_t after, size_t count,
                                      absl::Time now) const {
  const size_t first = FirstAfter(chain, after);
  const size_t limit = std::min(count, options_.history_messages_max);
  Page page{.begin = chain.size(), .end = chain.size(), .floor = chain.floor()};
  size_t bytes = 0;
  for (; page.begin > first && page.end - page.begin < limit; --page.begin) {
    const Message& next = chain.at(page.begin - 1);
    bytes += next.bytes;
    if (next.since + options_.history_age_max <= now) break;
    if (page.begin < page.end && bytes > options_.page_bytes_max) break;
  }
  if (page.begin > first) page.floor = chain.at(page.begin - 1).offset;
  return page;
}

}  // namespace groupcast::service
