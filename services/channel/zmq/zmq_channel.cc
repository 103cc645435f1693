#include "services/channel/zmq/zmq_channel.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "services/common/posix.h"
#include "spdlog/spdlog.h"

namespace groupcast::service {
namespace {

// The server has no use for this worker's keys, or the other way round.
// How long it waits before it tries again then.
constexpr absl::Duration kConnectAgain = absl::Seconds(1);
constexpr int kRefusals = ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                          ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL;

constexpr absl::Duration kTick = absl::Milliseconds(50);

// The bounds of one turn's input from the subscribe link. So a flood does not keep clients waiting,
// and outboxes do not fill up without a flush. A message to a very large group takes milliseconds.
constexpr int kMessagesPerTurn = 512;
constexpr size_t kBytesPerTurn = 256 * 1024;
constexpr absl::Duration kTimePerTurn = absl::Milliseconds(5);
constexpr int kMessagesPerLookAtTheClock = 8;

// The bytes of one message on the publish link, so that it is on its way before a long turn ends.
constexpr size_t kBatchBytes = 64 * 1024;

// Less than the second that a supervisor grants beyond the drain time.
constexpr int kPublishLingerMs = 250;

constexpr char kMonitorEndpoint[] = "inproc://control_monitor";

ZmqChannelOptions WithPublisher(ZmqChannelOptions options) {
  options.client.publisher = PublisherId{RandomId()};
  return options;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ZmqChannel>> ZmqChannel::Create(const ZmqChannelOptions& options,
                                                               EventLoop* loop,
                                                               ChannelListener* listener) {
  std::unique_ptr<ZmqChannel> channel(new ZmqChannel(options, loop, listener));
  if (absl::Status status = channel->Connect(); !status.ok()) return status;
  return channel;
}

ZmqChannel::ZmqChannel(const ZmqChannelOptions& options, EventLoop* loop, ChannelListener* listener)
    : options_(WithPublisher(options)),
      loop_(loop),
      clock_(loop),
      links_(this),
      client_(options_.client, &clock_, &links_, listener),
      presence_(this, client_.presence()),
      context_(1),
      self_(std::make_shared<ZmqChannel*>(this)) {}

ZmqChannel::~ZmqChannel() {
  *self_ = nullptr;
  // What is on its way when the worker ends shall arrive. Its results are not waited for. Only now:
  // of a socket that lingers, ZeroMQ leaks what waits for a connection that is lost.
  if (publish_ && connected()) {
    publish_.set(zmq::sockopt::linger, kPublishLingerMs);
    control_.set(zmq::sockopt::linger, kPublishLingerMs);
    client_.End();
  }
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
      if (options_.curve != nullptr) UseCurve(*options_.curve, *socket);
      socket->set(zmq::sockopt::reconnect_ivl, 20);
      socket->set(zmq::sockopt::reconnect_ivl_max, 500);
    }
    // Bounded by the window here, not by ZeroMQ, which would drop.
    publish_.set(zmq::sockopt::sndhwm, 0);
    publish_.set(zmq::sockopt::xpub_verboser, true);
    // With a mark, SUB would drop its own subscriptions.
    subscribe_.set(zmq::sockopt::sndhwm, 0);
    subscribe_.set(zmq::sockopt::rcvhwm, options_.receive_queue_frames_max);
    // Otherwise ZeroMQ would keep frames that are sent without a connection, and send them on the
    // next one.
    publish_.set(zmq::sockopt::immediate, true);
    control_.set(zmq::sockopt::immediate, true);
    control_.set(zmq::sockopt::routing_id, RoutingId(options_.client.publisher));

    if (zmq_socket_monitor(control_.handle(), kMonitorEndpoint,
                           ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED | kRefusals) !=
        0) {
      return absl::InternalError(zmq_strerror(zmq_errno()));
    }
    control_monitor_.connect(kMonitorEndpoint);
    for (zmq::socket_t* socket : {&publish_, &subscribe_, &control_, &control_monitor_}) {
      if (absl::Status status = loop_->Add(socket->get(zmq::sockopt::fd), EPOLLIN, this);
          !status.ok()) {
        return status;
      }
    }
    ConnectLinks();
  } catch (const zmq::error_t& error) {
    const std::string& directory = options_.server.socket_dir;
    return absl::InvalidArgumentError(
        absl::StrCat("channel server ", directory.empty() ? TcpUrl(options_.server) : directory,
                     ": ", error.what()));
  }
  loop_->AddTurnHook([self = self_] {
    const bool more = *self != nullptr && (*self)->Drain();
    return more ? absl::InfinitePast() : absl::InfiniteFuture();
  });
  loop_->RunEvery(kTick, [self = self_] {
    if (*self != nullptr) {
      (*self)->Touch();
      (*self)->client_.Tick();
    }
  });
  return absl::OkStatus();
}

void ZmqChannel::Publish(const Publication& publication, PublishCallback done) {
  Touch();
  client_.Publish(publication, std::move(done));
}

void ZmqChannel::Subscribe(absl::string_view group_id) { client_.Subscribe(group_id); }

void ZmqChannel::Unsubscribe(absl::string_view group_id) { client_.Unsubscribe(group_id); }

void ZmqChannel::FetchHistory(absl::string_view group_id, const Position& after, uint32_t newest,
                              HistoryCallback done) {
  Touch();
  client_.FetchHistory(group_id, after, newest, std::move(done));
}

void ZmqChannel::Links::SendPublication(absl::string_view frame) {
  channel_->Touch();
  channel_->batch_.emplace_back(frame.data(), frame.size());
  channel_->batch_bytes_ += frame.size();
  if (channel_->batch_bytes_ >= kBatchBytes) channel_->EndBatch();
}

// All parts at once: ZeroMQ leaks the first parts of a message whose link ends before its last one
// comes (libzmq 4.3.4).
void ZmqChannel::EndBatch() {
  for (zmq::message_t& frame : batch_) {
    const bool is_last = &frame == &batch_.back();
    publish_.send(frame, (is_last ? zmq::send_flags::none : zmq::send_flags::sndmore) |
                             zmq::send_flags::dontwait);
  }
  batch_.clear();
  batch_bytes_ = 0;
}

bool ZmqChannel::Links::SendControl(absl::string_view frame) {
  channel_->Touch();
  return channel_->control_.send(zmq::buffer(frame.data(), frame.size()), zmq::send_flags::dontwait)
      .has_value();
}

void ZmqChannel::Links::Subscribe(const std::string& topic) {
  channel_->Touch();
  channel_->subscribe_.set(zmq::sockopt::subscribe, topic);
}

void ZmqChannel::Links::Unsubscribe(const std::string& topic) {
  channel_->Touch();
  channel_->subscribe_.set(zmq::sockopt::unsubscribe, topic);
}

void ZmqChannel::TouchingPresence::Watch(absl::string_view group_id) {
  presence_->Watch(group_id);
  channel_->FlushPresence();
}

void ZmqChannel::TouchingPresence::Unwatch(absl::string_view group_id) {
  presence_->Unwatch(group_id);
  channel_->FlushPresence();
}

void ZmqChannel::TouchingPresence::OnJoin(absl::string_view group_id, uint64_t connection_id) {
  presence_->OnJoin(group_id, connection_id);
  channel_->FlushPresence();
}

void ZmqChannel::TouchingPresence::OnLeave(absl::string_view group_id, uint64_t connection_id,
                                           bool connection_lost) {
  presence_->OnLeave(group_id, connection_id, connection_lost);
  channel_->FlushPresence();
}

void ZmqChannel::FlushPresence() {
  if (client_.presence_is_due()) loop_->WantTurn();
}

void ZmqChannel::OnEvents(uint32_t) { Touch(); }

void ZmqChannel::Touch() {
  touched_ = true;
  loop_->WantTurn();
}

bool ZmqChannel::Drain() {
  client_.GiveAnswers();
  EndBatch();
  if (!touched_) return false;
  touched_ = false;
  DrainMonitor();
  DrainPublishLink();
  if ((subscribe_.get(zmq::sockopt::events) & ZMQ_POLLIN) != 0) client_.OnLiveInputWaits();
  DrainControl();
  const bool more = DrainSubscribeLink();
  // Answers may cause work that swallows a signal of a socket; then the next turn looks again.
  if (client_.GiveAnswers() || more) touched_ = true;
  EndBatch();
  return touched_;
}

void ZmqChannel::DrainMonitor() {
  zmq::message_t event;
  zmq::message_t address;
  while (control_monitor_.recv(event, zmq::recv_flags::dontwait)) {
    if (event.more() && !control_monitor_.recv(address)) return;
    uint16_t id = 0;
    if (event.size() < sizeof(id)) continue;
    std::memcpy(&id, event.data(), sizeof(id));
    if (id == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
      client_.OnControlUp();
    } else if ((id & kRefusals) != 0) {
      OnRefusal(id);
    } else {
      client_.OnControlDown();
    }
  }
}

void ZmqChannel::OnRefusal(uint16_t event) {
  // Without detail, the connection ended during its handshake. A server ends it so if it cannot
  // decrypt, but it may also have other reasons. ZeroMQ tries again by itself.
  const bool is_certain = event != ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL;
  if (!is_certain && options_.curve == nullptr) return;
  if (const int64_t count = refusal_limit_.Admit(clock_.Now())) {
    spdlog::error(
        "the channel server and this worker do not agree on keys ({} since the last such line): {}",
        count,
        options_.curve == nullptr
            ? "if the server has --curve_secret_key, this service needs --channel_curve_..."
        : event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH
            ? "the server does not allow this worker's key"
            : "perhaps the server has another key than --channel_curve_server_key, or none");
  }
  if (!is_certain) return;
  if (!std::exchange(connects_again_, true)) ConnectAgainSoon();
}

void ZmqChannel::ConnectAgainSoon() {
  loop_->RunAfter(kConnectAgain, [self = self_] {
    if (*self != nullptr) (*self)->ConnectAgain();
  });
}

void ZmqChannel::ConnectLinks() {
  const std::string& directory = options_.server.socket_dir;
  const ChannelEndpoints endpoints =
      directory.empty() ? TcpEndpoints(options_.server) : UnixEndpoints(directory);
  publish_.connect(endpoints.publish);
  subscribe_.connect(endpoints.subscribe);
  control_.connect(endpoints.control);
}

void ZmqChannel::ConnectAgain() {
  if (connected()) {
    connects_again_ = false;
    return;
  }
  for (zmq::socket_t* socket : {&publish_, &subscribe_, &control_}) {
    // An error: there is no connection, as wanted.
    zmq_disconnect(socket->handle(), socket->get(zmq::sockopt::last_endpoint).c_str());
  }
  ConnectLinks();
  Touch();
  ConnectAgainSoon();
}

void ZmqChannel::DrainPublishLink() {
  zmq::message_t message;
  while (publish_.recv(message, zmq::recv_flags::dontwait)) {
    EndBatch();  // it must go to the links that were up when it began
    const absl::string_view subscription = View(message);
    if (subscription.size() != 1)
      continue;  // the server subscribes to everything: the empty prefix
    if (subscription[0] == 1) {
      client_.OnPublishLinkUp();
    } else {
      client_.OnPublishLinkDown();
    }
  }
}

void ZmqChannel::DrainControl() {
  zmq::message_t message;
  while (control_.recv(message, zmq::recv_flags::dontwait)) {
    if (absl::Status status = client_.OnControlFrame(View(message)); !status.ok()) {
      NoteBadInput("control", status);
    }
  }
}

bool ZmqChannel::DrainSubscribeLink() {
  zmq::message_t message;
  size_t bytes = 0;
  for (int i = 1; i <= kMessagesPerTurn && bytes < kBytesPerTurn; ++i) {
    if (!subscribe_.recv(message, zmq::recv_flags::dontwait)) return false;
    bytes += message.size();
    if (absl::Status status = client_.OnLiveFrame(View(message)); !status.ok()) {
      NoteBadInput("subscribe", status);
    }
    if (i % kMessagesPerLookAtTheClock == 0 && real_time_.Now() - loop_->now() > kTimePerTurn)
      break;
  }
  return true;
}

void ZmqChannel::NoteBadInput(absl::string_view link, const absl::Status& status) {
  if (const int64_t count = bad_input_limit_.Admit(loop_->now())) {
    spdlog::warn("ignored on the {} link to the channel server: {} ({} since the last such line)",
                 std::string(link), std::string(status.message()), count);
  }
}

}  // namespace groupcast::service
