#include "services/channel/zmq/publisher_link.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "services/channel/wire.h"
#include "services/channel/wire_content.h"

namespace groupcast::service {
namespace {

// A hello that could not be sent, or has no answer, is sent again after this time.
constexpr absl::Duration kHelloPeriod = absl::Seconds(1);

}  // namespace

PublisherLink::PublisherLink(const ChannelClientOptions& options, const Clock* clock,
                             ChannelLinks* links, ChannelListener* listener,
                             std::function<void()> on_connected)
    : options_(options),
      clock_(clock),
      links_(links),
      listener_(listener),
      on_connected_(std::move(on_connected)),
      window_(options.window),
      last_progress_(clock->Now()) {}

// ---- The connection.

void PublisherLink::OnControlUp() {
  OnControlDown();
  control_up_ = true;
  SendHello();
}

void PublisherLink::OnControlDown() {
  control_up_ = false;
  hello_answered_ = false;
  ++hello_attempt_;
  UpdateConnected();
}

void PublisherLink::OnPublishLinkUp() {
  ++publish_links_;
  // What was under way on the link before this one may be lost.
  SendWindowAgain();
  UpdateConnected();
  FlushWindow();
}

void PublisherLink::OnPublishLinkDown() {
  --publish_links_;
  UpdateConnected();
}

void PublisherLink::UpdateConnected() {
  const bool connected = hello_answered_ && publish_links_ > 0;
  if (connected == connected_) return;
  connected_ = connected;
  if (connected) on_connected_();
  listener_->OnConnectionState(connected);
  FlushWindow();
}

void PublisherLink::SendHello() {
  last_hello_ = clock_->Now();
  next_hello_ = last_hello_ + kHelloPeriod;
  channel::v1::Hello hello;
  hello.set_first_unacknowledged(window_.first_unacknowledged());
  hello.set_attempt(hello_attempt_);
  hello.set_epoch(static_cast<uint64_t>(highest_.epoch));
  hello.set_highest_offset(highest_.offset);
  links_->SendControl(ControlFrame(ControlKind::kHello, hello));
}

bool PublisherLink::OnHelloReply(const channel::v1::HelloReply& reply) {
  // Of a connection that has ended.
  if (!control_up_ || reply.attempt() != hello_attempt_) return false;
  if (options_.max_message_bytes > reply.max_message_bytes() && !server_bytes_max_.has_value() &&
      !options_.server_may_take_less) {
    if (!std::exchange(misconfigured_, true)) {
      listener_->OnMisconfigured(absl::FailedPreconditionError(
          absl::StrCat("messages of up to ", options_.max_message_bytes,
                       " bytes are to be taken from clients, but the channel server takes ",
                       reply.max_message_bytes(), ": set --max_message_bytes of both alike")));
    }
    return false;
  }
  const absl::Time now = clock_->Now();
  next_hello_ = absl::InfiniteFuture();
  last_digest_at_ = now;
  bool must_compare = SetEpoch(Epoch{reply.epoch()});
  OnAcknowledgement(reply.results());
  window_.OnAccepted(reply.last_accepted(), &answers_);
  if (!reply.known()) {
    window_.DoubtSent();
    SendWindowAgain();
  }
  server_bytes_max_ = reply.max_message_bytes();
  if (!hello_answered_) {
    // It may be another server than before.
    window_.GiveUpLarger(message_bytes_max(), &answers_);
    hello_answered_ = true;
    last_digest_ = reply.last_digest();
    last_progress_ = now;
    UpdateConnected();
    return true;
  }
  // The server sends no digests to a publisher that it has forgotten, and could not send some.
  if (!reply.known() || reply.last_digest() != last_digest_) must_compare = true;
  last_digest_ = reply.last_digest();
  // The server reads on when its subscribers have room. Sending again would only fill its queue.
  if (reply.reading_paused()) last_progress_ = now;
  // The worker asked because there was no progress.
  if (now - last_progress_ >= options_.send_again_after) SendWindowAgain();
  FlushWindow();
  return must_compare;
}

bool PublisherLink::OnDigest(uint64_t number, Epoch epoch) {
  bool must_compare = SetEpoch(epoch);
  if (number != last_digest_ + 1) must_compare = true;
  last_digest_ = number;
  last_digest_at_ = clock_->Now();
  return must_compare;
}

bool PublisherLink::SetEpoch(Epoch epoch) {
  if (highest_.epoch == epoch) return false;
  highest_ = {epoch, 0};
  return true;
}

void PublisherLink::NoteOffset(const Position& position) {
  if (position.epoch == highest_.epoch)
    highest_.offset = std::max(highest_.offset, position.offset);
}

// ---- Publications.

void PublisherLink::Publish(const Publication& publication, Channel::PublishCallback done) {
  const bool is_promised = promised_ > 0;
  if (is_promised) --promised_;
  const absl::string_view data = publication.content.data;
  if (data.size() > message_bytes_max()) {
    answers_.push_back({std::move(done), absl::ResourceExhaustedError(absl::StrCat(
                                             "larger than ", message_bytes_max(), " bytes"))});
    return;
  }
  const size_t cost = Window::CostOf({.bytes = publication.group_id.size() + data.size()});
  if (!is_promised && !window_.HasRoomFor(cost)) {
    answers_.push_back(
        {std::move(done), absl::UnavailableError("too many publications wait for the channel")});
    return;
  }
  ContentToWire(publication.content, &outgoing_);
  const size_t prefix_bytes = LiveFramePrefixBytes(publication.group_id, publication.key);
  std::string frame(prefix_bytes + outgoing_.ByteSizeLong(), '\0');
  WriteLiveFramePrefix(
      publication.group_id,
      {.kind = LiveKind::kPublication, .publisher = options_.publisher, .key = publication.key},
      frame.data());
  outgoing_.SerializeWithCachedSizesToArray(reinterpret_cast<uint8_t*>(frame.data()) +
                                            prefix_bytes);
  window_.Add(std::move(frame), publication.group_id.size(), std::move(done), clock_->Now());
  FlushWindow();
}

bool PublisherLink::HasRoomFor(const PublicationsSize& size) {
  const size_t cost = Window::CostOf(size);
  const bool has_room = window_.HasRoomFor(cost);
  promised_ = has_room ? size.count : 0;
  if (!has_room) wanted_room_ = std::min(wanted_room_.value_or(cost), cost);
  return has_room;
}

void PublisherLink::FlushWindow() {
  if (!connected_) return;
  // From now on results are awaited.
  if (!window_.awaits_results()) last_progress_ = clock_->Now();
  window_.Send([this](absl::string_view frame) { links_->SendPublication(frame); });
}

void PublisherLink::SendWindowAgain() {
  if (window_.awaits_results()) ++resends_;
  window_.SendAgain();
}

void PublisherLink::OnAcknowledgement(const channel::v1::Acknowledgement& acknowledgement) {
  if (acknowledgement.offsets_size() == 0) return;
  const uint64_t first_before = window_.first_unacknowledged();
  window_.OnResults(acknowledgement, &answers_);
  if (window_.first_unacknowledged() != first_before) last_progress_ = clock_->Now();
  NoteOffset({Epoch{acknowledgement.epoch()}, *std::max_element(acknowledgement.offsets().begin(),
                                                                acknowledgement.offsets().end())});
}

void PublisherLink::Tick() {
  const absl::Time now = clock_->Now();
  window_.Expire(now, &answers_);
  if (!control_up_) return;
  const bool is_stuck = window_.awaits_results() && now - last_progress_ >= options_.ask_after &&
                        now - last_hello_ >= options_.ask_after;
  const bool is_forgotten = now - last_digest_at_ >= options_.digest_timeout;
  const bool asks = (is_stuck || is_forgotten) && next_hello_ == absl::InfiniteFuture();
  if (asks || now >= next_hello_) SendHello();
}

bool PublisherLink::GiveAnswers() {
  const Window::Answers answers = std::exchange(answers_, {});
  for (const Window::Answer& answer : answers) answer.done(answer.result);
  return !answers.empty();
}

bool PublisherLink::TellRoom() {
  if (!wanted_room_.has_value() || !window_.HasRoomFor(*wanted_room_)) return false;
  wanted_room_.reset();
  listener_->OnRoom();
  return true;
}

}  // namespace groupcast::service
