#include "services/connections/unfinished_pool.h"

#include <algorithm>

namespace groupcast::service {
namespace {

// Clients with poor connections send faster than this pace.
constexpr absl::Duration kGrace = absl::Seconds(1);
constexpr size_t kBytesPerSecondMin = 16 << 10;

// An address with more than this part of the bound pays first.
constexpr size_t kFairPart = 4;

}  // namespace

void UnfinishedPool::Add(UnfinishedNode* node, PeerAddress address, absl::Time now) {
  node->message_ = std::make_unique<Message>(Message{
      .address = address, .number = next_number_++, .began = now, .behind_at = now + kGrace});
  const Message& message = *node->message_;
  std::unique_ptr<Share>& share = shares_[address];
  if (share == nullptr) {
    share = std::make_unique<Share>();
    shares_by_bytes_.emplace(0, address);
  }
  for (Orders* orders : {&all_, &share->messages}) {
    orders->by_begin.emplace(message.number, node);
    orders->by_pace.emplace(message.behind_at, node);
  }
}

void UnfinishedPool::SetBytes(UnfinishedNode* node, size_t bytes) {
  Message& message = *node->message_;
  Share& share = *shares_.find(message.address)->second;
  const absl::Duration allowed =
      absl::Seconds(static_cast<double>(bytes) / static_cast<double>(kBytesPerSecondMin));
  const absl::Time behind_at = message.began + std::max(kGrace, allowed);
  if (behind_at != message.behind_at) {
    for (Orders* orders : {&all_, &share.messages}) {
      orders->by_pace.erase({message.behind_at, node});
      orders->by_pace.emplace(behind_at, node);
    }
    message.behind_at = behind_at;
  }
  bytes_ += bytes - message.bytes;
  ChangeShare(message.address, &share, share.bytes + bytes - message.bytes);
  message.bytes = bytes;
}

void UnfinishedPool::Remove(UnfinishedNode* node) {
  if (!node->has_unfinished()) return;
  SetBytes(node, 0);
  const std::unique_ptr<Message> message = std::move(node->message_);
  const auto share = shares_.find(message->address);
  for (Orders* orders : {&all_, &share->second->messages}) {
    orders->by_begin.erase(message->number);
    orders->by_pace.erase({message->behind_at, node});
  }
  if (!share->second->messages.by_begin.empty()) return;
  shares_by_bytes_.erase({share->second->bytes, message->address});
  shares_.erase(share);
}

void UnfinishedPool::ChangeShare(PeerAddress address, Share* share, size_t bytes) {
  shares_by_bytes_.erase({share->bytes, address});
  shares_by_bytes_.emplace(bytes, address);
  share->bytes = bytes;
}

UnfinishedNode* UnfinishedPool::Victim(absl::Time now) const {
  if (bytes_ <= bytes_max_) return nullptr;
  const auto& [largest_bytes, largest] = *shares_by_bytes_.rbegin();
  const bool pays_first = largest_bytes > bytes_max_ / kFairPart;
  const Orders& orders = pays_first ? shares_.find(largest)->second->messages : all_;
  const auto& [behind_at, slowest] = *orders.by_pace.begin();
  return behind_at <= now ? slowest : orders.by_begin.begin()->second;
}

}  // namespace groupcast::service
