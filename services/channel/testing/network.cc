#include "services/channel/testing/network.h"

#include <algorithm>
#include <utility>

namespace groupcast::service::testing {
namespace {

constexpr char kSubscribeByte = 1;
constexpr char kUnsubscribeByte = 0;

std::string SubscriptionFrame(char what, const std::string& topic) { return what + topic; }

}  // namespace

WorkerLinks::WorkerLinks(Network* network, PublisherId publisher, std::function<void()> wake)
    : network_(network),
      publisher_(publisher),
      wake_(std::move(wake)),
      self_(std::make_shared<WorkerLinks*>(this)) {
  network_->workers_.push_back(this);
  for (const auto name :
       {Network::LinkName::kPublish, Network::LinkName::kSubscribe, Network::LinkName::kControl}) {
    network_->Dial(this, name);
  }
}

WorkerLinks::~WorkerLinks() {
  *self_ = nullptr;
  for (const auto& [topic, is_there] : at_server_) {
    if (is_there) network_->Unfilter(topic);
  }
  std::erase(network_->workers_, this);
}

void WorkerLinks::SendPublication(absl::string_view frame) {
  if (!publish_.up || !publish_subscribed_) {
    ++network_->losses_.publications;
    return;
  }
  network_->ToServer(this, Network::LinkName::kPublish, std::string(frame));
}

bool WorkerLinks::SendControl(absl::string_view frame) {
  if (!control_.up || !network_->HasRoomToServer(*this)) {
    ++network_->losses_.control_refused;
    return false;
  }
  network_->ToServer(this, Network::LinkName::kControl, std::string(frame));
  return true;
}

void WorkerLinks::Subscribe(const std::string& topic) {
  ++subscriptions_[topic];
  if (!subscribe_.up) return;
  const int lost_one_in = network_->options_.lost_subscription_one_in;
  if (lost_one_in > 0 && network_->random_->OneIn(lost_one_in)) {
    ++network_->losses_.subscriptions;
    return;
  }
  network_->ToServer(this, Network::LinkName::kSubscribe, SubscriptionFrame(kSubscribeByte, topic));
}

void WorkerLinks::Unsubscribe(const std::string& topic) {
  const auto found = subscriptions_.find(topic);
  if (found == subscriptions_.end() || --found->second > 0) return;
  subscriptions_.erase(found);
  if (!subscribe_.up) return;
  network_->ToServer(this, Network::LinkName::kSubscribe,
                     SubscriptionFrame(kUnsubscribeByte, topic));
}

Network::Network(const NetworkOptions& options, EventQueue* events, Random* random)
    : options_(options), events_(events), random_(random) {}

Network::Link& Network::LinkOf(WorkerLinks* worker, LinkName name) {
  switch (name) {
    case LinkName::kPublish:
      return worker->publish_;
    case LinkName::kSubscribe:
      return worker->subscribe_;
    default:
      return worker->control_;
  }
}

bool Network::HasRoomToServer(const WorkerLinks& worker) const {
  const auto unread =
      std::count_if(server_->control.begin(), server_->control.end(),
                    [&](const auto& frame) { return frame.first == worker.publisher_; });
  return worker.control_.to_server + static_cast<size_t>(unread) < options_.control_queue_max;
}

void Network::ServerUp(ServerInbox* inbox, std::function<void()> wake) {
  server_ = inbox;
  wake_server_ = std::move(wake);
}

void Network::ServerDown() {
  server_ = nullptr;
  subscribers_.clear();
  for (WorkerLinks* worker : workers_) {
    worker->at_server_.clear();
    for (const LinkName name : {LinkName::kPublish, LinkName::kSubscribe, LinkName::kControl}) {
      Break(worker, name);
    }
  }
}

void Network::Dial(WorkerLinks* worker, LinkName name) {
  Link& link = LinkOf(worker, name);
  if (link.up || link.dialing) return;
  link.dialing = true;
  events_->After(random_->Between(options_.reconnect_min, options_.reconnect_max),
                 [this, self = worker->self_, name] {
                   if (*self == nullptr) return;
                   LinkOf(*self, name).dialing = false;
                   if (server_ == nullptr || events_->Now() < (*self)->isolated_until_) {
                     Dial(*self, name);
                   } else {
                     Connected(*self, name);
                   }
                 });
}

void Network::Connected(WorkerLinks* worker, LinkName name) {
  Link& link = LinkOf(worker, name);
  link.up = true;
  link.black_hole = false;
  ++link.generation;
  link.to_server = link.to_worker = 0;
  switch (name) {
    case LinkName::kPublish:
      // The server's subscription is on its way; when it is here, frames pass, and a little later
      // the worker reads that it came.
      worker->publish_subscribed_ = false;
      events_->After(Delay(), [this, self = worker->self_, generation = link.generation] {
        if (*self == nullptr || (*self)->publish_.generation != generation) return;
        (*self)->publish_subscribed_ = true;
        events_->After(Delay(), [self] {
          if (*self == nullptr) return;
          (*self)->inbox.publish.push_back(WorkerInbox::Event::kPublishUp);
          (*self)->wake_();
        });
      });
      break;
    case LinkName::kSubscribe:
      for (const auto& [topic, count] : worker->subscriptions_) {
        ToServer(worker, name, SubscriptionFrame(kSubscribeByte, topic));
      }
      break;
    case LinkName::kControl:
      worker->inbox.monitor.push_back(WorkerInbox::Event::kControlUp);
      worker->wake_();
      break;
  }
}

void Network::Break(WorkerLinks* worker, LinkName name) {
  Link& link = LinkOf(worker, name);
  if (!link.up) return;
  ++losses_.cuts;
  link.up = false;
  ++link.generation;
  switch (name) {
    case LinkName::kPublish: {
      losses_.publications += link.to_server;
      const bool was_subscribed = std::exchange(worker->publish_subscribed_, false);
      if (!was_subscribed) break;
      events_->After(Delay(), [self = worker->self_] {
        if (*self == nullptr) return;
        (*self)->inbox.publish.push_back(WorkerInbox::Event::kPublishDown);
        (*self)->wake_();
      });
      break;
    }
    case LinkName::kSubscribe:
      losses_.live += link.to_worker;
      losses_.subscriptions += link.to_server;
      for (const auto& [topic, is_there] : worker->at_server_) {
        if (is_there) Unfilter(topic);
      }
      worker->at_server_.clear();
      break;
    case LinkName::kControl:
      losses_.control += link.to_server + link.to_worker;
      worker->inbox.monitor.push_back(WorkerInbox::Event::kControlDown);
      worker->wake_();
      break;
  }
  Dial(worker, name);
}

void Network::Cut(PublisherId publisher, LinkName name) {
  for (WorkerLinks* worker : workers_) {
    if (worker->publisher_ == publisher) Break(worker, name);
  }
}

void Network::Silence(PublisherId publisher, LinkName name, absl::Duration silence) {
  for (WorkerLinks* worker : workers_) {
    Link& link = LinkOf(worker, name);
    if (worker->publisher_ != publisher || !link.up) continue;
    link.black_hole = true;
    events_->After(silence, [this, self = worker->self_, name, generation = link.generation] {
      if (*self == nullptr || LinkOf(*self, name).generation != generation) return;
      Break(*self, name);
    });
  }
}

void Network::Isolate(PublisherId publisher, absl::Time end) {
  for (WorkerLinks* worker : workers_) {
    if (worker->publisher_ != publisher) continue;
    worker->isolated_until_ = end;
    for (const LinkName name : {LinkName::kPublish, LinkName::kSubscribe, LinkName::kControl}) {
      Break(worker, name);
    }
  }
}

void Network::ToServer(WorkerLinks* worker, LinkName name, std::string frame) {
  Link& link = LinkOf(worker, name);
  ++link.to_server;
  link.last_to_server = std::max(link.last_to_server, events_->Now() + Delay());
  events_->After(link.last_to_server - events_->Now(),
                 [this, self = worker->self_, name, generation = link.generation,
                  publisher = worker->publisher_, frame = std::move(frame)]() mutable {
                   if (*self == nullptr || LinkOf(*self, name).generation != generation) return;
                   if (LinkOf(*self, name).black_hole) return;  // lost with the connection
                   --LinkOf(*self, name).to_server;
                   switch (name) {
                     case LinkName::kPublish:
                       server_->publications.push_back(std::move(frame));
                       break;
                     case LinkName::kSubscribe:
                       SubscriptionArrived(*self, frame);
                       break;
                     case LinkName::kControl:
                       server_->control.emplace_back(publisher, std::move(frame));
                       break;
                   }
                   wake_server_();
                 });
}

void Network::SubscriptionArrived(WorkerLinks* worker, const std::string& frame) {
  const std::string topic = frame.substr(1);
  bool& is_there = worker->at_server_[topic];
  if (frame[0] == kSubscribeByte) {
    if (!is_there) ++subscribers_[topic];
    is_there = true;
    server_->subscriptions.push_back(frame);  // each, as the socket is verbose
    return;
  }
  if (std::exchange(is_there, false)) Unfilter(topic);
}

void Network::Unfilter(const std::string& topic) {
  const auto found = subscribers_.find(topic);
  if (found == subscribers_.end() || --found->second > 0) return;
  subscribers_.erase(found);
  if (server_ == nullptr) return;
  server_->subscriptions.push_back(SubscriptionFrame(kUnsubscribeByte, topic));
  wake_server_();
}

bool Network::Broadcast(absl::string_view frame, bool may_drop) {
  const size_t end = frame.find('\0');
  const std::string topic(frame.substr(0, end + 1));
  const std::string proof(frame.substr(0, end + 1 + 12));
  std::vector<WorkerLinks*> subscribers;
  for (WorkerLinks* worker : workers_) {
    const auto subscribed = [worker](const std::string& to) {
      const auto found = worker->at_server_.find(to);
      return found != worker->at_server_.end() && found->second;
    };
    if (!worker->subscribe_.up || (!subscribed(topic) && !subscribed(proof))) continue;
    subscribers.push_back(worker);
    if (may_drop || HasRoomForLive(*worker)) continue;
    ++losses_.live_waits;
    return false;
  }
  for (WorkerLinks* worker : subscribers) {
    ToWorker(worker, LinkName::kSubscribe, std::string(frame));
  }
  return true;
}

// What the worker has not read yet fills the queue too.
bool Network::HasRoomForLive(const WorkerLinks& worker) const {
  return worker.subscribe_.to_worker + worker.inbox.live.size() < options_.subscriber_queue_max;
}

BrokerSink::Sent Network::SendControl(PublisherId to, absl::string_view frame) {
  for (WorkerLinks* worker : workers_) {
    if (worker->publisher_ != to || !worker->control_.up) continue;
    const size_t waiting = worker->control_.to_worker + worker->inbox.control.size();
    if (waiting >= options_.control_queue_max) {
      ++losses_.control_refused;
      return BrokerSink::Sent::kFull;
    }
    ToWorker(worker, LinkName::kControl, std::string(frame));
    return BrokerSink::Sent::kSent;
  }
  return BrokerSink::Sent::kGone;
}

void Network::ToWorker(WorkerLinks* worker, LinkName name, std::string frame) {
  Link& link = LinkOf(worker, name);
  if (name == LinkName::kSubscribe && !HasRoomForLive(*worker)) {
    ++losses_.live_queue_full;
    return;
  }
  ++link.to_worker;
  link.last_to_worker = std::max(link.last_to_worker, events_->Now() + Delay());
  events_->After(link.last_to_worker - events_->Now(),
                 [self = worker->self_, name, generation = link.generation,
                  frame = std::move(frame)]() mutable {
                   if (*self == nullptr || LinkOf(*self, name).generation != generation) return;
                   if (LinkOf(*self, name).black_hole) return;
                   --LinkOf(*self, name).to_worker;
                   (name == LinkName::kSubscribe ? (*self)->inbox.live : (*self)->inbox.control)
                       .push_back(std::move(frame));
                   (*self)->wake_();
                 });
}

}  // namespace groupcast::service::testing
