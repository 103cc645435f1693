#ifndef GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_RETENTION_H_
#define GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_RETENTION_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "boost/circular_buffer.hpp"
#include "boost/intrusive/list.hpp"
#include "services/channel/wire.h"
#include "services/channel_server/broker/size_order.h"
#include "services/common/prefix_map.h"

namespace groupcast::service {

struct RetentionOptions {
  // The history of a group, which clients read: its newest messages, up to this number and age.
  size_t history_messages_max = 100;
  absl::Duration history_age_max = absl::Seconds(300);

  // The history of the groups whose ids begin with a prefix, instead of that. The longest prefix
  // counts. The prefixes must differ.
  struct History {
    size_t messages_max = 100;
    absl::Duration age_max = absl::Seconds(300);
  };
  // The groups of the services (IsReservedGroup) have no history.
  std::vector<std::pair<std::string, History>> histories;

  // The server keeps every message for this time, even if the group has more messages than its
  // history. Workers and clients repair from it. It must not be zero.
  absl::Duration repair_retention = absl::Seconds(60);

  // The bound of all retained messages: their frames, and 256 bytes of bookkeeping for each. Over
  // it, the group with the most bytes loses its oldest message first. So a group that takes much
  // costs the others nothing. The newest message of all always stays.
  size_t bytes_max = 512u << 20;

  // The bound of one page. A page with a single message may be larger.
  size_t page_bytes_max = 256 * 1024;
};

// The longest time for which a message of any group is kept.
absl::Duration LongestKept(const RetentionOptions& options);

// The retained messages of all groups, and each group's floor.
//
// A message that goes to many groups comes as many messages with the same body, one after another
// from its publisher. Other publishers' messages may come between them. They share one copy of the
// body, which counts once in bytes(). In the size of each group it counts whole.
//
// The cost of a read depends on its result: it finds its offset by binary search, and does not walk
// over other messages.
//
// The caller gives it the time. Not thread-safe.
class Retention {
 public:
  class Chain;

  // What clients may read of a group. A message is kept for the longer of this age and the repair
  // retention.
  struct Bounds {
    size_t messages_max;
    absl::Duration age_max;
    size_t kept;  // index in kept_
  };

  // Retention calls it when it has dropped a chain's last message. It must not add or drop
  // messages.
  class Listener {
   public:
    virtual void OnEmptied(Chain* chain) = 0;

   protected:
    ~Listener() = default;
  };

  // One retained message.
  class Message : public boost::intrusive::list_base_hook<
                      boost::intrusive::link_mode<boost::intrusive::normal_link>> {
   public:
    uint64_t offset() const { return offset_; }
    absl::Time since() const { return since_; }
    PublisherId publisher() const { return publisher_; }
    // The frame is its head and its body.
    size_t bytes() const { return bytes_; }
    absl::string_view head() const { return {data(), head_bytes_}; }
    bool shares_body_with(const Message& other) const { return body_ == other.body_; }
    absl::string_view body() const {
      return {body_->data() + body_->head_bytes_, bytes_ - head_bytes_};
    }

   private:
    friend class Retention;
    const char* data() const { return reinterpret_cast<const char*>(this + 1); }

    Chain* chain_;
    absl::Time since_;
    uint64_t offset_;
    PublisherId publisher_;
    // The head follows the message in the same block of memory. The body follows it there, or is in
    // the block of another message.
    Message* body_;
    uint32_t bytes_;
    uint32_t head_bytes_;
    uint32_t users_ = 1;    // of the block: the message, and others with its body
    uint32_t charged_ = 0;  // the bytes() of the block
    bool old_ = false;      // it is older than the repair retention
  };
  struct Deleter {
    Retention* retention = nullptr;
    void operator()(Message* message) const { retention->Release(message); }
  };
  using MessagePtr = std::unique_ptr<Message, Deleter>;

  // The retained messages of one group, oldest first. Its owner must clear it (Retention::Clear)
  // before it destroys the chain.
  class Chain : private SizeOrder::Item {
   public:
    Chain() = default;
    Chain(const Chain&) = delete;
    Chain& operator=(const Chain&) = delete;

    // The messages after this offset are complete.
    uint64_t floor() const { return floor_; }
    bool empty() const { return messages_.empty(); }
    // The number of messages, and the bytes of their frames and bookkeeping.
    size_t count() const { return messages_.size(); }
    size_t bytes() const { return SizeOrder::Item::size(); }
    const Message& at(size_t index) const { return *messages_[index]; }

    // For a chain without messages: its messages will begin after `floor`.
    void SetFloor(uint64_t floor) { floor_ = floor; }

   private:
    friend class Retention;
    uint64_t floor_ = 0;
    const Bounds* bounds_ = nullptr;  // null: SetGroup was not called
    // Without a bound of its own. It gives back what a burst took.
    boost::circular_buffer_space_optimized<Message*> messages_{SIZE_MAX};
  };

  // An answer to a read: the messages [begin, end) of a chain. They are complete from `floor` on.
  struct Page {
    size_t begin = 0;
    size_t end = 0;
    uint64_t floor = 0;
  };

  // `listener` must outlive it.
  Retention(const RetentionOptions& options, Listener* listener);
  ~Retention();
  Retention(const Retention&) = delete;
  Retention& operator=(const Retention&) = delete;

  // A new message of `publisher` that is not retained yet, with a copy of `frame`, which ends with
  // `body_bytes` of the body. It shares the body of the publisher's newest message if that is the
  // same. The message must not outlive this.
  MessagePtr Copy(PublisherId publisher, absl::Span<const char> frame, size_t body_bytes);

  // The messages of all chains, oldest first. Null: there is none, or `message` is the newest.
  const Message* oldest() const { return all_.empty() ? nullptr : &all_.front(); }
  const Message* next(const Message& message) const;

  // Chooses the history of the chain by its group's id. It must have no messages at the first call;
  // later calls do nothing. Without a call, the chain has the history of groups without a prefix.
  void SetGroup(Chain* chain, absl::string_view group_id);

  // Adds the newest message of the chain. `offset` must be above the offsets of the chain. Drops
  // messages over a bound.
  void Add(Chain* chain, MessagePtr message, uint64_t offset, absl::Time since);

  // Drops the expired messages.
  void Expire(absl::Time now);

  // Drops all messages, of the chain or of every chain. The floors rise to the dropped offsets.
  void Clear(Chain* chain);
  void ClearAll();

  // The first messages after `after`. There are more if the page does not reach the chain's end.
  Page PageAfter(const Chain& chain, uint64_t after) const;

  // The newest `count` messages after `after` that clients may read at `now`. Fewer if a page
  // cannot carry them. The page's floor rises to the newest message that it leaves out.
  Page NewestPage(const Chain& chain, uint64_t after, size_t count, absl::Time now) const;

  // Frames and bookkeeping.
  size_t bytes() const { return bytes_; }
  // Of all chains.
  size_t message_count() const { return message_count_; }

 private:
  // A time for which messages are kept. Groups with the same time share it.
  struct Kept {
    absl::Duration age;
    Message* first = nullptr;  // the oldest message, of all chains, that is younger
  };
  using Messages = boost::intrusive::list<Message, boost::intrusive::constant_time_size<false>>;

  static size_t FirstAfter(const Chain& chain, uint64_t offset);
  static bool MayShare(const Message& message);
  void Release(Message* message);
  void DropOverBound();
  void DropOldest(Chain* chain);
  // Drops messages over the history's number of messages that repairs do not need any more.
  void Trim(Chain* chain);

  Bounds MakeBounds(size_t messages_max, absl::Duration age_max);
  const Bounds& BoundsOf(const Chain& chain) const {
    return chain.bounds_ == nullptr ? bounds_ : *chain.bounds_;
  }

  const RetentionOptions options_;
  Listener* const listener_;
  Messages all_;              // of all chains, oldest first
  Message* young_ = nullptr;  // the oldest message that is not `old_`
  // Each publisher's newest block with a body that may be shared. A publisher without such a block
  // has no entry.
  absl::flat_hash_map<PublisherId, Message*> newest_bodies_;
  SizeOrder by_size_;
  std::vector<Kept> kept_;
  const Bounds bounds_;  // of groups without a prefix
  const Bounds reserved_bounds_;
  PrefixMap<Bounds> bounds_by_prefix_;
  size_t bytes_ = 0;
  size_t message_count_ = 0;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_RETENTION_H_
