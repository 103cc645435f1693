#ifndef GROUPCAST_SERVICES_CONNECTIONS_UNFINISHED_POOL_H_
#define GROUPCAST_SERVICES_CONNECTIONS_UNFINISHED_POOL_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "services/connections/peer_address.h"

namespace groupcast::service {

// A connection that may have an unfinished message. It must leave the pool (UnfinishedPool::Remove)
// before it is destroyed.
class UnfinishedNode {
 public:
  UnfinishedNode() = default;
  UnfinishedNode(const UnfinishedNode&) = delete;
  UnfinishedNode& operator=(const UnfinishedNode&) = delete;

  bool has_unfinished() const { return message_ != nullptr; }

 private:
  friend class UnfinishedPool;
  struct Message {
    PeerAddress address{};
    uint64_t number = 0;  // messages are numbered as they begin
    absl::Time began;
    absl::Time behind_at;  // from then on it is behind the pace, unless more bytes come
    size_t bytes = 0;
  };
  std::unique_ptr<Message> message_;
};

// The unfinished messages of a worker's connections, and their bound together. Over the bound, it
// chooses the connection to close, so that honest messages survive:
//
//   1. If the address with the most bytes has more than a quarter of the bound, only its messages
//      are looked at. Otherwise all messages are.
//   2. Among these goes the message that is furthest behind the pace. A message has one second, and
//      then needs 16 KiB for each second since it began. So a byte now and then keeps no message.
//   3. If none is behind the pace, the message that began first goes.
//
// So a message that comes in a few segments survives beside any number of messages that do not come
// to their end, also from the same address, and whatever their size. Each call costs O(log n). The
// number of connections bounds its own memory. No IO. Not thread-safe.
class UnfinishedPool {
 public:
  explicit UnfinishedPool(size_t bytes_max) : bytes_max_(bytes_max) {}
  UnfinishedPool(const UnfinishedPool&) = delete;
  UnfinishedPool& operator=(const UnfinishedPool&) = delete;

  // An unfinished message of `node` begins. `node` must have none. `now` must not be before the
  // `now` of an earlier call.
  void Add(UnfinishedNode* node, PeerAddress address, absl::Time now);
  // The worker holds `bytes` of the message now. `node` must have one.
  void SetBytes(UnfinishedNode* node, size_t bytes);
  // The message has ended, or its connection. `node` may have none.
  void Remove(UnfinishedNode* node);

  // The connection to close next. Null: the messages are within the bound. `now` is of the same
  // clock as for Add.
  UnfinishedNode* Victim(absl::Time now) const;

  size_t bytes() const { return bytes_; }

 private:
  using Message = UnfinishedNode::Message;

  struct Orders {
    std::map<uint64_t, UnfinishedNode*> by_begin;
    std::set<std::pair<absl::Time, UnfinishedNode*>> by_pace;  // the first falls behind first
  };
  struct Share {
    size_t bytes = 0;
    Orders messages;
  };

  void ChangeShare(PeerAddress address, Share* share, size_t bytes);

  const size_t bytes_max_;
  size_t bytes_ = 0;
  uint64_t next_number_ = 1;
  Orders all_;
  absl::flat_hash_map<PeerAddress, std::unique_ptr<Share>> shares_;
  std::set<std::pair<size_t, PeerAddress>> shares_by_bytes_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CONNECTIONS_UNFINISHED_POOL_H_
