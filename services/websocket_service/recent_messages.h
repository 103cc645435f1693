#ifndef GROUPCAST_SERVICES_WEBSOCKET_SERVICE_RECENT_MESSAGES_H_
#define GROUPCAST_SERVICES_WEBSOCKET_SERVICE_RECENT_MESSAGES_H_

#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <vector>

#include "services/websocket_service/framed_message.h"

namespace groupcast::service {

struct RecentMessagesOptions {
  size_t group_messages_max = 64;
  size_t group_bytes_max = 64u << 10;
  size_t bytes_max = 32u << 20;
};

// The messages that the groups of a worker got last, so that members who come back together, with
// almost the same position, need not all ask the channel. What is over a bound goes, the oldest
// first: of the group for the group's bounds, of all for the worker's.
class RecentMessages {
 public:
  explicit RecentMessages(const RecentMessagesOptions& options = {}) : options_(options) {}

  // Those of one group, a chain without a hole. It must not outlive the RecentMessages.
  class Ring {
   public:
    explicit Ring(RecentMessages* all) : all_(all) {}
    ~Ring() { Clear(); }
    Ring(const Ring&) = delete;
    Ring& operator=(const Ring&) = delete;

    // `message` follows on the last one. It may be dropped at once, if it is over a bound.
    void Push(FramedMessage message);
    void Clear();

    size_t size() const { return entries_.size(); }
    const FramedMessage& at(size_t index) const { return entries_[index]->message; }
    FramePtr FrameFor(size_t index, absl::string_view group_id, Member* member);

    // The index of the first message after `offset`, or size() if there is none; nothing if
    // messages after it may be missing here, or it is no place in the chain.
    std::optional<size_t> After(uint64_t offset) const;

   private:
    friend class RecentMessages;
    void DropOldest();

    RecentMessages* const all_;
    size_t bytes_ = 0;
    struct Entry {
      Ring* ring;
      FramedMessage message;
      size_t bytes;
    };
    std::vector<std::list<Entry>::iterator> entries_;  // oldest first
  };

  size_t bytes() const { return bytes_; }

 private:
  const RecentMessagesOptions options_;
  size_t bytes_ = 0;
  std::list<Ring::Entry> entries_;  // of all groups, oldest first
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_WEBSOCKET_SERVICE_RECENT_MESSAGES_H_
