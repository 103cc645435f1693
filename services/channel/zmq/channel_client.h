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
#include "services/channel/zmq/publisher_link.h"
#include "services/channel/zmq/subscriptions.h"
#include "services/common/clock.h"

namespace groupcast::service {

// The worker's side of the protocol with the channel server (docs/channel_wire.md): a channel over
// three links, two of which may lose what they carry. It reads frames and gives them to its parts:
//
//   PublisherLink    the connection, and publications until each has a result
//   Subscriptions    subscriptions until each is announced, and the groups' feeds
//   Repairs          the questions for history that repair feeds, and those of users
//   HeadChecks       heads from digests, which get some time to come live
//   LiveOrder        heads that a late live link may still bring
//   HeadComparison   the comparison of all heads, page by page
//
// How it notices what the live link has lost. The next message of the group shows the hole. For a
// group's last message, the digests name heads: a head that has not come live in time is repaired,
// unless LiveOrder says that the link is only late. Then that head is checked when the link has
// come so far: lag costs one look at each group that it concerns. A comparison of all heads is left
// for the cases in which the worker cannot know the groups: a hello, a hole in the numbers of the
// digests, a new epoch, and a list over its bound.
//
// Logic only: the owner brings what the links bring, calls Tick every 50 ms or so, and calls
// GiveAnswers after each call of any method. Not thread-safe.
class ChannelClient final : public Channel, private RepairLink {
 public:
  struct Counters {
    uint64_t repairs = 0;       // requests for what a feed had missed
    uint64_t gaps = 0;          // told, because the messages could not be had
    uint64_t resyncs = 0;       // comparisons of all heads
    uint64_t resubscribes = 0;  // subscriptions made again
    uint64_t resends = 0;       // of the window
    uint64_t malformed = 0;     // frames that were ignored
  };

  // All must outlive it.
  ChannelClient(const ChannelClientOptions& options, const Clock* clock, ChannelLinks* links,
                ChannelListener* listener);
  ChannelClient(const ChannelClient&) = delete;
  ChannelClient& operator=(const ChannelClient&) = delete;

  // The control link has come up, in place of the one before if there was one; or it has gone.
  void OnControlUp();
  void OnControlDown();
  // The server has subscribed on the publish link, so that what is sent arrives; or the link has
  // gone. The subscription on a new link may come before the end of the old link.
  void OnPublishLinkUp() { link_.OnPublishLinkUp(); }
  void OnPublishLinkDown() { link_.OnPublishLinkDown(); }
  // kInvalidArgument: the frame was ignored. The message is a sentence for the log.
  absl::Status OnControlFrame(absl::string_view frame);
  absl::Status OnLiveFrame(absl::string_view frame);

  void Tick();

  // Calls the callbacks that are due. Returns whether there were any.
  bool GiveAnswers();

  void Publish(const Publication& publication, PublishCallback done) override;
  bool has_room() override { return link_.has_room(); }
  void Subscribe(absl::string_view group_id) override { subscriptions_.Subscribe(group_id); }
  void Unsubscribe(absl::string_view group_id) override;
  void FetchHistory(absl::string_view group_id, const Position& after, uint32_t newest,
                    HistoryCallback done) override;
  bool connected() const override { return link_.connected(); }

  Counters counters() const;
  size_t window_bytes() const { return link_.window_bytes(); }
  size_t held_bytes() const { return subscriptions_.held_bytes(); }
  size_t unchecked_heads() const { return head_checks_.size(); }
  size_t late_groups() const { return live_order_.groups(); }

 private:
  void OnHelloReply(const channel::v1::HelloReply& reply);
  void OnAcknowledgement(const channel::v1::Acknowledgement& acknowledgement);
  void OnHistory(const channel::v1::History& history);
  void OnHeads(const channel::v1::Heads& heads);
  void OnDigest(const channel::v1::Digest& digest);

  // How the worker heard of a head. A head that it asked for says nothing about the subscription.
  enum class HeardBy { kDigest, kComparison };
  // Repairs the group if its feed lacks the head, unless the live link may still bring it.
  void CheckHead(absl::string_view group_id, const Position& head, HeardBy heard_by);
  // Gives the head the time to come live as well.
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
  Subscriptions subscriptions_;
  PublisherLink link_;
  Repairs repairs_;
  HeadChecks head_checks_;
  LiveOrder live_order_;
  HeadComparison comparison_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_ZMQ_CHANNEL_CLIENT_H_
