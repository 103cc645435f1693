#include "services/websocket_service/worker.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "services/common/address.h"
#include "services/connections/outbox.h"
#include "services/connections/peer_address.h"
#include "services/groups/member_access.h"
#include "services/protocol/event.h"
#include "services/websocket_service/worker_counters.h"
#include "spdlog/spdlog.h"

namespace groupcast::service {
namespace {

constexpr absl::Duration kTick = absl::Milliseconds(250);

// The number of connections over the limit that get an answer. Further ones are dropped. The same
// number holds for those over the limit of their address.
constexpr size_t kRefusalsMax = 1'000;
static_assert(Worker::kConnectionsMaxWithAddresses + kRefusalsMax <= PoolCounts::kKeysMax);

// How long connections over their rate of input wait at most.
constexpr absl::Duration kRatePeriod = absl::Milliseconds(125);

// A draining worker closes at least this number of connections per second.
constexpr double kDrainPerSecondMin = 1'000;

// When the worker begins to drain, handshakes in progress may finish within this time. Their
// clients then get an answer, and do not see a broken connection. (Browsers also keep connections
// without a request.)
constexpr absl::Duration kHandshakeGrace = absl::Seconds(1);

// While TLS handshakes wait for their turn, the others have this time.
constexpr absl::Duration kHurriedHandshake = absl::Seconds(2);

// How often a draining worker looks for connections whose commands are answered.
constexpr absl::Duration kFinishTick = absl::Milliseconds(10);

// If this number of messages has come since a flush round began, the round continues in large
// pieces. The worker then takes few further messages meanwhile. So outboxes stay short, and the
// channel server learns that this worker is slow.
constexpr uint64_t kMessagesPerRound = 128;

// How long one turn shakes hands for TLS. One more signature may begin in it.
constexpr absl::Duration kHandshakesTime = absl::Milliseconds(1);

// How long one turn reads from connections that have waited at the gate or for their turn.
constexpr absl::Duration kWaitingReadsTime = absl::Microseconds(500);

// For how long a repeated send with the same key counts once: the channel's contract.
constexpr absl::Duration kKeyWindow = absl::Minutes(2);

int64_t MonotonicMs(absl::Time now) { return absl::ToUnixMillis(now); }

GroupServiceOptions WithUserCounts(GroupServiceOptions options, UserCounts* connections,
                                   UserCounts* groups) {
  options.users.connections = connections;
  options.users.groups = groups;
  return options;
}

// 0 is no address in PoolCounts.
uint64_t AddressKey(PeerAddress address) { return static_cast<uint64_t>(address) + 1; }

}  // namespace

absl::StatusOr<std::unique_ptr<Worker>> Worker::Create(const WorkerOptions& options,
                                                       const ChannelFactory& make_channel,
                                                       Fd listener, Fd control,
                                                       const WorkerShare& share) {
  absl::StatusOr<std::unique_ptr<EventLoop>> loop = EventLoop::Create();
  if (!loop.ok()) return loop.status();
  std::unique_ptr<Worker> worker(new Worker(options, share, *std::move(loop)));
  if (absl::Status status = worker->Start(make_channel, std::move(listener), std::move(control));
      !status.ok()) {
    return status;
  }
  return worker;
}

Worker::Worker(const WorkerOptions& options, const WorkerShare& share,
               std::unique_ptr<EventLoop> loop)
    : options_(options),
      share_(share),
      loop_(std::move(loop)),
      timing_(loop_.get(), &calendar_),
      user_connections_(share.user_connections, share.table),
      user_groups_(share.user_groups, share.table),
      groups_(WithUserCounts(options.groups, &user_connections_, &user_groups_), &clock_),
      deflation_(options.deflates ? std::make_unique<Deflation>(options.deflate_threshold_bytes)
                                  : nullptr),
      unfinished_(options.unfinished_bytes_max),
      gate_(options.held_bytes_max),
      handshakes_(options.tls_handshakes_max, kHandshakesTime),
      touched_(&clock_),
      outbox_budget_(static_cast<int64_t>(options.outbox_total_bytes_max)),
      memory_before_(OutboxMemory()),
      certificate_(options.tls) {}

Worker::~Worker() {
  for (const std::unique_ptr<Session>& session : sessions_) groups_.Remove(session.get());
}

absl::Status Worker::Start(const ChannelFactory& make_channel, Fd listener, Fd control) {
  groups_.OnFatal([this](const absl::Status& why) {
    failure_ = why;
    loop_->Stop();
  });
  absl::StatusOr<std::unique_ptr<Channel>> channel = make_channel(loop_.get(), &groups_);
  if (!channel.ok()) return channel.status();
  channel_ = *std::move(channel);
  groups_.SetChannel(channel_.get());
  groups_.WatchMessages([this](int64_t sent_at_ms) { timing_.OnMessage(sent_at_ms); });

  // After the channel's hook: a turn flushes its own frames.
  loop_->AddTurnHook(
      [this] { return groups_.ServeReaders() ? absl::InfinitePast() : absl::InfiniteFuture(); });
  loop_->AddTurnHook([this] { return groups_.ServePresence(); });
  loop_->AddTurnHook([this] {
    RelieveOutboxes();
    return FlushTouched();
  });
  loop_->RunEvery(kTick, [this] { Tick(); });
  absl::StatusOr<std::unique_ptr<PoolLink>> pool =
      PoolLink::Create(loop_.get(), std::move(listener), std::move(control),
                       {.on_accepted = [this](Fd socket) { OnAccepted(std::move(socket)); },
                        .on_drain = [this] { BeginDrain(); }},
                       options_.accept_rate);
  if (!pool.ok()) return pool.status();
  pool_ = *std::move(pool);
  Report();
  return absl::OkStatus();
}

absl::Status Worker::Run() {
  loop_->Run();
  Report();  // the last numbers count too
  return failure_;
}

HttpContext Worker::http_context() const {
  return {.origins = &options_.origins,
          .pages = options_.pages.get(),
          .channel_connected = channel_->connected(),
          .deflates = deflation_ != nullptr,
          .takes_tokens = options_.groups.access.policy->tokens() != nullptr,
          .full = open_count_ >= options_.connections_max};
}

void Worker::OnAccepted(Fd socket) {
  // Above the limit the worker answers a handshake with 503, but only for kRefusalsMax connections
  // at the same time.
  if (sessions_.size() >= options_.connections_max + kRefusalsMax) {
    return limits_.Add(Limit::kConnections);
  }
  SessionHost* const host = this;
  auto session =
      std::make_unique<Session>(host, loop_.get(), std::move(socket), ConnectionId{RandomId()});
  if (!session->Start().ok()) return;
  // Whom a trusted proxy has connected shows in the request.
  const bool is_proxy = proxies() != nullptr && proxies()->trusted.Contains(session->peer_ip());
  if (!is_proxy && !CountAddress(session.get())) return;
  handshaking_.Append(session.get(), loop_->now());
  session->place = static_cast<uint32_t>(sessions_.size());
  sessions_.push_back(std::move(session));
}

bool Worker::CountAddress(Session* session) {
  const uint32_t max = options_.connections_per_address_max;
  if (max == 0 || share_.addresses == nullptr) return true;
  const PeerAddress address = session->peer_address();
  if (share_.addresses->AddBelow(max, AddressKey(address), share_.table)) {
    session->counted_address = address;
    session->is_counted = true;
    return true;
  }
  limits_.Add(Limit::kAddress);
  if (over_address_limit_ >= kRefusalsMax) return false;
  ++over_address_limit_;
  session->is_over_address_limit = true;
  return true;
}

void Worker::OnAddress(Session* session) {
  if (session->is_counted || session->is_over_address_limit) return;
  if (!CountAddress(session)) session->Abort();
}

void Worker::OnRefusal(const HttpAnswer& answer, Session* session) {
  if (answer.refusal == Refusal::kHeadTooLarge) limits_.Add(Limit::kHead);
  if (answer.refusal == Refusal::kWorkerFull) limits_.Add(Limit::kConnections);
  const std::optional<std::string> line =
      refusal_log_.Note(answer.refusal, answer.refused, session->address_text(), loop_->now());
  if (line.has_value()) spdlog::warn("{}", *line);
}

bool Worker::MayShakeHands(Session* session) {
  if (session->has_handshake_place()) return handshakes_.GoOn(session);
  session->handshake_address = session->peer_address();
  return handshakes_.Admit(session, session->handshake_address);
}

TlsStream::Progress Worker::ShakeHands(TlsStream* tls) {
  const absl::Time begin = clock_.Now();
  const TlsStream::Progress progress = tls->Handshake();
  handshakes_.Spend(clock_.Now() - begin);
  return progress;
}

void Worker::OnTlsHandshakeEnds(Session* session) {
  handshakes_.Release(session->handshake_address);
}

bool Worker::ShakeWaitingHands() {
  handshakes_.BeginTurn();
  while (ReadNode* const node = handshakes_.TakeNext()) {
    auto* const session = static_cast<Session*>(node);
    // Its time begins now.
    if (!session->has_handshake_place()) handshaking_.Append(session, loop_->now());
    session->ReadOn(/*admitted=*/true);
  }
  return handshakes_.has_next();
}

void Worker::OnOpen(Session* session, absl::string_view token) {
  ++open_count_;
  silent_.Append(session, loop_->now());
  groups_.Add(session);
  const absl::Status identified = groups_.Identify(session, token);
  if (session->v1()) {
    session->Reply(WelcomeEvent(static_cast<uint64_t>(session->connection_id()),
                                options_.ping_interval,
                                {.message_bytes = groups_.command_limits().message_bytes_max,
                                 .groups = options_.groups.memberships.groups_max,
                                 .frame_bytes = options_.session.frame_bytes_max,
                                 .key_bytes = options_.groups.commands.key_bytes_max,
                                 .key_window = kKeyWindow},
                                UserOf(*session)));
  }
  groups_.Admit(session, identified);
}

bool Worker::OnText(Session* session, absl::string_view text) {
  return groups_.HandleCommand(session, text);
}

bool Worker::AllMayRead() const { return gate_.is_free(); }

bool Worker::MayReadSmall(bool unseen) const {
  return unseen ? gate_.MayPassUnseen() : gate_.MayPassSmall();
}

bool Worker::MayRead(Session* session, size_t unfinished_bytes, size_t unseen_bytes) {
  if (gate_.Admit(session, unfinished_bytes, session->input_share.is_exceeded(), unseen_bytes)) {
    return true;
  }
  unfinished_.Remove(session);
  return false;
}

void Worker::WaitForTurn(Session* session, size_t unfinished_bytes) {
  gate_.WaitForTurn(session, unfinished_bytes, session->input_share.is_exceeded());
  unfinished_.Remove(session);
}

void Worker::WaitForRate(Session* session) {
  gate_.WaitForRate(session);
  if (std::exchange(rate_timer_is_set_, true)) return;
  loop_->RunAfter(kRatePeriod, [this] { ReadOverRate(); });
}

void Worker::ReadOverRate() {
  gate_.RateIsDue();
  while (ReadNode* const node = gate_.TakeDue()) {
    static_cast<Session*>(node)->ReadOn(/*admitted=*/false);
  }
  rate_timer_is_set_ = gate_.has_over_rate();
  if (rate_timer_is_set_) loop_->RunAfter(kRatePeriod, [this] { ReadOverRate(); });
}

int64_t Worker::OutboxMemory() const {
  return SharedBytes::live_bytes() + Outbox::queue_bytes() + TlsStream::unsent_memory();
}

void Worker::RelieveOutboxes() {
  const auto measure = [this] { return OutboxMemory() - memory_before_; };
  if (!outbox_budget_.IsExceeded(measure())) return;
  std::vector<OutboxBudget::Consumer> consumers;
  for (const std::unique_ptr<Session>& session : sessions_) {
    if (!session->is_open() || session->outbox_bytes() == 0) continue;
    consumers.push_back({.connection = session.get(),
                         .outbox_bytes = session->outbox_bytes(),
                         .takes_bytes = session->takes_bytes()});
  }
  const size_t closed = outbox_budget_.Relieve(
      std::move(consumers),
      [this](const OutboxBudget::Consumer& consumer) {
        limits_.Add(Limit::kOutboxes);
        static_cast<Session*>(consumer.connection)
            ->Close(CloseCode::kSlowConsumer, "too slow: the outboxes of all are full",
                    /*drop_unsent=*/true);
      },
      measure);
  if (outbox_log_limit_.Admit(loop_->now()) > 0) {
    spdlog::warn("all outboxes together were over their bound: closed {} connections", closed);
  }
}

void Worker::OnReadEnds(Session* session) { gate_.Leave(session); }

void Worker::OnActivity(Session* session, size_t bytes) {
  received_bytes_ += bytes;
  if (session->is_open()) silent_.Append(session, loop_->now());
}

void Worker::OnClosing(Session* session) { closing_.Append(session, loop_->now()); }

void Worker::OnTouched(Session* session, TrafficClass traffic_class) {
  touched_.Add(session, traffic_class);
}

void Worker::OnHeld(int64_t change, bool small) {
  small ? gate_.CountSmallHeld(change) : gate_.CountHeld(change);
}

void Worker::OnUnfinished(Session* session, size_t bytes) {
  if (bytes == 0) return unfinished_.Remove(session);
  const absl::Time now = loop_->now();
  if (!session->has_unfinished()) unfinished_.Add(session, session->peer_address(), now);
  unfinished_.SetBytes(session, bytes);
  while (UnfinishedNode* const victim = unfinished_.Victim(now)) {
    if (const int64_t count = unfinished_log_limit_.Admit(now)) {
      spdlog::warn("unfinished messages take {} bytes: closed {} of their connections",
                   unfinished_.bytes(), count);
    }
    limits_.Add(Limit::kUnfinished);
    // It leaves the pool when it closes.
    static_cast<Session*>(victim)->Close(CloseCode::kTooBig, "too many unfinished messages");
  }
}

bool Worker::ReadWaiting() {
  // Those that wait have a budget of their own, beside those that come.
  if (deflation_ != nullptr) deflation_->BeginTurn();
  if (!gate_.has_next() && !gate_.has_turn()) return false;
  const absl::Time end = clock_.Now() + kWaitingReadsTime;
  do {
    ReadNode* const next = gate_.TakeNext();
    if (next != nullptr) static_cast<Session*>(next)->ReadOn(/*admitted=*/true);
    ReadNode* const in_turn = gate_.TakeTurn();
    if (in_turn != nullptr) static_cast<Session*>(in_turn)->ReadOn(/*admitted=*/false);
    if (next == nullptr && in_turn == nullptr) return false;
  } while (clock_.Now() < end);
  return gate_.has_next() || gate_.has_turn();
}

absl::Time Worker::FlushTouched() {
  const bool more_handshakes = ShakeWaitingHands();
  const bool more_to_read = ReadWaiting() || more_handshakes;
  if (deflation_ != nullptr) deflation_->BeginTurn();
  const uint64_t messages = groups_.counters().messages;
  const bool hurry = messages - messages_before_round_ > kMessagesPerRound;
  const absl::Time next = touched_.FlushSome(
      hurry, [this](FlushNode* node) { return Flush(static_cast<Session*>(node)); });
  if (!touched_.is_behind()) messages_before_round_ = messages;
  if (draining_ && sessions_.empty() && groups_.pending_sends() == 0) loop_->Stop();
  return more_to_read ? absl::InfinitePast() : next;
}

size_t Worker::Flush(Session* session) {
  const size_t frames = session->Flush();
  if (session->ended()) {
    Destroy(session);
  } else if (!session->is_open()) {
    groups_.Remove(session);
  } else if (session->recoveries > 0 && session->drained()) {
    groups_.OnDrained(session);
  }
  return frames;
}

void Worker::Destroy(Session* session) {
  groups_.Remove(session);
  if (session->was_open()) --open_count_;
  if (session->slow()) ++slow_consumers_;
  if (session->is_counted) {
    share_.addresses->Remove(AddressKey(session->counted_address), share_.table);
  }
  if (session->is_over_address_limit) --over_address_limit_;
  const uint32_t place = session->place;
  std::swap(sessions_[place], sessions_.back());
  sessions_[place]->place = place;
  sessions_.pop_back();
}

void Worker::Tick() {
  timing_.OnTick();
  CheckDeadlines();
  gate_.LookAtFinishers();
  CheckCertificate();
  groups_.CheckDeadlines();
  pool_->RetryAccepts();
  heap_trim_.OnTime(loop_->now());
  if (draining_) DrainSome();
  Report();
}

void Worker::CheckDeadlines() {
  const absl::Time now = loop_->now();
  const absl::Duration handshake_timeout =
      handshakes_.is_crowded() ? std::min(kHurriedHandshake, options_.handshake_timeout)
                               : options_.handshake_timeout;
  while (DeadlineNode* node = handshaking_.FirstSince(now - handshake_timeout)) {
    auto* const session = static_cast<Session*>(node);
    handshaking_.Append(session, now);
    // The worker has not read its request: the time begins again.
    if (!session->reads()) continue;
    limits_.Add(Limit::kHandshake);
    session->Abort();
  }
  while (DeadlineNode* node = silent_.FirstSince(now - options_.ping_interval)) {
    pinged_.Append(node, now);
    static_cast<Session*>(node)->SendPing();
  }
  while (DeadlineNode* node = pinged_.FirstSince(now - options_.pong_timeout)) {
    auto* const session = static_cast<Session*>(node);
    // The worker cannot see a pong on a connection that it does not read: the time begins again. If
    // the client has ended, its host answers the ping with a reset, which the worker sees.
    pinged_.Append(session, now);
    if (session->reads()) {
      limits_.Add(Limit::kPong);
      session->Close(CloseCode::kNoPong, "no pong", /*drop_unsent=*/true);
    } else {
      session->SendPing();
    }
  }
  while (DeadlineNode* node = closing_.FirstSince(now - options_.session.close_timeout)) {
    node->Unlink();
    static_cast<Session*>(node)->Abort();
  }
}

void Worker::Report() {
  share_.slot->heartbeat_ms = MonotonicMs(clock_.Now());
  WriteCounters({.connections = open_count_,
                 .groups = groups_.table().group_count(),
                 .memberships = groups_.table().membership_count(),
                 .slow_consumers = slow_consumers_,
                 .accept_pauses = pool_->accept_pauses(),
                 .of_groups = groups_.counters(),
                 .limits = limits_,
                 .of_all = {.groups = &groups_,
                            .channel = channel_.get(),
                            .timing = &timing_,
                            .closes = &closes_,
                            .received_bytes = received_bytes_,
                            .sent_bytes = sent_bytes_,
                            .outbox_bytes = OutboxMemory() - memory_before_}},
                share_.slot);
  share_.slot->waits = !channel_->connected();
  if (share_.slot->state == SharedSlot::State::kStarting && channel_->connected()) {
    share_.slot->state = SharedSlot::State::kReady;
  }
}

void Worker::BeginDrain() {
  if (draining_) return;
  draining_ = true;
  share_.slot->state = SharedSlot::State::kDraining;
  pool_->StopAccepting();
  drain_began_ = loop_->now();
  drain_total_ = sessions_.size();
  spdlog::info("draining {} connections", sessions_.size());
  loop_->RunEvery(kFinishTick, [this] { FinishAnswered(); });
  DrainSome();
}

void Worker::DrainSome() {
  // How many should be closing by now, so that all are within the drain time, and few at once.
  const double seconds = absl::ToDoubleSeconds(loop_->now() - drain_began_ + kTick);
  const double rate = std::max(kDrainPerSecondMin, static_cast<double>(drain_total_) /
                                                       absl::ToDoubleSeconds(options_.drain_time));
  const auto remaining =
      static_cast<size_t>(std::max(0.0, static_cast<double>(drain_total_) - rate * seconds));
  const bool handshakes_may_finish = loop_->now() - drain_began_ < kHandshakeGrace;
  size_t open = 0;
  for (const std::unique_ptr<Session>& session : sessions_) {
    if (session->is_handshaking() && !handshakes_may_finish) session->Abort();
    if (!session->is_open() || ++open <= remaining) continue;
    if (!session->reads_commands()) continue;
    session->StopCommands();
    finishing_.Append(session.get(), absl::InfinitePast());
  }
  FinishAnswered();
  if (loop_->now() - drain_began_ >= options_.drain_time) EndDrain();
  if (sessions_.empty() && groups_.pending_sends() == 0) loop_->Stop();
}

void Worker::FinishAnswered() {
  const absl::Time now = loop_->now();
  while (DeadlineNode* node = finishing_.FirstSince(now - kFinishTick / 2)) {
    auto* const session = static_cast<Session*>(node);
    finishing_.Append(session, now);
    const bool waits =
        session->holds_commands() || session->pending_sends > 0 || session->pending_answers > 0;
    if (!waits || gave_up_) SayGoodbye(session);
  }
}

void Worker::SayGoodbye(Session* session) {
  session->v1() ? session->Close(CloseCode::kDraining, "draining")
                : session->Close(CloseCode::kGoingAway, "going away");
}

// Its first call tells what remains to be told. The next one, a tick later, ends the connections.
// The last answers may be in the kernel: a reset would drop them.
void Worker::EndDrain() {
  if (!std::exchange(gave_up_, true)) {
    groups_.GiveUp();
    for (const std::unique_ptr<Session>& session : sessions_) {
      if (session->is_open()) SayGoodbye(session.get());
    }
    return;
  }
  for (const std::unique_ptr<Session>& session : sessions_) session->EndOrAbort();
  if (sessions_.empty()) loop_->Stop();
}

}  // namespace groupcast::service
