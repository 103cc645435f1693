#include "services/channel/zmq/zmq_channel.h"

#include <cstring>
#include <functional>
#include <optional>

#include "absl/strings/str_cat.h"
#include "services/common/posix.h"
#include "spdlog/spdlog.h"

namespace groupcast::service {
namespace {

using channel::v1::Refusal;

constexpr absl::Duration kTick = absl::Milliseconds(50);

// How many messages one turn takes from the subscribe link, so that a flood does not keep clients
// waiting.
constexpr int kMessagesPerTurn = 512;
constexpr size_t kBytesPerTurn = 256 * 1024;  // and outboxes are not filled without being written

constexpr char kMonitorEndpoint[] = "inproc://control_monitor";

absl::Status RefusalStatus(Refusal::Reason reason) {
  if (reason == Refusal::TOO_LARGE) {
    return absl::ResourceExhaustedError("larger than the channel takes");
  }
  return absl::InternalError("the channel server could not read the publication");
}

}  // namespace

bool ContentFromWire(const channel::v1::Content& wire, Content* content) {
  switch (wire.kind()) {
    case channel::v1::Content::TEXT:
      content->kind = Content::Kind::kText;
      break;
    case channel::v1::Content::JSON:
      content->kind = Content::Kind::kJson;
      break;
    default:
      return false;
  }
  content->data = wire.data();
  content->sent_at_ms = wire.sent_at_ms();
  return true;
}

absl::StatusOr<std::unique_ptr<ZmqChannel>> ZmqChannel::Create(const ZmqChannelOptions& options,
                                                               EventLoop* loop,
                                                               ChannelListener* listener) {
  std::unique_ptr<ZmqChannel> channel(new ZmqChannel(options, loop, listener));
  if (absl::Status status = channel->Connect(); !status.ok()) return status;
  return channel;
}

ZmqChannel::ZmqChannel(const ZmqChannelOptions& options, EventLoop* loop, ChannelListener* listener)
    : options_(options),
      loop_(loop),
      listener_(listener),
      publisher_(PublisherId{RandomId()}),
      context_(1),
      self_(std::make_shared<ZmqChannel*>(this)) {}

ZmqChannel::~ZmqChannel() {
  *self_ = nullptr;
  for (zmq::socket_t* socket : {&publish_, &subscribe_, &control_, &control_monitor_}) {
    if (*socket) loop_->Remove(socket->get(zmq::sockopt::fd), this);
  }
}

absl::Status ZmqChannel::Connect() {
  try {
    publish_ = zmq::socket_t(context_, zmq::socket_type::xpub);
    subscribe_ = zmq::socket_t(context_, zmq::socket_type::sub);
    control_ = zmq::socket_t(context_, zmq::socket_type::dealer);
    control_monitor_ = zmq::socket_t(context_, zmq::socket_type::pair);
    for (zmq::socket_t* socket : {&publish_, &subscribe_, &control_}) {
      SetCommonOptions(*socket);
      socket->set(zmq::sockopt::reconnect_ivl, 20);
      socket->set(zmq::sockopt::reconnect_ivl_max, 500);
    }
    // Bounded by the window here, not by ZeroMQ, which would drop.
    publish_.set(zmq::sockopt::sndhwm, 0);
    publish_.set(zmq::sockopt::xpub_verboser, true);
    // With a mark, SUB would drop its own subscriptions.
    subscribe_.set(zmq::sockopt::sndhwm, 0);
    subscribe_.set(zmq::sockopt::rcvhwm, 10'000);
    // Otherwise what is sent while there is no connection would be kept and sent on the next one.
    publish_.set(zmq::sockopt::immediate, true);
    control_.set(zmq::sockopt::immediate, true);
    control_.set(zmq::sockopt::routing_id, RoutingId(publisher_));

    if (zmq_socket_monitor(control_.handle(), kMonitorEndpoint,
                           ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED) != 0) {
      return absl::InternalError(zmq_strerror(zmq_errno()));
    }
    control_monitor_.connect(kMonitorEndpoint);
    for (zmq::socket_t* socket : {&publish_, &subscribe_, &control_, &control_monitor_}) {
      if (absl::Status status = loop_->Add(socket->get(zmq::sockopt::fd), EPOLLIN, this);
          !status.ok()) {
        return status;
      }
    }
    publish_.connect(Endpoint(options_.server.host, options_.server.publish_port));
    subscribe_.connect(Endpoint(options_.server.host, options_.server.subscribe_port));
    control_.connect(Endpoint(options_.server.host, options_.server.control_port));
  } catch (const zmq::error_t& error) {
    return absl::InvalidArgumentError(
        absl::StrCat("channel server ", options_.server.host, ": ", error.what()));
  }
  loop_->AddTurnHook([self = self_] { return *self != nullptr && (*self)->Drain(); });
  loop_->RunEvery(kTick, [self = self_] {
    if (*self != nullptr) (*self)->Tick();
  });
  return absl::OkStatus();
}

void ZmqChannel::Publish(absl::string_view group_id, const Content& content, PublishCallback done) {
  touched_ = true;
  outgoing_.set_kind(content.kind == Content::Kind::kText ? channel::v1::Content::TEXT
                                                          : channel::v1::Content::JSON);
  outgoing_.set_data(content.data.data(), content.data.size());
  outgoing_.set_sent_at_ms(content.sent_at_ms);
  const size_t prefix_bytes = LiveFramePrefixBytes(group_id);
  const size_t bytes = prefix_bytes + outgoing_.ByteSizeLong();
  if (!connected_ || window_bytes_ + bytes > options_.window_bytes_max) {
    deferred_.push_back([done = std::move(done), connected = connected_] {
      done(absl::UnavailableError(connected ? "too many publications wait for the channel"
                                            : "the channel server cannot be reached"));
    });
    return;
  }
  zmq::message_t frame(bytes);
  WriteLiveFramePrefix(
      group_id, {.kind = LiveKind::kPublication, .publisher = publisher_, .number = next_number_++},
      frame.data<char>());
  outgoing_.SerializeWithCachedSizesToArray(frame.data<uint8_t>() + prefix_bytes);
  publish_.send(frame, zmq::send_flags::dontwait);
  window_.push_back({std::move(done), bytes, loop_->now() + options_.answer_timeout});
  window_bytes_ += bytes;
}

void ZmqChannel::Subscribe(absl::string_view group_id) {
  const auto [entry, is_new] = subscriptions_.try_emplace(std::string(group_id));
  if (!is_new) return;
  entry->second.nonce = PublisherId{RandomId()};
  SubscribeOnce(entry->first, &entry->second);
}

void ZmqChannel::SubscribeOnce(const std::string& group_id, Subscription* subscription) {
  touched_ = true;
  ++subscription->times_subscribed;
  subscribe_.set(zmq::sockopt::subscribe, TopicOf(group_id));
  subscribe_.set(zmq::sockopt::subscribe, ProofTopicOf(group_id, subscription->nonce));
  unannounced_.push_back(
      {loop_->now() + options_.resubscribe_after, group_id, subscription->nonce});
}

void ZmqChannel::EndProof(absl::string_view group_id, const Subscription& subscription) {
  touched_ = true;
  for (int i = 0; i < subscription.times_subscribed; ++i) {
    subscribe_.set(zmq::sockopt::unsubscribe, ProofTopicOf(group_id, subscription.nonce));
  }
}

void ZmqChannel::Unsubscribe(absl::string_view group_id) {
  const auto found = subscriptions_.find(group_id);
  if (found == subscriptions_.end()) return;
  touched_ = true;
  if (!found->second.announced) EndProof(group_id, found->second);
  for (; found->second.times_subscribed > 0; --found->second.times_subscribed) {
    subscribe_.set(zmq::sockopt::unsubscribe, TopicOf(group_id));
  }
  subscriptions_.erase(found);
}

void ZmqChannel::FetchHistory(absl::string_view group_id, uint64_t after, uint32_t limit,
                              HistoryCallback done) {
  touched_ = true;
  channel::v1::FetchHistory fetch;
  fetch.set_request(next_request_);
  fetch.set_group_id(group_id.data(), group_id.size());
  fetch.set_after(after);
  fetch.set_limit(limit);
  const std::string frame = ControlFrame(ControlKind::kFetchHistory, fetch);
  if (!connected_ || !control_.send(zmq::buffer(frame), zmq::send_flags::dontwait)) {
    deferred_.push_back([done = std::move(done)] {
      done(absl::UnavailableError("the channel server cannot be reached"));
    });
    return;
  }
  requests_.emplace(next_request_++,
                    Request{std::move(done), loop_->now() + options_.answer_timeout});
}

void ZmqChannel::OnEvents(uint32_t) { touched_ = true; }

bool ZmqChannel::Drain() {
  std::vector<std::function<void()>> deferred;
  deferred.swap(deferred_);
  for (const std::function<void()>& answer : deferred) answer();
  if (!touched_) return false;
  touched_ = false;
  DrainMonitor();
  DrainPublishLink();
  DrainControl();
  const bool more = DrainSubscribeLink();
  // What the listener did meanwhile may have swallowed a signal, or deferred an answer.
  if (more) touched_ = true;
  return touched_ || !deferred_.empty();
}

void ZmqChannel::DrainMonitor() {
  zmq::message_t event;
  zmq::message_t address;
  while (control_monitor_.recv(event, zmq::recv_flags::dontwait)) {
    if (event.more() && !control_monitor_.recv(address)) return;
    uint16_t id = 0;
    if (event.size() < sizeof(id)) continue;
    std::memcpy(&id, event.data(), sizeof(id));
    control_up_ = id == ZMQ_EVENT_HANDSHAKE_SUCCEEDED;
    ++hello_attempt_;
    hello_answered_ = false;
    UpdateConnected();
    if (control_up_) SendHello();
  }
}

void ZmqChannel::DrainPublishLink() {
  zmq::message_t message;
  while (publish_.recv(message, zmq::recv_flags::dontwait)) {
    const absl::string_view subscription = View(message);
    if (subscription.size() != 1)
      continue;  // the server subscribes to everything: the empty prefix
    // A new connection's may come before the end of the old one's.
    publish_subscriptions_ += subscription[0] == 1 ? 1 : -1;
    UpdateConnected();
  }
}

void ZmqChannel::DrainControl() {
  zmq::message_t message;
  while (control_.recv(message, zmq::recv_flags::dontwait)) {
    const absl::StatusOr<ControlView> control = ParseControlFrame(View(message));
    if (!control.ok()) {
      NoteBadInput("control", control.status().message());
      continue;
    }
    const auto parse = [&](auto* body) {
      const bool ok =
          body->ParseFromArray(control->body.data(), static_cast<int>(control->body.size()));
      if (!ok) NoteBadInput("control", "a body that cannot be read");
      return ok;
    };
    switch (control->kind) {
      case ControlKind::kHelloReply: {
        channel::v1::HelloReply reply;
        if (parse(&reply)) OnHelloReply(reply);
        break;
      }
      case ControlKind::kAcknowledgement: {
        channel::v1::Acknowledgement acknowledgement;
        if (parse(&acknowledgement)) OnAcknowledgement(acknowledgement);
        break;
      }
      case ControlKind::kHistory: {
        channel::v1::History history;
        if (parse(&history)) OnHistory(history);
        break;
      }
      default:
        NoteBadInput("control", "an unknown kind");
    }
  }
}

bool ZmqChannel::DrainSubscribeLink() {
  zmq::message_t message;
  size_t bytes = 0;
  for (int i = 0; i < kMessagesPerTurn && bytes < kBytesPerTurn; ++i) {
    if (!subscribe_.recv(message, zmq::recv_flags::dontwait)) return false;
    bytes += message.size();
    OnLiveFrame(View(message));
  }
  return true;
}

void ZmqChannel::Tick() {
  touched_ = true;
  if (control_up_ && !hello_answered_) SendHello();
  CheckDeadlines();
  while (!unannounced_.empty() && unannounced_.front().at <= loop_->now()) {
    Unannounced next = std::move(unannounced_.front());
    unannounced_.pop_front();
    const auto found = subscriptions_.find(next.group_id);
    if (found == subscriptions_.end() || found->second.announced) continue;
    if (found->second.nonce != next.nonce) continue;  // one that was made since

    if (connected_) {
      SubscribeOnce(next.group_id, &found->second);
    } else {
      next.at = loop_->now() + options_.resubscribe_after;
      unannounced_.push_back(std::move(next));
    }
  }
}

void ZmqChannel::CheckDeadlines() {
  const absl::Time now = loop_->now();
  while (!window_.empty() && window_.front().deadline <= now) {
    PopOldest().done(absl::UnknownError("the channel server did not answer"));
  }
  std::vector<HistoryCallback> late;
  absl::erase_if(requests_, [&](auto& entry) {
    if (entry.second.deadline > now) return false;
    late.push_back(std::move(entry.second.done));
    return true;
  });
  for (const HistoryCallback& done : late) {
    done(absl::UnavailableError("the channel server did not answer"));
  }
}

ZmqChannel::Publication ZmqChannel::PopOldest() {
  Publication oldest = std::move(window_.front());
  window_.pop_front();
  window_bytes_ -= oldest.bytes;
  return oldest;
}

void ZmqChannel::SendHello() {
  touched_ = true;
  channel::v1::Hello hello;
  hello.set_first_unacknowledged(next_number_ - window_.size());
  hello.set_attempt(hello_attempt_);
  // If it cannot be sent, the next tick tries again.
  control_.send(zmq::buffer(ControlFrame(ControlKind::kHello, hello)), zmq::send_flags::dontwait);
}

void ZmqChannel::UpdateConnected() {
  const bool connected = control_up_ && hello_answered_ && publish_subscriptions_ > 0;
  if (connected == connected_) return;
  connected_ = connected;
  if (!connected) FailPending();
  listener_->OnConnectionState(connected);
}

void ZmqChannel::FailPending() {
  std::deque<Publication> window;
  window.swap(window_);
  window_bytes_ = 0;
  for (const Publication& publication : window) {
    publication.done(absl::UnknownError("the connection to the channel server was lost"));
  }
  absl::flat_hash_map<uint64_t, Request> requests;
  requests.swap(requests_);
  for (const auto& [id, request] : requests) {
    request.done(absl::UnavailableError("the connection to the channel server was lost"));
  }
}

void ZmqChannel::OnHelloReply(const channel::v1::HelloReply& reply) {
  if (reply.attempt() != hello_attempt_) return;  // of a connection that is no more
  if (options_.max_message_bytes > reply.max_message_bytes()) {
    listener_->OnMisconfigured(absl::FailedPreconditionError(
        absl::StrCat("messages of up to ", options_.max_message_bytes,
                     " bytes are to be taken from clients, but the channel server takes ",
                     reply.max_message_bytes(), ": set --max_message_bytes of both alike")));
    return;
  }
  hello_answered_ = true;
  UpdateConnected();
}

void ZmqChannel::OnAcknowledgement(const channel::v1::Acknowledgement& acknowledgement) {
  const Epoch epoch{acknowledgement.epoch()};
  int next_refusal = 0;
  for (int i = 0; i < acknowledgement.offsets_size(); ++i) {
    const uint64_t number = acknowledgement.first_number() + i;
    // Those before were given up on when a connection was lost.
    while (!window_.empty() && next_number_ - window_.size() < number) {
      PopOldest().done(absl::UnknownError("the channel server skipped the publication"));
    }
    if (window_.empty() || next_number_ - window_.size() != number) continue;
    const Publication publication = PopOldest();
    if (const uint64_t offset = acknowledgement.offsets(i); offset != 0) {
      publication.done(Position{epoch, offset});
      continue;
    }
    while (next_refusal < acknowledgement.refusals_size() &&
           acknowledgement.refusals(next_refusal).number() < number) {
      ++next_refusal;
    }
    const bool refused = next_refusal < acknowledgement.refusals_size() &&
                         acknowledgement.refusals(next_refusal).number() == number;
    publication.done(refused
                         ? RefusalStatus(acknowledgement.refusals(next_refusal).reason())
                         : absl::UnknownError("the publication did not reach the channel server"));
  }
}

void ZmqChannel::OnHistory(const channel::v1::History& history) {
  const auto found = requests_.find(history.request());
  if (found == requests_.end()) return;
  HistoryCallback done = std::move(found->second.done);
  requests_.erase(found);
  History result;
  result.head = {Epoch{history.epoch()}, history.head()};
  result.floor = history.floor();
  for (const std::string& bytes : history.messages()) {
    const absl::StatusOr<LiveFrame> frame = ParseLiveFrame(bytes);
    channel::v1::Content wire;
    Content content;
    if (!frame.ok() ||
        !wire.ParseFromArray(frame->body.data(), static_cast<int>(frame->body.size())) ||
        !ContentFromWire(wire, &content)) {
      NoteBadInput("control", "a message in a history that cannot be read");
      done(absl::InternalError("the history cannot be read"));
      return;
    }
    result.messages.push_back({.offset = frame->header.offset,
                               .previous = frame->header.previous,
                               .kind = content.kind,
                               .data = std::string(content.data),
                               .sent_at_ms = content.sent_at_ms});
  }
  done(std::move(result));
}

void ZmqChannel::OnLiveFrame(absl::string_view bytes) {
  const absl::StatusOr<LiveFrame> frame = ParseLiveFrame(bytes);
  if (!frame.ok()) {
    NoteBadInput("subscribe", frame.status().message());
    return;
  }
  const LiveHeader& header = frame->header;
  if (header.kind == LiveKind::kAnnouncement) {
    const auto found = subscriptions_.find(frame->group_id);
    if (found == subscriptions_.end()) return;
    Subscription& subscription = found->second;
    if (!subscription.announced) {
      if (header.publisher != subscription.nonce) return;
      subscription.announced = true;
      EndProof(frame->group_id, subscription);
    }
    listener_->OnHead(frame->group_id, {header.epoch, header.offset});
    return;
  }
  Message message{.group_id = frame->group_id,
                  .epoch = header.epoch,
                  .offset = header.offset,
                  .previous = header.previous};
  if (header.kind != LiveKind::kMessage ||
      !incoming_.ParseFromArray(frame->body.data(), static_cast<int>(frame->body.size())) ||
      !ContentFromWire(incoming_, &message.content)) {
    NoteBadInput("subscribe", "a message that cannot be read");
    return;
  }
  listener_->OnMessage(message);
}

void ZmqChannel::NoteBadInput(absl::string_view link, absl::string_view what) {
  if (const int64_t count = bad_input_limit_.Admit(loop_->now())) {
    spdlog::warn("ignored on the {} link to the channel server: {} ({} since the last such line)",
                 std::string(link), std::string(what), count);
  }
}

}  // namespace groupcast::service
