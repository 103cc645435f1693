#ifndef GROUPCAST_SERVICES_CHANNEL_ZMQ_CHANNEL_CLIENT_H_
#define GROUPCAST_SERVICES_CHANNEL_ZMQ_CHANNEL_CLIENT_H_

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "services/channel/channel.h"
#include "services/channel/head_checks.h"
#include "services/channel/position.h"
#include "services/channel/proto/wire.pb.h"
#include "services/channel/repairs.h"
#include "services/channel/wire.h"
#include "services/channel/zmq/channel_client_options.h"
#include "services/channel/zmq/channel_links.h"
#include "services/channel/zmq/head_comparison.h"
#include "services/channel/zmq/live_order.h"
#include "services/channel/zmq/presence_client.h"
#include "services/channel/zmq/publisher_link.h"
#include "services/channel/zmq/subscriptions.h"
#include "services/common/clock.h"

namespace groupcast::service {

// The worker's side of the protocol with the channel server (docs/channel_wire.md). It is a channel
// over three links; two of the links may lose frames. It reads frames and gives them to its parts:
//
//   PublisherLink    the connection, and publications until each has a result
//   Subscriptions    subscriptions until each is announced, and the groups' feeds
//   Repairs          the questions for history: repairs of feeds, and questions of users
//   HeadChecks       heads from digests, which get some time to come live
//   LiveOrder        heads that a late live link may still bring
//   HeadComparison   the comparison of all heads, page by page
//   PresenceClient   the members of groups, in both directions
//
// It finds losses of the live link in two ways. The group's next message shows the hole. For a
// group's last message, the digests name heads. If a head does not come live in time, the client
// repairs it, unless LiveOrder says that the link is only late. Then the client checks the head
// when the link has reached it, so lag costs one check of each group with such a head.
//
// The client compares all heads if it cannot know the groups with losses:
//   - after a hello
//   - after a hole in the numbers of the digests
//   - after a new epoch
//   - after a list exceeded its bound
//
// Logic only: the owner gives it the events and frames of the links, and calls Tick about every 50
// ms. The owner calls GiveAnswers after each call of any method. Not thread-safe.
class ChannelClient final : public Channel, private RepairLink {
 public:
  struct Counters {
    uint64_t repairs = 0;       // requests for the missed messages of a feed
    uint64_t gaps = 0;          // calls of OnGap
    uint64_t resyncs = 0;       // comparisons of all heads
    uint64_t resubscribes = 0;  // subscriptions that were repeated
    uint64_t resends = 0;       // how often the window was sent again
    uint64_t malformed = 0;     // frames that were ignored
    uint64_t behind = 0;        // heads of digests that did not come live in time
  };

  // All pointers must outlive it.
  ChannelClient(const ChannelClientOptions& options, const Clock* clock, ChannelLinks* links,
                ChannelListener* listener);
  ChannelClient(const ChannelClient&) = delete;
  ChannelClient& operator=(const ChannelClient&) = delete;

  // The control link is up, and replaces the link before if there was one; or it is down.
  void OnControlUp();
  void OnControlDown();
  // The server has subscribed on the publish link, so that publications arrive; or the link is
  // down. The subscription on a new link may come before the end of the old link.
  void OnPublishLinkUp() { link_.OnPublishLinkUp(); }
  void OnPublishLinkDown() { link_.OnPublishLinkDown(); }
  // kInvalidArgument: the client ignored the frame. The message is a sentence for the log.
  absl::Status OnControlFrame(absl::string_view frame);
  absl::Status OnLiveFrame(absl::string_view frame);
  // The subscribe link has frames that were not handed in yet. To be called before OnControlFrame:
  // a worker that stood still must not take what waits in its own queue for lost.
  void OnLiveInputWaits() { live_order_.OnInputWaits(); }

  void Tick();

  // Calls the callbacks that are due. Returns whether there were any.
  bool GiveAnswers();

  void Publish(const Publication& publication, PublishCallback done) override;
  bool HasRoomFor(const PublicationsSize& size) override { return link_.HasRoomFor(size); }
  void Subscribe(absl::string_view group_id) override { subscriptions_.Subscribe(group_id); }
  void Unsubscribe(absl::string_view group_id) override;
  void FetchHistory(absl::string_view group_id, const Position& after, uint32_t newest,
                    HistoryCallback done) override;
  bool connected() const override { return link_.connected(); }
  size_t message_bytes_max() const override { return link_.message_bytes_max(); }
  Stats stats() const override;
  Presence* presence() override { return &presence_; }

  // There is news of presence, which GiveAnswers sends.
  bool presence_is_due() const { return presence_.is_due(); }
  // The worker ends, and has no connections any more.
  void End() { presence_.End(); }

  Counters counters() const;
  size_t window_bytes() const { return link_.window_bytes(); }
  size_t held_bytes() const { return subscriptions_.held_bytes(); }
  size_t unchecked_heads() const { return head_checks_.size(); }
  size_t view_bytes() const { return presence_.view_bytes(); }
  size_t late_groups() const { return live_order_.groups(); }

 private:
  void OnHelloReply(const channel::v1::HelloReply& reply);
  void OnAcknowledgement(const channel::v1::Acknowledgement& acknowledgement);
  void OnHistory(const channel::v1::History& history);
  void OnHeads(const channel::v1::Heads& heads);
  void OnDigest(const channel::v1::Digest& digest);
  void OnPresence(const channel::v1::PresenceFrame& frame);

  // The source of a head. A head from a comparison says nothing about the subscription.
  enum class HeardBy { kDigest, kComparison };
  // Repairs the group if its feed lacks the head, unless the live link may still bring it.
  void CheckHead(absl::string_view group_id, const Position& head, HeardBy heard_by);
  // Checks the head later. Until then its message may still come live.
  void CheckLater(absl::string_view group_id, const Position& head);
  void AddCheck(absl::string_view group_id, const Position& head);
  void CheckWhatIsDue();

  void OnRepair(absl::string_view group_id, const channel::v1::History& history);
  void GiveHistory(const channel::v1::History& wire, const Repairs::Question& question);

  // RepairLink.
  bool CanAsk() const override { return link_.hello_answered(); }
  std::optional<Position> RepairFrom(absl::string_view group_id) override;
  bool AskHistory(uint64_t request, absl::string_view group_id, const Position& after,
                  uint32_t newest) override;

  const Clock* const clock_;
  ChannelLinks* const links_;
  uint64_t malformed_ = 0;
  uint64_t behind_ = 0;
  Subscriptions subscriptions_;
  PublisherLink link_;
  Repairs repairs_;
  HeadChecks head_checks_;
  LiveOrder live_order_;
  HeadComparison comparison_;
  PresenceClient presence_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_ZMQ_CHANNEL_CLIENT_H_
