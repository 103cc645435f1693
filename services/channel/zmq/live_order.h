#ifndef GROUPCAST_SERVICES_CHANNEL_ZMQ_LIVE_ORDER_H_
#define GROUPCAST_SERVICES_CHANNEL_ZMQ_LIVE_ORDER_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/channel/position.h"
#include "services/common/clock.h"

namespace groupcast::service {

// The one place that uses the order of offsets of DIFFERENT groups. It holds for the ZeroMQ engine
// only: the channel server counts all groups together, and the live link brings all groups'
// messages in the order of that counter. Channel does not promise it, and no other engine has it.
//
// The order tells a late live link from one that has lost something. While the link brings offsets
// below a head, it may still bring that head. A worker must not repair such a head: repairs of what
// is on its way would make a worker that cannot keep up even slower. So the head is put off until
// the link has come to it, or is still.
//
// What is put off is remembered by group. So lag costs no comparison: the head is known, and the
// engine compares it with the group's feed, without a question to the server.
//
// Bound: `groups_max` groups. Over it, the heads of further groups are not remembered. The engine
// must then compare all heads once, when the link has come to the first head that was not
// remembered (TakeOverflow).
//
// Logic only. Not thread-safe. `clock` must outlive it. A message costs a comparison; the rest
// costs time only for the heads that are due.
class LiveOrder {
 public:
  // A link that brings nothing for `still_after` is still, and brings none of what was put off.
  LiveOrder(const Clock* clock, absl::Duration still_after, size_t groups_max)
      : clock_(clock), still_after_(still_after), groups_max_(groups_max) {}
  LiveOrder(const LiveOrder&) = delete;
  LiveOrder& operator=(const LiveOrder&) = delete;

  // The live link has reached `position`: it has brought a message at it, or an announcement that
  // was sent after it, of whatever group.
  void OnReached(const Position& position);

  // Whether the live link may still bring the message at `head`.
  bool MayBring(const Position& head) const;

  // Puts off the check of a head that MayBring.
  void PutOff(absl::string_view group_id, const Position& head);

  // A group whose first head is not late any more. Heads that were put off while it waited are
  // summed up by the last of them, which may be late.
  struct DueHead {
    std::string group_id;
    Position first;
    Position last;
  };
  std::optional<DueHead> TakeDue();

  // Whether all heads must be compared now, because some were not remembered. True once.
  bool TakeOverflow();

  size_t groups() const { return by_group_.size(); }

 private:
  using ByOffset = std::multimap<uint64_t, DueHead>;

  const Clock* const clock_;
  const absl::Duration still_after_;
  const size_t groups_max_;
  Position reached_;
  absl::Time reached_at_ = absl::InfinitePast();
  ByOffset by_offset_;  // by the offset of the first head; all of reached_'s epoch
  absl::flat_hash_map<std::string, ByOffset::iterator> by_group_;
  std::optional<Position> overflow_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_ZMQ_LIVE_ORDER_H_
