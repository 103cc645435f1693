#ifndef GROUPCAST_SERVICES_CHANNEL_TESTING_NETWORK_H_
#define GROUPCAST_SERVICES_CHANNEL_TESTING_NETWORK_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "services/channel/testing/event_queue.h"
#include "services/channel/zmq/channel_client.h"
#include "services/channel_server/broker/broker_sink.h"

namespace groupcast::service::testing {

// The three links between workers and the channel server. They lose the same frames as ZeroMQ's
// sockets. (The calibration test beside it shows each of these losses with real sockets.)
//
//   publish    loses frames that are sent without a connection, or before the server's subscription
//              has arrived. A broken connection loses the frames under way. The worker learns late
//              that a connection begins or ends.
//   subscribe  has the same losses. It also loses frames for which the worker's queue is full
//              (messages and announcements alike). In some worlds it loses subscriptions. The
//              server's filter knows a subscription before the server reads it.
//   control    in order and lossless while connected. If there is no room, the sender's call fails.
//
// Connections break alone or all together. They break at once, or after seconds without any
// traffic.
struct NetworkOptions {
  absl::Duration delay_max = absl::Milliseconds(5);
  absl::Duration reconnect_min = absl::Milliseconds(20);
  absl::Duration reconnect_max = absl::Milliseconds(300);
  size_t subscriber_queue_max = 1'000;  // frames
  size_t control_queue_max = 1'000;     // frames, each way
  int lost_subscription_one_in = 0;     // 0: none are lost
};

class Network;

// The queues that a process reads in its turn.
struct ServerInbox {
  std::deque<std::pair<PublisherId, std::string>> control;
  std::deque<std::string> subscriptions;  // as XPUB has them: a byte 1 or 0, and the topic
  std::deque<std::string> publications;
};

struct WorkerInbox {
  enum class Event { kControlUp, kControlDown, kPublishUp, kPublishDown };
  // Each queue is in the order of arrival. The engine reads them in this order: monitor, publish
  // link, control, subscribe link.
  std::deque<Event> monitor;
  std::deque<Event> publish;
  std::deque<std::string> control;
  std::deque<std::string> live;
};

// The worker's side of its links. It lives until the worker's process ends.
class WorkerLinks final : public ChannelLinks {
 public:
  WorkerLinks(Network* network, PublisherId publisher, std::function<void()> wake);
  ~WorkerLinks();

  void SendPublication(absl::string_view frame) override;
  bool SendControl(absl::string_view frame) override;
  void Subscribe(const std::string& topic) override;
  void Unsubscribe(const std::string& topic) override;

  WorkerInbox inbox;

 private:
  friend class Network;

  struct Link {
    bool up = false;
    bool dialing = false;
    bool black_hole = false;  // up as far as both sides know, but nothing passes
    uint64_t generation = 0;
    absl::Time last_to_server;  // arrival of the last frame: no frame overtakes it
    absl::Time last_to_worker;
    size_t to_server = 0;  // frames under way
    size_t to_worker = 0;
  };

  Network* const network_;
  const PublisherId publisher_;
  const std::function<void()> wake_;
  Link publish_;
  bool publish_subscribed_ = false;  // frames pass
  absl::Time isolated_until_ = absl::InfinitePast();
  Link subscribe_;
  Link control_;
  std::map<std::string, int> subscriptions_;  // how often subscribed
  std::map<std::string, bool> at_server_;     // the server's filter for this worker
  std::shared_ptr<WorkerLinks*> self_;
};

class Network {
 public:
  Network(const NetworkOptions& options, EventQueue* events, Random* random);

  // The server's process.
  void ServerUp(ServerInbox* inbox, std::function<void()> wake);
  void ServerDown();

  // The server's sockets. If a subscriber's queue is full and the server must not drop (`may_drop`
  // is false), Broadcast returns false and no subscriber gets the frame.
  bool Broadcast(absl::string_view frame, bool may_drop);
  BrokerSink::Sent SendControl(PublisherId to, absl::string_view frame);

  enum class LinkName { kPublish, kSubscribe, kControl };
  // Cut breaks a worker's link. Silence lets nothing pass for `silence` and then breaks it.
  void Cut(PublisherId worker, LinkName link);
  void Silence(PublisherId worker, LinkName link, absl::Duration silence);
  // Breaks all links of a worker. No link comes up before `end`.
  void Isolate(PublisherId worker, absl::Time end);

  struct Losses {
    uint64_t publications = 0;
    uint64_t live = 0;
    uint64_t live_queue_full = 0;
    uint64_t live_waits = 0;  // not lost: the server had to try again
    uint64_t subscriptions = 0;
    uint64_t control = 0;
    uint64_t control_refused = 0;
    uint64_t cuts = 0;
  };
  const Losses& losses() const { return losses_; }

 private:
  friend class WorkerLinks;
  using Link = WorkerLinks::Link;

  // For control frames. Frames that the server has not read yet fill the queue too.
  bool HasRoomToServer(const WorkerLinks& worker) const;
  void Dial(WorkerLinks* worker, LinkName name);
  void Connected(WorkerLinks* worker, LinkName name);
  void Break(WorkerLinks* worker, LinkName name);
  void ToServer(WorkerLinks* worker, LinkName name, std::string frame);
  bool HasRoomForLive(const WorkerLinks& worker) const;
  void ToWorker(WorkerLinks* worker, LinkName name, std::string frame);
  void SubscriptionArrived(WorkerLinks* worker, const std::string& frame);
  void Unfilter(const std::string& topic);
  static Link& LinkOf(WorkerLinks* worker, LinkName name);
  absl::Duration Delay() { return random_->Between(absl::ZeroDuration(), options_.delay_max); }

  const NetworkOptions options_;
  EventQueue* const events_;
  Random* const random_;
  Losses losses_;
  ServerInbox* server_ = nullptr;
  std::function<void()> wake_server_;
  std::vector<WorkerLinks*> workers_;
  std::map<std::string, int> subscribers_;  // of each topic
};

}  // namespace groupcast::service::testing

#endif  // GROUPCAST_SERVICES_CHANNEL_TESTING_NETWORK_H_
