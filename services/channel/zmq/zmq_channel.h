#ifndef GROUPCAST_SERVICES_CHANNEL_ZMQ_ZMQ_CHANNEL_H_
#define GROUPCAST_SERVICES_CHANNEL_ZMQ_ZMQ_CHANNEL_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/channel/channel.h"
#include "services/channel/proto/wire.pb.h"
#include "services/channel/wire.h"
#include "services/channel/zmq/sockets.h"
#include "services/common/event_loop.h"
#include "services/common/logging.h"
#include "zmq.hpp"

namespace groupcast::service {

struct ZmqChannelOptions {
  ChannelAddress server;

  // The largest message this worker takes from clients. A server that takes less is a
  // misconfiguration.
  size_t max_message_bytes = 64 * 1024;

  // Publications without an answer may take this many bytes; over it, Publish answers kUnavailable.
  size_t window_bytes_max = 64u << 20;

  // A subscription that was not announced for this long while connected is made again.
  absl::Duration resubscribe_after = absl::Milliseconds(200);

  // What has no answer for so long while connected fails, with an unknown outcome: it was lost on a
  // link that broke and came back.
  absl::Duration answer_timeout = absl::Seconds(10);
};

// The engine that speaks to a channel server, over three links (docs/channel_wire.md):
//
//   publish    XPUB, not PUB: it sees the server's subscription, so it knows from when on it does
//   not lose subscribe  SUB control    DEALER: hello, acknowledgements, history
//
// It counts as connected when hello was answered and the publish link is up. It works at the end of
// the loop's turns: what came in since the last turn is handed to the listener as one batch.
class ZmqChannel final : public Channel, private EventHandler {
 public:
  // Begins to connect. `loop` and `listener` must outlive it. Must be made after fork(2).
  static absl::StatusOr<std::unique_ptr<ZmqChannel>> Create(const ZmqChannelOptions& options,
                                                            EventLoop* loop,
                                                            ChannelListener* listener);
  ~ZmqChannel() override;

  void Publish(absl::string_view group_id, const Content& content, PublishCallback done) override;
  void Subscribe(absl::string_view group_id) override;
  void Unsubscribe(absl::string_view group_id) override;
  void FetchHistory(absl::string_view group_id, uint64_t after, uint32_t limit,
                    HistoryCallback done) override;
  bool connected() const override { return connected_; }

 private:
  struct Publication {
    PublishCallback done;
    size_t bytes = 0;
    absl::Time deadline;
  };
  struct Request {
    HistoryCallback done;
    absl::Time deadline;
  };
  struct Subscription {
    // Only an announcement with this nonce proves that the subscription is in force: any other may
    // answer somebody else's, or one of this worker's that has ended since.
    PublisherId nonce{};
    bool announced = false;
    int times_subscribed = 0;  // libzmq counts: as often it must be unsubscribed
  };

  // A subscription to be made again at `at`, unless it was announced or ended by then: so there are
  // never more of them than subscriptions that were made lately or still wait.
  struct Unannounced {
    absl::Time at;
    std::string group_id;
    PublisherId nonce{};
  };

  ZmqChannel(const ZmqChannelOptions& options, EventLoop* loop, ChannelListener* listener);
  absl::Status Connect();

  void OnEvents(uint32_t events) override;
  bool Drain();
  void DrainMonitor();
  void DrainPublishLink();
  void DrainControl();
  bool DrainSubscribeLink();
  void Tick();

  void SendHello();
  void UpdateConnected();
  // Every publication and request without an answer gets one.
  void FailPending();

  void OnHelloReply(const channel::v1::HelloReply& reply);
  void OnAcknowledgement(const channel::v1::Acknowledgement& acknowledgement);
  void OnHistory(const channel::v1::History& history);
  void OnLiveFrame(absl::string_view bytes);
  void NoteBadInput(absl::string_view link, absl::string_view what);
  void SubscribeOnce(const std::string& group_id, Subscription* subscription);
  void EndProof(absl::string_view group_id, const Subscription& subscription);
  void CheckDeadlines();
  Publication PopOldest();

  const ZmqChannelOptions options_;
  EventLoop* const loop_;
  ChannelListener* const listener_;
  const PublisherId publisher_;
  LogLimit bad_input_limit_;

  zmq::context_t context_;
  zmq::socket_t publish_;
  zmq::socket_t subscribe_;
  zmq::socket_t control_;
  zmq::socket_t control_monitor_;  // reports when the control link comes and goes

  // ZeroMQ signals a socket once; after any call on it, it must be read until it has no more.
  bool touched_ = true;
  bool control_up_ = false;
  bool hello_answered_ = false;
  uint64_t hello_attempt_ = 0;
  int publish_subscriptions_ = 0;  // of the server's; the publish link is up while there is one
  bool connected_ = false;

  uint64_t next_number_ = 1;
  std::deque<Publication> window_;  // numbers up to next_number_ - 1 that have no result yet
  size_t window_bytes_ = 0;

  uint64_t next_request_ = 1;
  absl::flat_hash_map<uint64_t, Request> requests_;

  absl::flat_hash_map<std::string, Subscription> subscriptions_;
  std::deque<Unannounced> unannounced_;  // in the order of their deadlines

  // Answers that were known inside the call that asked: given at the turn's end.
  std::vector<std::function<void()>> deferred_;
  // Kept for their memory. Two, because a listener may publish while it looks at a message.
  channel::v1::Content outgoing_;
  channel::v1::Content incoming_;
  // Outlives the channel in the loop's timers and hooks, which look at it before they call back.
  std::shared_ptr<ZmqChannel*> self_;
};

// The body of a live frame as the seam has it; the views point into `body`. False: it has a kind
// this version does not know.
bool ContentFromWire(const channel::v1::Content& wire, Content* content);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_ZMQ_ZMQ_CHANNEL_H_
