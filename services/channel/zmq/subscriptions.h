#ifndef GROUPCAST_SERVICES_CHANNEL_ZMQ_SUBSCRIPTIONS_H_
#define GROUPCAST_SERVICES_CHANNEL_ZMQ_SUBSCRIPTIONS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/node_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "boost/intrusive/list.hpp"
#include "services/channel/channel.h"
#include "services/channel/feed.h"
#include "services/channel/position.h"
#include "services/channel/proto/wire.pb.h"
#include "services/channel/wire.h"
#include "services/channel/zmq/channel_client_options.h"
#include "services/channel/zmq/channel_links.h"
#include "services/common/clock.h"

namespace groupcast::service {

// The groups that a worker has subscribed to, each with its feed. It repeats each subscription
// until it is announced. It passes live messages and repairs through the feeds to the listener.
//
// A subscription is proven by the announcement with its own nonce. Any other announcement may
// answer another worker's subscription, or an earlier subscription of this worker. While connected,
// it repeats a subscription without a proof after resubscribe_after, then after twice that time,
// and so on (ChannelClientOptions).
//
// The listener may call Subscribe and Unsubscribe from inside its methods. If it leaves the group
// of the current event, it gets nothing more of this group.
//
// The caller calls Tick about every 50 ms. It asks for the repair of each group that a method
// reports as behind.
//
// Bounds: a feed holds 1 MiB of messages that wait for a repair (with their entries), and all feeds
// together 32 MiB. It drops further messages, and the repair brings them too.
//
// Logic only: no IO. Not thread-safe. All pointers must outlive it. Tick costs time only for the
// subscriptions that are due. The same calls at the same times have the same effects: no order
// depends on hashes or addresses.
class Subscriptions final : private FeedSink {
 private:
  struct RoundTag;
  struct WaitTag;
  template <typename Tag>
  using Hook =
      boost::intrusive::list_base_hook<boost::intrusive::tag<Tag>,
                                       boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

 public:
  struct Subscription : Hook<RoundTag>, Hook<WaitTag> {
    const std::string* group_id = nullptr;  // the key in the map
    Feed feed;
    PublisherId nonce{};
    bool announced = false;
    bool ended = false;          // unsubscribed during a delivery
    size_t counted_bytes = 0;    // its part of held_bytes_
    int times_subscribed = 0;    // libzmq counts subscriptions
    size_t attempt = 0;          // while not announced: its list in waiting_
    absl::Time subscribe_again;  // while not announced
    uint64_t round = 0;          // the last round that visited it
  };

  Subscriptions(const ChannelClientOptions& options, const Clock* clock, ChannelLinks* links,
                ChannelListener* listener);
  Subscriptions(const Subscriptions&) = delete;
  Subscriptions& operator=(const Subscriptions&) = delete;

  // No effect if the group is subscribed.
  void Subscribe(absl::string_view group_id);
  void Unsubscribe(absl::string_view group_id);
  // Null: not subscribed. The pointer is valid until Unsubscribe, or until the next call of the
  // listener.
  Subscription* Find(absl::string_view group_id);
  size_t size() const { return subscriptions_.size(); }

  // A live message or announcement. `current` is the epoch of the server. Returns whether the group
  // is behind now, so that it needs a repair.
  [[nodiscard]] bool OnMessage(const LiveFrame& frame, Epoch current);
  [[nodiscard]] bool OnAnnouncement(const LiveFrame& frame, Epoch current);

  // The answer to a repair of `subscription`, which must be warm.
  enum class Repaired {
    kInStep,  // or ended
    kBehind,  // the caller should ask for the next repair
    kStuck,   // the answer brought nothing. An immediate retry would bring the same answer
  };
  Repaired OnHistory(Subscription* subscription, const channel::v1::History& history);

  // An announced subscription may be lost: subscribes again, and waits for the proof.
  void SubscribeAgain(Subscription* subscription);

  // A new connection: each subscription without an announcement waits for resubscribe_after again.
  void OnConnected();
  // Repeats the subscriptions that are due. No effect while not `connected`.
  void Tick(bool connected);

  // A round visits each subscription that exists at its start once. Another StartRound ends the
  // round. The new round begins with the subscriptions without a visit for the longest time. So
  // rounds that never reach their end still visit all subscriptions equally often.
  void StartRound();
  // The next subscription of the round. Null: the round has ended.
  Subscription* NextOfRound();

  size_t held_bytes() const { return held_bytes_; }
  // The numbers of OnGap calls, of repeated subscriptions, and of messages that could not be read.
  uint64_t gaps() const { return gaps_; }
  uint64_t resubscribes() const { return resubscribes_; }
  uint64_t malformed() const { return malformed_; }

 private:
  using Map = absl::node_hash_map<std::string, Subscription>;
  template <typename Tag>
  using List = boost::intrusive::list<Subscription, boost::intrusive::base_hook<Hook<Tag>>,
                                      boost::intrusive::constant_time_size<false>>;
  // The waiting time doubles with each attempt. From the last one on it stays the same.
  static constexpr size_t kAttempts = 5;

  // Runs `work` on the feed, which delivers to the listener. Returns whether the feed is behind and
  // its subscription has not ended.
  template <typename Work>
  bool WithFeed(Subscription* subscription, Work work);
  // FeedSink, for the subscription `delivering_`.
  void Deliver(const Position& position, uint64_t previous, absl::string_view body) override;
  void Tell(const Gap& gap) override;

  PublisherId NextNonce();
  // Subscribes, and waits for the proof in the list of `attempt`.
  void Make(Subscription* subscription, size_t attempt);
  void WaitForProof(Subscription* subscription, size_t attempt);

  const ChannelClientOptions options_;
  const Clock* const clock_;
  ChannelLinks* const links_;
  ChannelListener* const listener_;
  uint64_t gaps_ = 0;
  uint64_t resubscribes_ = 0;
  uint64_t malformed_ = 0;

  uint64_t nonces_ = 0;
  Map subscriptions_;
  // The subscriptions without an announcement, by attempt. All of one list wait for the same time,
  // so each list is in the order of its times.
  std::array<List<WaitTag>, kAttempts> waiting_;

  uint64_t round_ = 0;
  List<RoundTag> by_round_;  // subscriptions with a visit in the present round are last

  size_t held_bytes_ = 0;  // of all feeds
  Subscription* delivering_ = nullptr;
  std::vector<Map::node_type> ended_;  // ended during their own delivery
  channel::v1::Content incoming_;      // kept for its memory
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_ZMQ_SUBSCRIPTIONS_H_
