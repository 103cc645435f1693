#include "services/channel/channel_client.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace groupcast::service {
namespace {

// A hello that could not be sent, or has no answer, is sent again after this time.
constexpr absl::Duration kHelloPeriod = absl::Seconds(1);

// So many repairs are asked for at once: each answer may have 256 KiB.
constexpr int kRepairsAskedMax = 16;

// What one feed, and all together, may hold while they are behind. What is over it is repaired.
constexpr size_t kFeedHeldBytesMax = 1u << 20;
constexpr size_t kHeldBytesMax = 32u << 20;

// Heads that wait for their check. Over it, all heads are compared instead.
constexpr size_t kUncheckedHeadsMax = 100'000;

// So many groups one frame compares.
constexpr int kHeadsPerFrame = 500;

// After so many repairs of a group without a live message between, its subscription is made again:
// it may be the subscription that was lost.
constexpr int kSilentRepairsMax = 2;

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
  content->excluded_session = {};
  if (const std::string& excluded = wire.excluded_session(); !excluded.empty()) {
    if (excluded.size() != sizeof(Fingerprint)) return false;
    content->excluded_session = FingerprintFromBytes(excluded);
  }
  return true;
}

}  // namespace

ChannelClient::ChannelClient(const ChannelClientOptions& options, const Clock* clock,
                             ChannelLinks* links, ChannelListener* listener)
    : options_(options),
      clock_(clock),
      links_(links),
      listener_(listener),
      window_(options.window),
      last_progress_(clock->Now()) {}

// ---- Links.

void ChannelClient::OnControlUp() {
  EndControl();
  control_up_ = true;
  UpdateConnected();
  SendHello();
}

void ChannelClient::OnControlDown() {
  EndControl();
  UpdateConnected();
}

void ChannelClient::EndControl() {
  control_up_ = false;
  hello_answered_ = false;
  ++hello_attempt_;
  // Requests of clients fail; repairs begin anew with the comparison that follows the next hello.
  for (auto& [id, request] : requests_) {
    if (request.done) {
      due_.push_back([done = std::move(request.done)] {
        done(absl::UnavailableError("the connection to the channel server was lost"));
      });
    } else if (Subscription* const subscription = Find(request.group_id)) {
      subscription->repair_queued = false;
    }
  }
  requests_.clear();
  for (const std::string& group_id : repairs_) {
    if (Subscription* const subscription = Find(group_id)) subscription->repair_queued = false;
  }
  repairs_.clear();
  repairs_asked_ = 0;
}

void ChannelClient::OnPublishLinkUp() {
  ++publish_links_;
  // Whatever was under way on the link before this one may be lost.
  SendWindowAgain();
  UpdateConnected();
  FlushWindow();
}

void ChannelClient::OnPublishLinkDown() {
  --publish_links_;
  UpdateConnected();
}

void ChannelClient::UpdateConnected() {
  const bool connected = control_up_ && hello_answered_ && publish_links_ > 0;
  if (connected == connected_) return;
  connected_ = connected;
  listener_->OnConnectionState(connected);
  FlushWindow();
}

void ChannelClient::SendHello() {
  last_hello_ = clock_->Now();
  next_hello_ = last_hello_ + kHelloPeriod;
  channel::v1::Hello hello;
  hello.set_first_unacknowledged(window_.first_unacknowledged());
  hello.set_attempt(hello_attempt_);
  hello.set_epoch(static_cast<uint64_t>(highest_.epoch));
  hello.set_highest_offset(highest_.offset);
  links_->SendControl(ControlFrame(ControlKind::kHello, hello));
}

absl::Status ChannelClient::OnControlFrame(absl::string_view frame) {
  const absl::StatusOr<ControlView> control = ParseControlFrame(frame);
  if (!control.ok()) {
    ++counters_.malformed;
    return control.status();
  }
  const auto handle = [&]<typename Body>(void (ChannelClient::*handler)(const Body&)) {
    Body body;
    if (!body.ParseFromArray(control->body.data(), static_cast<int>(control->body.size()))) {
      ++counters_.malformed;
      return absl::InvalidArgumentError("a body that cannot be read");
    }
    (this->*handler)(body);
    if (std::exchange(resync_due_, false) && hello_answered_) Resync();
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
    default:
      ++counters_.malformed;
      return absl::InvalidArgumentError(
          absl::StrCat("unknown kind ", static_cast<int>(control->kind)));
  }
}

void ChannelClient::OnHelloReply(const channel::v1::HelloReply& reply) {
  if (!control_up_ || reply.attempt() != hello_attempt_) return;  // of a connection that is no more
  if (options_.max_message_bytes > reply.max_message_bytes()) {
    if (!std::exchange(misconfigured_, true)) {
      listener_->OnMisconfigured(absl::FailedPreconditionError(
          absl::StrCat("messages of up to ", options_.max_message_bytes,
                       " bytes are to be taken from clients, but the channel server takes ",
                       reply.max_message_bytes(), ": set --max_message_bytes of both alike")));
    }
    return;
  }
  const absl::Time now = clock_->Now();
  next_hello_ = absl::InfiniteFuture();
  last_digest_at_ = now;
  SetEpoch(Epoch{reply.epoch()});
  OnAcknowledgement(reply.results());
  window_.OnAccepted(reply.last_accepted(), &answers_);
  if (!reply.known()) SendWindowAgain();
  if (!hello_answered_) {
    hello_answered_ = true;
    last_digest_ = reply.last_digest();
    last_progress_ = now;
    UpdateConnected();
    resync_due_ = true;
    return;
  }
  // Digests were not sent to who was forgotten, or could not be.
  if (!reply.known() || reply.last_digest() != last_digest_) resync_due_ = true;
  last_digest_ = reply.last_digest();
  // It was asked because there was no progress.
  if (reply.known() && now - last_progress_ >= options_.send_again_after) SendWindowAgain();
  FlushWindow();
}

void ChannelClient::SetEpoch(Epoch epoch) {
  if (highest_.epoch == epoch) return;
  highest_ = {epoch, 0};
  resync_due_ = true;
}

void ChannelClient::NoteOffset(const Position& position) {
  if (position.epoch == highest_.epoch && position.offset > highest_.offset) highest_ = position;
}

// ---- Publications.

void ChannelClient::Publish(const Publication& publication, PublishCallback done) {
  if (!has_room()) {
    due_.push_back([done = std::move(done)] {
      done(absl::UnavailableError("too many publications wait for the channel"));
    });
    return;
  }
  const Content& content = publication.content;
  outgoing_.set_kind(content.kind == Content::Kind::kText ? channel::v1::Content::TEXT
                                                          : channel::v1::Content::JSON);
  outgoing_.set_data(content.data.data(), content.data.size());
  outgoing_.set_sent_at_ms(content.sent_at_ms);
  if (content.excluded_session.empty()) {
    outgoing_.clear_excluded_session();
  } else {
    outgoing_.set_excluded_session(FingerprintBytes(content.excluded_session));
  }
  const size_t prefix_bytes = LiveFramePrefixBytes(publication.group_id, publication.key);
  std::string frame(prefix_bytes + outgoing_.ByteSizeLong(), '\0');
  WriteLiveFramePrefix(
      publication.group_id,
      {.kind = LiveKind::kPublication, .publisher = options_.publisher, .key = publication.key},
      frame.data());
  outgoing_.SerializeWithCachedSizesToArray(reinterpret_cast<uint8_t*>(frame.data()) +
                                            prefix_bytes);
  const absl::Time now = clock_->Now();
  window_.Add(std::move(frame), publication.group_id.size(), std::move(done), now);
  FlushWindow();
}

bool ChannelClient::has_room() {
  if (window_.has_room()) return true;
  room_wanted_ = true;
  return false;
}

void ChannelClient::FlushWindow() {
  if (!connected_) return;
  // From now on results are waited for.
  if (!window_.awaits_results()) last_progress_ = clock_->Now();
  window_.Send([this](absl::string_view frame) { links_->SendPublication(frame); });
}

void ChannelClient::SendWindowAgain() {
  if (window_.awaits_results()) ++counters_.resends;
  window_.SendAgain();
}

void ChannelClient::OnAcknowledgement(const channel::v1::Acknowledgement& acknowledgement) {
  if (acknowledgement.offsets_size() == 0) return;
  const uint64_t first_before = window_.first_unacknowledged();
  window_.OnResults(acknowledgement, &answers_);
  if (window_.first_unacknowledged() != first_before) last_progress_ = clock_->Now();
  NoteOffset({Epoch{acknowledgement.epoch()}, *std::max_element(acknowledgement.offsets().begin(),
                                                                acknowledgement.offsets().end())});
}

// ---- Subscriptions.

PublisherId ChannelClient::NextNonce() {
  // Odd steps visit every value before one comes again.
  constexpr uint64_t kStep = 0x9e3779b97f4a7c15;
  uint64_t nonce = 0;
  while (nonce == 0) nonce = static_cast<uint64_t>(options_.publisher) + ++nonces_ * kStep;
  return PublisherId{nonce};
}

ChannelClient::Subscription* ChannelClient::Find(absl::string_view group_id) {
  const auto found = subscriptions_.find(group_id);
  return found == subscriptions_.end() ? nullptr : &found->second;
}

void ChannelClient::Subscribe(absl::string_view group_id) {
  const auto [entry, is_new] = subscriptions_.try_emplace(group_id);
  if (!is_new) return;
  entry->second.group_id = &entry->first;
  SubscribeOnce(&entry->second);
}

void ChannelClient::SubscribeOnce(Subscription* subscription) {
  // The nonce stays until the subscription is announced; a later one proves a later subscription.
  if (subscription->announced || subscription->nonce == PublisherId{}) {
    subscription->announced = false;
    subscription->nonce = NextNonce();
  } else {
    links_->Unsubscribe(ProofTopicOf(*subscription->group_id, subscription->nonce));
  }
  ++subscription->times_subscribed;
  links_->Subscribe(TopicOf(*subscription->group_id));
  links_->Subscribe(ProofTopicOf(*subscription->group_id, subscription->nonce));
  unannounced_.push_back(
      {clock_->Now() + options_.resubscribe_after, *subscription->group_id, subscription->nonce});
}

void ChannelClient::Unsubscribe(absl::string_view group_id) {
  const auto found = subscriptions_.find(group_id);
  if (found == subscriptions_.end()) return;
  Subscription& subscription = found->second;
  if (!subscription.announced) links_->Unsubscribe(ProofTopicOf(group_id, subscription.nonce));
  const std::string topic = TopicOf(group_id);
  for (; subscription.times_subscribed > 0; --subscription.times_subscribed) {
    links_->Unsubscribe(topic);
  }
  held_bytes_ -= subscription.counted_bytes;
  subscription.ended = true;
  auto node = subscriptions_.extract(found);
  if (delivering_ == &subscription) ended_.push_back(std::move(node));
}

void ChannelClient::MakeLateSubscriptions() {
  const absl::Time now = clock_->Now();
  while (!unannounced_.empty() && unannounced_.front().at <= now) {
    Unannounced next = std::move(unannounced_.front());
    unannounced_.pop_front();
    Subscription* const subscription = Find(next.group_id);
    if (subscription == nullptr || subscription->announced) continue;
    if (subscription->nonce != next.nonce) continue;  // one that was made since
    if (connected_) {
      ++counters_.resubscribes;
      SubscribeOnce(subscription);
    } else {
      next.at = now + options_.resubscribe_after;
      unannounced_.push_back(std::move(next));
    }
  }
}

// ---- Feeds.

template <typename Work>
void ChannelClient::WithFeed(Subscription* subscription, Work work) {
  delivering_ = subscription;
  work(&subscription->feed);
  delivering_ = nullptr;
  if (!subscription->ended) {
    const size_t held = subscription->feed.held_bytes();
    held_bytes_ += held - std::exchange(subscription->counted_bytes, held);
    if (subscription->feed.behind()) QueueRepair(subscription);
  }
  ended_.clear();
}

absl::Status ChannelClient::OnLiveFrame(absl::string_view bytes) {
  const absl::StatusOr<LiveFrame> frame = ParseLiveFrame(bytes);
  if (!frame.ok()) {
    ++counters_.malformed;
    return frame.status();
  }
  const LiveHeader& header = frame->header;
  if (header.kind == LiveKind::kAnnouncement) return OnAnnouncement(*frame);
  if (header.kind != LiveKind::kMessage) {
    ++counters_.malformed;
    return absl::InvalidArgumentError("a frame that is no message");
  }
  last_live_ = {header.epoch, header.offset};
  last_live_at_ = clock_->Now();
  Subscription* const subscription = Find(frame->group_id);
  if (subscription == nullptr) return absl::OkStatus();
  NoteOffset(last_live_);
  const size_t room = kHeldBytesMax - std::min(kHeldBytesMax, held_bytes_);
  const size_t held_max = std::min(kFeedHeldBytesMax, subscription->feed.held_bytes() + room);
  WithFeed(subscription, [&](Feed* feed) {
    feed->OnMessage({header.epoch, header.offset}, header.previous, bytes, highest_.epoch, held_max,
                    this);
  });
  return absl::OkStatus();
}

absl::Status ChannelClient::OnAnnouncement(const LiveFrame& frame) {
  Subscription* const subscription = Find(frame.group_id);
  if (subscription == nullptr) return absl::OkStatus();
  const Position head{frame.header.epoch, frame.header.offset};
  NoteOffset(head);
  if (!subscription->announced && frame.header.publisher == subscription->nonce) {
    subscription->announced = true;
    links_->Unsubscribe(ProofTopicOf(frame.group_id, subscription->nonce));
    if (!subscription->feed.warm()) {
      subscription->feed.OnHead(head, highest_.epoch);
      // A copy: the listener may unsubscribe.
      const std::string group_id(frame.group_id);
      if (subscription->feed.behind()) QueueRepair(subscription);
      listener_->OnSubscribed(group_id, head);
      return absl::OkStatus();
    }
  }
  if (!subscription->feed.warm()) return absl::OkStatus();
  subscription->feed.OnHead(head, highest_.epoch);
  if (subscription->feed.behind()) QueueRepair(subscription);
  return absl::OkStatus();
}

void ChannelClient::Deliver(const Position& position, uint64_t previous, absl::string_view bytes) {
  if (delivering_->ended) return;
  const absl::StatusOr<LiveFrame> frame = ParseLiveFrame(bytes);
  Message message{.group_id = *delivering_->group_id,
                  .epoch = position.epoch,
                  .offset = position.offset,
                  .previous = previous};
  if (!frame.ok() ||
      !incoming_.ParseFromArray(frame->body.data(), static_cast<int>(frame->body.size())) ||
      !ContentFromWire(incoming_, &message.content)) {
    // It has its place, but this version cannot read it. That is a loss, and is told.
    ++counters_.malformed;
    Tell({.from = previous, .to = position});
    return;
  }
  listener_->OnMessage(message);
}

void ChannelClient::Tell(const Gap& gap) {
  if (delivering_->ended) return;
  ++counters_.gaps;
  listener_->OnGap(*delivering_->group_id, gap);
}

// ---- Heads that come over control.

void ChannelClient::Resync() {
  ++counters_.resyncs;
  unchecked_.clear();
  late_until_.reset();
  std::erase_if(requests_, [](const auto& entry) { return entry.second.compare.heads_size() > 0; });
  channel::v1::CompareHeads compare;
  // In an order that only depends on their ids, so that the same input always has the same effects.
  std::vector<Subscription*> sorted;
  for (auto& [group_id, subscription] : subscriptions_) {
    sorted.push_back(&subscription);
  }
  std::sort(sorted.begin(), sorted.end(), [](const Subscription* a, const Subscription* b) {
    return *a->group_id < *b->group_id;
  });
  for (Subscription* const subscription : sorted) {
    const bool warm = subscription->feed.warm();
    const Position position = warm ? subscription->feed.position() : Position{highest_.epoch, 0};
    if (position.epoch != highest_.epoch) {  // whatever the server's head is
      QueueRepair(subscription);
      continue;
    }
    channel::v1::Head* const head = compare.add_heads();
    head->set_group_id(*subscription->group_id);
    head->set_offset(position.offset);
    if (compare.heads_size() == kHeadsPerFrame) SendCompare(std::exchange(compare, {}));
  }
  if (compare.heads_size() > 0) SendCompare(std::move(compare));
}

void ChannelClient::SendCompare(channel::v1::CompareHeads compare) {
  const uint64_t id = next_request_++;
  compare.set_request(id);
  compare.set_epoch(static_cast<uint64_t>(highest_.epoch));
  const bool sent = links_->SendControl(ControlFrame(ControlKind::kCompareHeads, compare));
  Request& request = requests_[id];
  request.compare = std::move(compare);
  request.deadline = clock_->Now() + (sent ? options_.answer_timeout : options_.repair_after);
}

void ChannelClient::OnHeads(const channel::v1::Heads& heads) {
  if (requests_.erase(heads.request()) == 0) return;
  SetEpoch(Epoch{heads.epoch()});
  for (const channel::v1::Head& head : heads.heads()) {
    Subscription* const subscription = Find(head.group_id());
    if (subscription == nullptr) continue;
    const Position position{Epoch{heads.epoch()}, head.offset()};
    if (LiveMayBring(position)) {
      PutOff(position);
      continue;
    }
    subscription->feed.OnOtherHead(position, highest_.epoch);
    if (subscription->feed.behind()) QueueRepair(subscription);
  }
}

void ChannelClient::PutOff(const Position& head) {
  if (!late_until_.has_value()) late_until_ = head;
}

bool ChannelClient::LiveMayBring(const Position& head) const {
  return last_live_.epoch == head.epoch && last_live_.offset < head.offset &&
         clock_->Now() - last_live_at_ < options_.repair_after;
}

void ChannelClient::OnDigest(const channel::v1::Digest& digest) {
  if (!hello_answered_) return;
  const Epoch epoch{digest.epoch()};
  if (digest.number() != last_digest_ + 1) resync_due_ = true;
  last_digest_ = digest.number();
  last_digest_at_ = clock_->Now();
  SetEpoch(epoch);
  if (resync_due_) return;
  for (const channel::v1::Head& head : digest.heads()) {
    CheckLater(head.group_id(), {epoch, head.offset()});
  }
}

void ChannelClient::CheckLater(absl::string_view group_id, const Position& head) {
  Subscription* const subscription = Find(group_id);
  if (subscription == nullptr) return;
  if (!subscription->feed.warm()) {
    subscription->feed.OnOtherHead(head, highest_.epoch);
    return;
  }
  const Position& position = subscription->feed.position();
  if (position.epoch == head.epoch && position.offset >= head.offset) return;
  if (unchecked_.size() >= kUncheckedHeadsMax) {
    Resync();
    return;
  }
  unchecked_.push_back({clock_->Now() + options_.repair_after, std::string(group_id), head});
}

void ChannelClient::CheckHeads() {
  const absl::Time now = clock_->Now();
  while (!unchecked_.empty() && unchecked_.front().at <= now) {
    const UncheckedHead head = std::move(unchecked_.front());
    unchecked_.pop_front();
    Subscription* const subscription = Find(head.group_id);
    if (subscription == nullptr || !subscription->feed.warm()) continue;
    if (LiveMayBring(head.head)) {
      PutOff(head.head);
      continue;
    }
    const bool was_behind = subscription->feed.behind();
    subscription->feed.OnOtherHead(head.head, highest_.epoch);
    if (!subscription->feed.behind()) continue;
    if (!was_behind && ++subscription->feed.silent_repairs >= kSilentRepairsMax && connected_ &&
        subscription->announced) {
      ++counters_.resubscribes;
      subscription->feed.silent_repairs = 0;
      SubscribeOnce(subscription);
    }
    QueueRepair(subscription);
  }
  if (late_until_.has_value() && hello_answered_ && !LiveMayBring(*late_until_)) Resync();
}

// ---- Repairs.

void ChannelClient::QueueRepair(Subscription* subscription) {
  // Without an answered hello nothing can be asked, and the comparison after it finds what is
  // behind.
  if (subscription->repair_queued || !hello_answered_) return;
  subscription->repair_queued = true;
  repairs_.push_back(*subscription->group_id);
  SendRepairs();
}

void ChannelClient::SendRepairs() {
  while (!repairs_.empty() && repairs_asked_ < kRepairsAskedMax && hello_answered_) {
    const Subscription* const subscription = Find(repairs_.front());
    if (subscription == nullptr || !subscription->repair_queued) {  // of one that ended
      repairs_.pop_front();
      continue;
    }
    const uint64_t id = next_request_;
    if (!SendFetch(repairs_.front(), subscription->feed.position(), 0)) return;
    ++counters_.repairs;
    ++repairs_asked_;
    Request& request = requests_[id];
    request.group_id = std::move(repairs_.front());
    request.deadline = clock_->Now() + options_.answer_timeout;
    repairs_.pop_front();
  }
}

bool ChannelClient::SendFetch(absl::string_view group_id, const Position& after, uint32_t newest) {
  channel::v1::FetchHistory fetch;
  fetch.set_request(next_request_);
  fetch.set_group_id(group_id.data(), group_id.size());
  fetch.set_after(after.offset);
  fetch.set_epoch(static_cast<uint64_t>(after.epoch));
  fetch.set_newest(newest);
  if (!links_->SendControl(ControlFrame(ControlKind::kFetchHistory, fetch))) return false;
  ++next_request_;
  return true;
}

void ChannelClient::FetchHistory(absl::string_view group_id, const Position& after, uint32_t newest,
                                 HistoryCallback done) {
  const uint64_t id = next_request_;
  if (!hello_answered_ || !SendFetch(group_id, after, newest)) {
    due_.push_back([done = std::move(done)] {
      done(absl::UnavailableError("the channel server cannot be reached"));
    });
    return;
  }
  Request& request = requests_[id];
  request.done = std::move(done);
  request.newest = newest > 0;
  request.deadline = clock_->Now() + options_.answer_timeout;
}

void ChannelClient::OnHistory(const channel::v1::History& history) {
  const auto found = requests_.find(history.request());
  if (found == requests_.end()) return;
  Request request = std::move(found->second);
  requests_.erase(found);
  if (!request.done) {
    --repairs_asked_;
    OnRepair(request.group_id, history);
    SendRepairs();
    return;
  }
  History result;
  result.head = {Epoch{history.epoch()}, history.head()};
  result.floor = history.floor();
  for (const std::string& bytes : history.messages()) {
    const absl::StatusOr<LiveFrame> frame = ParseLiveFrame(bytes);
    Content content;
    if (!frame.ok() ||
        !incoming_.ParseFromArray(frame->body.data(), static_cast<int>(frame->body.size())) ||
        !ContentFromWire(incoming_, &content)) {
      // It has its place, but this version cannot read it. It is as if history ended before it or
      // began after it, so that who asked is told of the loss and goes on.
      ++counters_.malformed;
      if (!request.newest && !result.messages.empty()) break;
      result.messages.clear();
      if (frame.ok()) result.floor = std::max(result.floor, frame->header.offset);
      continue;
    }
    result.messages.push_back({.offset = frame->header.offset,
                               .previous = frame->header.previous,
                               .kind = content.kind,
                               .data = std::string(content.data),
                               .sent_at_ms = content.sent_at_ms,
                               .excluded_session = content.excluded_session});
  }
  request.done(std::move(result));
}

void ChannelClient::OnRepair(const std::string& group_id, const channel::v1::History& history) {
  Subscription* const subscription = Find(group_id);
  if (subscription == nullptr || !subscription->repair_queued) return;
  subscription->repair_queued = false;
  if (!subscription->feed.warm()) return;  // asked for one that ended; this was made since
  const Position head{Epoch{history.epoch()}, history.head()};
  const Position before = subscription->feed.position();
  SetEpoch(head.epoch);
  bool stuck = false;
  WithFeed(subscription, [&](Feed* feed) {
    feed->OnHistoryBegin(head, history.floor(), this);
    for (const std::string& bytes : history.messages()) {
      const absl::StatusOr<LiveFrame> frame = ParseLiveFrame(bytes);
      if (!frame.ok()) {
        ++counters_.malformed;
        continue;
      }
      feed->OnHistoryMessage({frame->header.epoch, frame->header.offset}, frame->header.previous,
                             bytes, this);
    }
    feed->OnHistoryEnd(head, this);
    NoteOffset(feed->position());
    // Asking at once again would only bring the same answer.
    stuck = feed->behind() && feed->position() == before;
    if (stuck) subscription->repair_queued = true;
  });
  if (!stuck || Find(group_id) != subscription) return;
  subscription->repair_queued = false;
  unchecked_.push_back({clock_->Now() + options_.repair_after, group_id, head});
}

void ChannelClient::CheckRequests() {
  const absl::Time now = clock_->Now();
  std::vector<Request> late;
  std::erase_if(requests_, [&](auto& entry) {
    if (entry.second.deadline > now) return false;
    late.push_back(std::move(entry.second));
    return true;
  });
  for (Request& request : late) {
    if (request.compare.heads_size() > 0) {
      SendCompare(std::move(request.compare));
    } else if (request.done) {
      due_.push_back([done = std::move(request.done)] {
        done(absl::UnavailableError("the channel server did not answer"));
      });
    } else {
      --repairs_asked_;
      if (Subscription* const subscription = Find(request.group_id)) {
        subscription->repair_queued = false;
        if (subscription->feed.warm()) QueueRepair(subscription);
      }
    }
  }
}

// ---- Time.

void ChannelClient::Tick() {
  const absl::Time now = clock_->Now();
  window_.Expire(now, &answers_);
  if (control_up_) {
    const bool is_stuck = window_.awaits_results() && now - last_progress_ >= options_.ask_after &&
                          now - last_hello_ >= options_.ask_after;
    const bool is_forgotten = now - last_digest_at_ >= options_.digest_timeout;
    const bool asks =
        hello_answered_ && (is_stuck || is_forgotten) && next_hello_ == absl::InfiniteFuture();
    if (asks || now >= next_hello_) SendHello();
  }
  CheckRequests();
  MakeLateSubscriptions();
  CheckHeads();
  SendRepairs();
}

bool ChannelClient::GiveAnswers() {
  bool any = false;
  while (!due_.empty() || !answers_.empty()) {
    any = true;
    for (const std::function<void()>& answer : std::exchange(due_, {})) answer();
    for (const Window::Answer& answer : std::exchange(answers_, {})) answer.done(answer.result);
  }
  if (room_wanted_ && window_.has_room()) {
    room_wanted_ = false;
    any = true;
    listener_->OnRoom();
  }
  return any;
}

}  // namespace groupcast::service
