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

// The messages that the groups of a worker got last, so that members who come back together, with
// almost the same position, need not all ask the channel. What is over a bound goes: the group's
// oldest for the group's bounds, and for the worker's the oldest of the group that got none for
// longest.
class RecentMessages {
 public:
  explicit RecentMessages(const RecentMessagesOptions& options = {}) : options_(options) {}

  // Those of one group, a chain without a hole. It must not outlive the RecentMessages.
  class Ring : public boost::intrusive::list_base_hook<
                   boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
   public:
    explicit Ring(RecentMessages* all) : all_(all) {}
    ~Ring() { Clear(); }
    Ring(const Ring&) = delete;
    Ring& operator=(const Ring&) = delete;

    // `message` follows on the last one. It may be dropped at once, if it is over a bound.
    void Push(EncodedMessage message);
    void Clear();

    size_t size() const { return entries_.size(); }
    const EncodedMessage& at(size_t index) const { return entries_[index].message; }
    SharedBytes FrameFor(size_t index, absl::string_view group_id, Member* member);

    // The index of the first message after `offset`, or size() if there is none; nothing if
    // messages after it may be missing here, or it is no place in the chain.
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
  // Those that are not empty; the one that got a message last is the last.
  boost::intrusive::list<Ring, boost::intrusive::constant_time_size<false>> rings_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_GROUPS_RECENT_MESSAGES_H_
