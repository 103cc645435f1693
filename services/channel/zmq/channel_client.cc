#include "services/channel/zmq/channel_client.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "services/channel/wire_content.h"

namespace groupcast::service {
namespace {

// Heads that wait for their check. Over it, all heads are compared instead.
constexpr size_t kUncheckedHeadsMax = 100'000;

// After this number of repairs of a group without a live message between, the worker subscribes
// again: the subscription may be lost.
constexpr int kSilentRepairsMax = 2;

}  // namespace

ChannelClient::ChannelClient(const ChannelClientOptions& options, const Clock* clock,
                             ChannelLinks* links, ChannelListener* listener)
    : clock_(clock),
      links_(links),
      subscriptions_(options, clock, links, listener),
      link_(options, clock, links, listener, [this] { subscriptions_.OnConnected(); }),
      repairs_({.answer_timeout = options.answer_timeout}, clock, this),
      head_checks_(options.repair_after, kUncheckedHeadsMax),
      live_order_(clock, options.repair_after, options.late_groups_max),
      comparison_(options, clock, links, &subscriptions_, &repairs_),
      presence_(options.presence, clock, links) {}

// ---- Links.

void ChannelClient::OnControlUp() {
  repairs_.Reset();
  comparison_.Reset();
  presence_.OnDisconnected();
  link_.OnControlUp();
}

void ChannelClient::OnControlDown() {
  // Before the listener's call: requests that it makes from then on fail by themselves.
  repairs_.Reset();
  presence_.OnDisconnected();
  link_.OnControlDown();
}

absl::Status ChannelClient::OnControlFrame(absl::string_view frame) {
  const absl::StatusOr<ControlView> control = ParseControlFrame(frame);
  if (!control.ok()) {
    ++malformed_;
    return control.status();
  }
  const auto handle = [&]<typename Body>(void (ChannelClient::*handler)(const Body&)) {
    Body body;
    if (!body.ParseFromArray(control->body.data(), static_cast<int>(control->body.size()))) {
      ++malformed_;
      return absl::InvalidArgumentError("a body that cannot be read");
    }
    (this->*handler)(body);
    if (link_.hello_answered()) comparison_.Continue(link_.epoch());
    return absl::OkStatus();
  };
  switch (control->kind) {
    case ControlKind::kHelloReply:
      return handle(&ChannelClient::OnHelloReply);
    case ControlKind::kAcknowledgement:
      return handle(&ChannelClient::OnAcknowledgement);
    case ControlKind::kHistory:
      return handle(&ChannelClient::OnHistory);
    case ControlKind::kHeads:
      return handle(&ChannelClient::OnHeads);
    case ControlKind::kDigest:
      return handle(&ChannelClient::OnDigest);
    case ControlKind::kPresence:
      return handle(&ChannelClient::OnPresence);
    default:
      ++malformed_;
      return absl::InvalidArgumentError(
          absl::StrCat("unknown kind ", static_cast<int>(control->kind)));
  }
}

absl::Status ChannelClient::OnLiveFrame(absl::string_view bytes) {
  const absl::StatusOr<LiveFrame> frame = ParseLiveFrame(bytes);
  if (!frame.ok()) {
    ++malformed_;
    return frame.status();
  }
  const Position position{frame->header.epoch, frame->header.offset};
  bool behind = false;
  switch (frame->header.kind) {
    case LiveKind::kMessage:
      live_order_.OnReached(position);
      behind = subscriptions_.OnMessage(*frame, link_.epoch());
      break;
    case LiveKind::kAnnouncement:
      live_order_.OnReached({position.epoch, frame->header.number});
      link_.NoteOffset({position.epoch, frame->header.number});
      behind = subscriptions_.OnAnnouncement(*frame, link_.epoch());
      break;
    default:
      ++malformed_;
      return absl::InvalidArgumentError("a frame that is no message");
  }
  link_.NoteOffset(position);
  if (behind) repairs_.Queue(frame->group_id);
  return absl::OkStatus();
}

void ChannelClient::OnHelloReply(const channel::v1::HelloReply& reply) {
  const bool was_answered = link_.hello_answered();
  if (link_.OnHelloReply(reply)) comparison_.Begin();
  if (!was_answered && link_.hello_answered()) presence_.OnConnected(reply.presence());
}

void ChannelClient::OnPresence(const channel::v1::PresenceFrame& frame) {
  presence_.OnFrame(frame);
}

void ChannelClient::OnAcknowledgement(const channel::v1::Acknowledgement& acknowledgement) {
  link_.OnAcknowledgement(acknowledgement);
}

// ---- The channel.

void ChannelClient::Publish(const Publication& publication, PublishCallback done) {
  link_.Publish(publication, std::move(done));
}

void ChannelClient::Unsubscribe(absl::string_view group_id) {
  repairs_.Forget(group_id);
  subscriptions_.Unsubscribe(group_id);
}

void ChannelClient::FetchHistory(absl::string_view group_id, const Position& after, uint32_t newest,
                                 HistoryCallback done) {
  repairs_.FetchHistory(group_id, after, newest, std::move(done));
}

// ---- Heads.

void ChannelClient::OnDigest(const channel::v1::Digest& digest) {
  if (!link_.hello_answered()) return;
  const Epoch epoch{digest.epoch()};
  if (link_.OnDigest(digest.number(), epoch)) comparison_.Begin();
  for (const channel::v1::Head& head : digest.heads()) {
    link_.NoteOffset({epoch, head.offset()});
    CheckLater(head.group_id(), {epoch, head.offset()});
  }
}

void ChannelClient::OnHeads(const channel::v1::Heads& heads) {
  if (!comparison_.TakeAnswer(heads.request())) return;
  const Epoch epoch{heads.epoch()};
  if (link_.SetEpoch(epoch)) comparison_.Begin();
  for (const channel::v1::Head& head : heads.heads()) {
    link_.NoteOffset({epoch, head.offset()});
    CheckHead(head.group_id(), {epoch, head.offset()}, HeardBy::kComparison);
  }
}

void ChannelClient::CheckLater(absl::string_view group_id, const Position& head) {
  Subscriptions::Subscription* const subscription = subscriptions_.Find(group_id);
  if (subscription == nullptr) return;
  Feed& feed = subscription->feed;
  if (!feed.warm()) feed.OnOtherHead(head, link_.epoch());
  if (feed.Lacks(head, link_.epoch())) AddCheck(group_id, head);
}

void ChannelClient::AddCheck(absl::string_view group_id, const Position& head) {
  if (head_checks_.Add(group_id, head, clock_->Now())) return;
  head_checks_.Clear();
  comparison_.Begin();
}

void ChannelClient::CheckHead(absl::string_view group_id, const Position& head, HeardBy heard_by) {
  Subscriptions::Subscription* const subscription = subscriptions_.Find(group_id);
  if (subscription == nullptr) return;
  Feed& feed = subscription->feed;
  if (!feed.warm()) feed.OnOtherHead(head, link_.epoch());
  const bool lacks_it = feed.Lacks(head, link_.epoch());
  if (!lacks_it && !feed.behind()) return;
  if (lacks_it && live_order_.MayBring(head)) {
    live_order_.PutOff(group_id, head);
    return;
  }
  if (lacks_it && heard_by == HeardBy::kDigest) ++behind_;
  const bool was_behind = feed.behind();
  feed.OnOtherHead(head, link_.epoch());
  if (heard_by == HeardBy::kDigest && !was_behind && ++feed.silent_repairs >= kSilentRepairsMax &&
      link_.connected() && subscription->announced) {
    feed.silent_repairs = 0;
    subscriptions_.SubscribeAgain(subscription);
  }
  repairs_.Queue(group_id);
}

void ChannelClient::CheckWhatIsDue() {
  const absl::Time now = clock_->Now();
  while (const std::optional<GroupHead> due = head_checks_.TakeDue(now)) {
    CheckHead(due->group_id, due->head, HeardBy::kDigest);
  }
  // What was put off while the live link was late.
  while (const std::optional<LiveOrder::DueHead> due = live_order_.TakeDue()) {
    CheckHead(due->group_id, due->first, HeardBy::kDigest);
    CheckHead(due->group_id, due->last, HeardBy::kDigest);
  }
  if (live_order_.TakeOverflow()) comparison_.Begin();
}

// ---- Repairs.

std::optional<Position> ChannelClient::RepairFrom(absl::string_view group_id) {
  // The group is subscribed and its feed is warm: Unsubscribe forgets the repair.
  const Feed& feed = subscriptions_.Find(group_id)->feed;
  if (!feed.behind() && feed.position().epoch == link_.epoch()) return std::nullopt;
  return feed.position();
}

bool ChannelClient::AskHistory(uint64_t request, absl::string_view group_id, const Position& after,
                               uint32_t newest) {
  channel::v1::FetchHistory fetch;
  fetch.set_request(request);
  fetch.set_group_id(group_id.data(), group_id.size());
  fetch.set_after(after.offset);
  fetch.set_epoch(static_cast<uint64_t>(after.epoch));
  fetch.set_newest(newest);
  return links_->SendControl(ControlFrame(ControlKind::kFetchHistory, fetch));
}

void ChannelClient::OnHistory(const channel::v1::History& history) {
  const std::optional<Repairs::Question> question = repairs_.Take(history.request());
  if (question.has_value() && question->done) {
    GiveHistory(history, *question);
  } else if (question.has_value()) {
    OnRepair(question->group_id, history);
  }
  repairs_.SendQueued();
}

void ChannelClient::OnRepair(absl::string_view group_id, const channel::v1::History& history) {
  const Position head{Epoch{history.epoch()}, history.head()};
  if (link_.SetEpoch(head.epoch)) comparison_.Begin();
  link_.NoteOffset(head);
  // As in RepairFrom, the group is subscribed.
  const Subscriptions::Repaired repaired =
      subscriptions_.OnHistory(subscriptions_.Find(group_id), history);
  if (repaired == Subscriptions::Repaired::kBehind) repairs_.Queue(group_id);
  if (repaired == Subscriptions::Repaired::kStuck) AddCheck(group_id, head);
}

void ChannelClient::GiveHistory(const channel::v1::History& wire,
                                const Repairs::Question& question) {
  History result;
  result.head = {Epoch{wire.epoch()}, wire.head()};
  link_.NoteOffset(result.head);
  result.floor = wire.floor();
  channel::v1::Content scratch;
  for (const std::string& bytes : wire.messages()) {
    const absl::StatusOr<LiveFrame> frame = ParseLiveFrame(bytes);
    Content content;
    if (!frame.ok() || !ContentFromWire(frame->body, &scratch, &content)) {
      // It has its place, but this version cannot read it. The answer is as if history ended before
      // it or began after it. So the caller sees the loss and continues.
      ++malformed_;
      if (!question.newest && !result.messages.empty()) break;
      result.messages.clear();
      if (frame.ok()) result.floor = std::max(result.floor, frame->header.offset);
      continue;
    }
    result.messages.push_back({.offset = frame->header.offset,
                               .previous = frame->header.previous,
                               .kind = content.kind,
                               .data = std::string(content.data),
                               .sent_at_ms = content.sent_at_ms,
                               .excluded_session = content.excluded_session,
                               .from = std::string(content.from)});
  }
  question.done(std::move(result));
}

// ---- Time.

void ChannelClient::Tick() {
  link_.Tick();
  repairs_.Tick();
  subscriptions_.Tick(link_.connected());
  CheckWhatIsDue();
  if (link_.hello_answered()) comparison_.Continue(link_.epoch());
}

bool ChannelClient::GiveAnswers() {
  bool any = presence_.Flush();
  while (repairs_.GiveAnswers() || link_.GiveAnswers()) any = true;
  return link_.TellRoom() || any;
}

ChannelClient::Counters ChannelClient::counters() const {
  return {.repairs = repairs_.count(),
          .gaps = subscriptions_.gaps(),
          .resyncs = comparison_.count(),
          .resubscribes = subscriptions_.resubscribes(),
          .resends = link_.resends(),
          .malformed = malformed_ + subscriptions_.malformed(),
          .behind = behind_};
}

Channel::Stats ChannelClient::stats() const {
  return {.repairs = repairs_.count(),
          .digests_behind = behind_,
          .window_bytes = link_.window_bytes(),
          .window_bytes_max = link_.window_bytes_max()};
}

}  // namespace groupcast::service
