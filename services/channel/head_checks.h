#ifndef GROUPCAST_SERVICES_CHANNEL_HEAD_CHECKS_H_
#define GROUPCAST_SERVICES_CHANNEL_HEAD_CHECKS_H_

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/channel/position.h"

namespace groupcast::service {

// A group's head that an engine knows of.
struct GroupHead {
  std::string group_id;
  Position head;
};

// Heads that an engine knows from another source than the live link. Their messages may be under
// way, so each head gets the time `wait` to come live. Then the engine compares it with the feed.
//
// Logic only. Not thread-safe. It costs time only for the heads that are due.
class HeadChecks {
 public:
  // `entries_max` bounds the list.
  HeadChecks(absl::Duration wait, size_t entries_max) : wait_(wait), entries_max_(entries_max) {}

  // False: the list is full, and the head was not added. The caller must then compare all heads and
  // call Clear: the comparison replaces the list.
  bool Add(absl::string_view group_id, const Position& head, absl::Time now) {
    if (entries_.size() >= entries_max_) return false;
    entries_.push_back({now + wait_, {std::string(group_id), head}});
    return true;
  }

  // The next head that is due, in the order of Add.
  std::optional<GroupHead> TakeDue(absl::Time now) {
    if (entries_.empty() || entries_.front().at > now) return std::nullopt;
    std::optional<GroupHead> head = std::move(entries_.front().head);
    entries_.pop_front();
    return head;
  }

  void Clear() { entries_.clear(); }
  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    absl::Time at;
    GroupHead head;
  };

  const absl::Duration wait_;
  const size_t entries_max_;
  std::deque<Entry> entries_;  // in the order of their times
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_HEAD_CHECKS_H_
