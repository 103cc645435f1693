#ifndef GROUPCAST_SERVICES_GROUPS_RECENT_MESSAGES_H_
#define GROUPCAST_SERVICES_GROUPS_RECENT_MESSAGES_H_

#include <cstddef>
#include <cstdint>
#include <optional>

#include "boost/circular_buffer.hpp"
#include "boost/intrusive/list.hpp"
#include "services/groups/encoded_message.h"

namespace groupcast::service {

struct RecentMessagesOptions {
  size_t group_messages_max = 64;
  size_t group_bytes_max = 64u << 10;
  size_t bytes_max = 32u << 20;
};

// The last messages of a worker's groups. Members that reconnect together have almost the same
// position. With the recent messages, they need not all ask the channel.
//
// Over a group's bounds, the oldest messages of that group are dropped. Over the worker's bound,
// the oldest messages of the group without new messages for the longest time are dropped.
class RecentMessages {
 public:
  explicit RecentMessages(const RecentMessagesOptions& options = {}) : options_(options) {}

  // The messages of one group: a chain without a hole. It must not outlive the RecentMessages.
  class Ring : public boost::intrusive::list_base_hook<
                   boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
   public:
    explicit Ring(RecentMessages* all) : all_(all) {}
    ~Ring() { Clear(); }
    Ring(const Ring&) = delete;
    Ring& operator=(const Ring&) = delete;

    // `message` follows the last one. If it exceeds a bound by itself, it is dropped at once.
    void Push(EncodedMessage message);
    void Clear();

    size_t size() const { return entries_.size(); }
    const EncodedMessage& at(size_t index) const { return entries_[index].message; }
    // The bytes that `member` gets for the message at `index`. Null: nothing.
    SharedBytes BytesFor(size_t index, absl::string_view group_id, Member* member);

    // Returns the index of the first message after `offset`, or size() if there is none. Returns
    // nullopt if messages after `offset` may be missing here, or if `offset` is not in the chain.
    std::optional<size_t> After(uint64_t offset) const;

   private:
    struct Entry {
      EncodedMessage message;
      size_t bytes;
    };
    void DropOldest();

    RecentMessages* const all_;
    size_t bytes_ = 0;
    boost::circular_buffer<Entry> entries_;  // oldest first
  };

  size_t bytes() const { return bytes_; }

 private:
  const RecentMessagesOptions options_;
  size_t bytes_ = 0;
  // The rings that are not empty, in the order of their newest messages.
  boost::intrusive::list<Ring, boost::intrusive::constant_time_size<false>> rings_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_GROUPS_RECENT_MESSAGES_H_
