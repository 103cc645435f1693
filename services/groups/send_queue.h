#ifndef GROUPCAST_SERVICES_GROUPS_SEND_QUEUE_H_
#define GROUPCAST_SERVICES_GROUPS_SEND_QUEUE_H_

#include <cstddef>
#include <deque>
#include <functional>
#include <optional>
#include <utility>

#include "services/channel/channel.h"
#include "services/groups/input_share.h"
#include "services/groups/member.h"

namespace groupcast::service {

struct SendQueueOptions {
  // A send of at most this size is light, a larger one is heavy. The size is that of all its
  // publications together.
  size_t light_bytes_max = 16 << 10;

  // The bound of the bytes of heavy sends that are on their way through the channel. One alone may
  // always go. A light send waits in the channel behind these bytes, so they decide its latency.
  // They need not be more: the channel server takes a fraction of a millisecond for them.
  size_t heavy_in_flight_max = 256 << 10;

  // While a heavy send waits for room, light ones take at most this much before it.
  size_t light_turn_bytes = 64 << 10;
};

// Decides when sends go to the channel, and keeps the members whose send must wait. Light sends do
// not wait behind heavy ones: there is one queue for each. Within a queue, members beyond their
// share (input_share.h) let the others go first; otherwise the order is that of arrival. A member
// has at most one entry, so the number of members bounds the queues.
//
// The bound of heavy bytes holds while the channel is connected. Otherwise nothing moves, and the
// channel itself keeps what it has room for.
//
// Logic only. Not thread-safe.
class SendQueue {
 public:
  // Whether the channel takes publications of this size: Channel::HasRoomFor.
  using HasRoom = std::function<bool(const PublicationsSize& size)>;

  SendQueue(const SendQueueOptions& options, HasRoom has_room)
      : options_(options), has_room_(std::move(has_room)) {}

  enum class Weight { kLight, kHeavy };

  // The member sends now, and the result is the weight of its send. nullopt: the member waits
  // (Member::waits_for_room). GoOn resumes its commands, and then this one is admitted.
  std::optional<Weight> Admit(Member* member, const PublicationsSize& size);
  // The same for a send that must not wait. nullopt: there is no room for it.
  std::optional<Weight> AdmitAtOnce(const PublicationsSize& size);

  // The channel has the result of `bytes` of an admitted heavy send. GoOn should follow.
  void OnHeavyResult(size_t bytes) { heavy_in_flight_ -= bytes; }

  void SetConnected(bool connected) { connected_ = connected; }

  // Resumes the members that may send now, each for one command at a time. A member whose next
  // command must wait goes to the end.
  void GoOn();
  // Resumes all members, to commands that must not wait any more.
  void ReleaseAll();

  // The member does not wait any more.
  void Remove(Member* member);

  bool empty() const { return light_.empty() && heavy_.empty(); }
  size_t heavy_in_flight() const { return heavy_in_flight_; }

 private:
  struct Entry {
    Member* member;
    PublicationsSize size;
  };
  using Queue = std::deque<Entry>;
  using Order = ShareOrder<Queue>;

  Weight WeightOf(const PublicationsSize& size) const {
    return size.bytes > options_.light_bytes_max ? Weight::kHeavy : Weight::kLight;
  }
  Weight CountAdmitted(const PublicationsSize& size);
  bool MayGo(const PublicationsSize& size);
  // The order whose next entry may go. Null: none.
  Order* Next();
  void Resume(Queue* queue);
  void Release(Queue* queue);

  const SendQueueOptions options_;
  const HasRoom has_room_;
  Order light_;
  Order heavy_;
  bool goes_on_ = false;        // GoOn runs
  Member* going_on_ = nullptr;  // its present command was found to have room
  bool connected_ = false;
  bool heavy_waits_for_room_ = false;
  size_t heavy_in_flight_ = 0;
  // The bytes of light sends since the last heavy one, while a heavy one waits for room.
  size_t light_turn_ = 0;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_GROUPS_SEND_QUEUE_H_
