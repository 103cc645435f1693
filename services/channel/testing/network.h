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

// The three links between workers and the channel server, losing what ZeroMQ's sockets lose. (The
// calibration test beside it shows each of these losses with real sockets.)
//
//   publish    lost: what is sent while there is no connection, before the server's subscription
//              has arrived, and what is under way when the connection breaks. The worker learns of
//              both ends of a connection late.
//   subscribe  lost: as above; what finds the worker's queue full (messages and announcements
//              alike); in some worlds, subscriptions. The server's filter knows a subscription
//              before the server reads it.
//   control    in order and lossless while connected. What finds no room is refused to its sender.
//
// Connections break alone or all together, at once or after seconds in which nothing passes.
struct NetworkOptions {
  absl::Duration delay_max = absl::Milliseconds(5);
  absl::Duration reconnect_min = absl::Milliseconds(20);
  absl::Duration reconnect_max = absl::Milliseconds(300);
  size_t subscriber_queue_max = 1'000;  // frames
  size_t control_queue_max = 1'000;     // frames, each way
  int lost_subscription_one_in = 0;     // 0: none are lost
};

class Network;

// What a process reads from, in its turn.
struct ServerInbox {
  std::deque<std::pair<PublisherId, std::string>> control;
  std::deque<std::string> subscriptions;  // as XPUB has them: a byte 1 or 0, and the topic
  std::deque<std::string> publications;
};

struct WorkerInbox {
  enum class Event { kControlUp, kControlDown, kPublishUp, kPublishDown };
  // In the order in which they came, as the engine reads them: monitor, publish link, control,
  // subscribe link.
  std::deque<Event> monitor;
  std::deque<Event> publish;
  std::deque<std::string> control;
  std::deque<std::string> live;
};

// The worker's side of its links. It lives as long as the worker's process.
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
    absl::Time last_to_server;  // arrival of what was sent last: nothing overtakes
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

  // The server's sockets. Unless it `may_drop`, it is false if a subscriber's queue is full, and
  // nobody gets the frame.
  bool Broadcast(absl::string_view frame, bool may_drop);
  BrokerSink::Sent SendControl(PublisherId to, absl::string_view frame);

  enum class LinkName { kPublish, kSubscribe, kControl };
  // Breaks a worker's link, or lets nothing pass for `silence` and then breaks it.
  void Cut(PublisherId worker, LinkName link);
  void Silence(PublisherId worker, LinkName link, absl::Duration silence);
  // Breaks all links of a worker, and none comes up before `end`.
  void Isolate(PublisherId worker, absl::Time end);

  struct Losses {
    uint64_t publications = 0;
    uint64_t live = 0;
    uint64_t live_queue_full = 0;
    uint64_t live_waits = 0;  // not lost: the server was to try again
    uint64_t subscriptions = 0;
    uint64_t control = 0;
    uint64_t control_refused = 0;
    uint64_t cuts = 0;
  };
  const Losses& losses() const { return losses_; }

 private:
  friend class WorkerLinks;
  using Link = WorkerLinks::Link;

  // For control frames. What the server has not read yet fills the queue too.
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
