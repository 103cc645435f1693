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

// The one place that uses the order of offsets of DIFFERENT groups. The order holds for the ZeroMQ
// engine only. The channel server counts all groups together, and the live link brings the messages
// of all groups in the order of that counter. Channel does not promise it, and no other engine has
// it.
//
// The order tells a late live link from a link that has lost messages. While the link brings
// offsets below a head, it may still bring that head. A worker must not repair such a head. Repairs
// of messages that are on their way would slow down a worker that cannot keep up. So the worker
// puts the head off until the link has reached it, or is still.
//
// The list of heads that are put off is kept by group. So lag costs no comparison with the server:
// the engine knows the head, and compares it with the group's feed.
//
// Bound: `groups_max` groups. Over it, the heads of further groups are not in the list. The engine
// must then compare all heads once, when the link has reached the first head that is not in the
// list (TakeOverflow).
//
// Logic only. Not thread-safe. `clock` must outlive it. A message costs one comparison. All other
// work costs time only for the heads that are due.
class LiveOrder {
 public:
  // A link that brings nothing for `still_after` is still: it will not bring the heads that are put
  // off.
  LiveOrder(const Clock* clock, absl::Duration still_after, size_t groups_max)
      : clock_(clock), still_after_(still_after), groups_max_(groups_max) {}
  LiveOrder(const LiveOrder&) = delete;
  LiveOrder& operator=(const LiveOrder&) = delete;

  // The live link has reached `position`. It has brought the message at `position`, or an
  // announcement that the server sent after that message. The group of either does not matter.
  void OnReached(const Position& position);

  // The live link has input that was not read yet: it is not still.
  void OnInputWaits();

  // Whether the live link may still bring the message at `head`.
  bool MayBring(const Position& head) const;

  // Puts off the check of a head for which MayBring is true.
  void PutOff(absl::string_view group_id, const Position& head);

  // A group with a first head that is not late any more. `last` is the highest of the heads that
  // were put off after the first one. It may still be late.
  struct DueHead {
    std::string group_id;
    Position first;
    Position last;
  };
  std::optional<DueHead> TakeDue();

  // Whether all heads must be compared now, because some are not in the list. True once for each
  // overflow.
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
