#ifndef GROUPCAST_SERVICES_CHANNEL_CHANNEL_CLIENT_H_
#define GROUPCAST_SERVICES_CHANNEL_CHANNEL_CLIENT_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/node_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/channel/channel.h"
#include "services/channel/feed.h"
#include "services/channel/proto/wire.pb.h"
#include "services/channel/window.h"
#include "services/channel/wire.h"
#include "services/common/clock.h"

namespace groupcast::service {

struct ChannelClientOptions {
  // Distinct over all workers and their incarnations.
  PublisherId publisher{};

  // The largest message this worker takes from clients. A server that takes less is a
  // misconfiguration.
  size_t max_message_bytes = 64 * 1024;

  WindowOptions window;

  // A subscription that was not announced for this long while connected is made again.
  absl::Duration resubscribe_after = absl::Milliseconds(200);

  // Without any result for this long while some are awaited, the server is asked.
  absl::Duration ask_after = absl::Milliseconds(200);

  // A publish link loses nothing while it is up, so what was sent on it is sent again only when
  // asking has led nowhere for this long. Longer than the heartbeats need to end a link that
  // stands still, so that copies of the window do not pile up before it.
  absl::Duration send_again_after = absl::Seconds(5);

  // A server that knows this worker sends it a digest every 250 ms. Without one for this long, it
  // is told hello again: it may have forgotten who was idle for very long.
  absl::Duration digest_timeout = absl::Seconds(2);

  // A head that came over control is given this time to come live as well, before it is repaired.
  absl::Duration repair_after = absl::Milliseconds(250);

  // A request over control without an answer for this long is made again, or fails.
  absl::Duration answer_timeout = absl::Seconds(5);
};

// The three links to the channel server, as the client sees them.
class ChannelLinks {
 public:
  // On the publish link. If it is not up, the frame is lost.
  virtual void SendPublication(absl::string_view frame) = 0;
  // On the control link. False: it cannot be sent now.
  virtual bool SendControl(absl::string_view frame) = 0;
  // On the subscribe link, which makes each subscription again when it comes back. They count: as
  // often as subscribed, it must be unsubscribed.
  virtual void Subscribe(const std::string& topic) = 0;
  virtual void Unsubscribe(const std::string& topic) = 0;

 protected:
  ~ChannelLinks() = default;
};

// The worker's side of what goes on between it and the channel server (docs/channel_wire.md): a
// channel over three links of which two may lose what they carry. It numbers publications and sends
// them until each has a result, makes subscriptions until each is announced, and repairs what the
// subscribe link lost.
//
// Logic only: whoever owns it brings what the links bring, calls Tick every 50 ms or so, and
// GiveAnswers after it has called any method. Not thread-safe.
class ChannelClient final : public Channel, private FeedSink {
 public:
  struct Counters {
    uint64_t repairs = 0;       // requests for what a feed had missed
    uint64_t gaps = 0;          // told, because it was not to be had
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

  // The control link has come up, in place of the one before if there was one; or gone.
  void OnControlUp();
  void OnControlDown();
  // The server has subscribed on the publish link, so that what is sent arrives; or the link has
  // gone. A new link's subscription may come before the end of the old one.
  void OnPublishLinkUp();
  void OnPublishLinkDown();
  // kInvalidArgument: ignored, with a sentence for the log.
  absl::Status OnControlFrame(absl::string_view frame);
  absl::Status OnLiveFrame(absl::string_view frame);

  void Tick();

  // Calls the callbacks that are due. Returns whether there were any.
  bool GiveAnswers();

  void Publish(const Publication& publication, PublishCallback done) override;
  bool has_room() override;
  void Subscribe(absl::string_view group_id) override;
  void Unsubscribe(absl::string_view group_id) override;
  void FetchHistory(absl::string_view group_id, const Position& after, uint32_t newest,
                    HistoryCallback done) override;
  bool connected() const override { return connected_; }

  const Counters& counters() const { return counters_; }
  size_t window_bytes() const { return window_.bytes(); }
  size_t held_bytes() const { return held_bytes_; }
  size_t unchecked_heads() const { return unchecked_.size(); }

 private:
  struct Subscription {
    const std::string* group_id = nullptr;  // the key under which it is known
    Feed feed;
    // Only an announcement with this nonce proves that the subscription is in force: any other may
    // answer somebody else's, or one of this worker's that has ended since.
    PublisherId nonce{};
    bool announced = false;
    bool repair_queued = false;  // in repairs_, or asked for
    bool ended = false;          // unsubscribed while it delivers
    size_t counted_bytes = 0;    // of held_bytes_
    int times_subscribed = 0;    // libzmq counts
  };
  using Subscriptions = absl::node_hash_map<std::string, Subscription>;
  // A request over control.
  struct Request {
    HistoryCallback done;  // of FetchHistory
    bool newest = false;   // of FetchHistory: the newest messages, and not the oldest
    std::string group_id;  // of a repair
    channel::v1::CompareHeads compare;
    absl::Time deadline;
  };
  // A subscription to be made again at `at`, unless it was announced or ended by then: so there are
  // never more of them than subscriptions that were made lately or still wait.
  struct Unannounced {
    absl::Time at;
    std::string group_id;
    PublisherId nonce{};
  };
  // A head that should have come live by `at`.
  struct UncheckedHead {
    absl::Time at;
    std::string group_id;
    Position head;
  };

  // Runs `work` on the feed, with what it delivers going to the listener.
  template <typename Work>
  void WithFeed(Subscription* subscription, Work work);
  // FeedSink, for the subscription `delivering_`.
  void Deliver(const Position& position, uint64_t previous, absl::string_view frame) override;
  void Tell(const Gap& gap) override;

  void OnHelloReply(const channel::v1::HelloReply& reply);
  void OnAcknowledgement(const channel::v1::Acknowledgement& acknowledgement);
  void OnHistory(const channel::v1::History& history);
  void OnHeads(const channel::v1::Heads& heads);
  void OnDigest(const channel::v1::Digest& digest);
  absl::Status OnAnnouncement(const LiveFrame& frame);

  void EndControl();
  void SendHello();
  void UpdateConnected();
  void SetEpoch(Epoch epoch);
  void NoteOffset(const Position& position);
  void FlushWindow();
  void SendWindowAgain();

  PublisherId NextNonce();
  void SubscribeOnce(Subscription* subscription);
  void MakeLateSubscriptions();

  void Resync();
  void SendCompare(channel::v1::CompareHeads compare);
  // Whether the live link is only late: it brings messages in the order of their offsets, whatever
  // their groups, and has not come to that head yet. (Repairing what is on its way would make a
  // worker that cannot keep up even slower.)
  bool LiveMayBring(const Position& head) const;
  // Forgets that head; when the live link has come to the first that was put off, all are compared.
  void PutOff(const Position& head);
  void CheckLater(absl::string_view group_id, const Position& head);
  void CheckHeads();
  void QueueRepair(Subscription* subscription);
  void SendRepairs();
  void OnRepair(const std::string& group_id, const channel::v1::History& history);
  Subscription* Find(absl::string_view group_id);
  bool SendFetch(absl::string_view group_id, const Position& after, uint32_t newest);
  void CheckRequests();

  const ChannelClientOptions options_;
  const Clock* const clock_;
  ChannelLinks* const links_;
  ChannelListener* const listener_;
  Counters counters_;

  bool control_up_ = false;
  bool hello_answered_ = false;
  uint64_t hello_attempt_ = 0;
  absl::Time last_hello_ = absl::InfinitePast();
  absl::Time next_hello_ = absl::InfinitePast();  // unless it is answered by then
  int publish_links_ = 0;
  bool connected_ = false;
  bool misconfigured_ = false;

  // The epoch of the server that answered the last hello, or has said it since; and the highest
  // offset seen in it.
  Position highest_;

  Window window_;
  bool room_wanted_ = false;
  absl::Time last_progress_;  // of the window: a result, or results are waited for since then

  uint64_t nonces_ = 0;
  Subscriptions subscriptions_;
  std::deque<Unannounced> unannounced_;  // in the order of their times

  Position last_live_;  // of the last message that came live, and when it came
  absl::Time last_live_at_ = absl::InfinitePast();
  std::optional<Position> late_until_;  // heads were put off until the live link has come to that

  bool resync_due_ = false;
  uint64_t last_digest_ = 0;
  absl::Time last_digest_at_;            // or of the answer to the last hello
  std::deque<UncheckedHead> unchecked_;  // in the order of their times
  std::deque<std::string> repairs_;      // groups whose repair is to be asked for
  int repairs_asked_ = 0;
  size_t held_bytes_ = 0;  // of all feeds

  uint64_t next_request_ = 1;
  std::map<uint64_t, Request> requests_;

  std::vector<std::function<void()>> due_;
  Window::Answers answers_;

  Subscription* delivering_ = nullptr;
  // Those that ended while they delivered.
  std::vector<Subscriptions::node_type> ended_;
  // Kept for their memory. Two, because a listener may publish while it looks at a message.
  channel::v1::Content outgoing_;
  channel::v1::Content incoming_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_CHANNEL_CLIENT_H_
