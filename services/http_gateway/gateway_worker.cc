#include "services/http_gateway/gateway_worker.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/random/random.h"
#include "services/connections/outbox.h"
#include "services/protocol/error.h"
#include "services/worker_metrics/worker_numbers.h"
#include "spdlog/spdlog.h"

namespace groupcast::service {
namespace {

constexpr absl::Duration kTick = absl::Milliseconds(250);

// The number of connections over the limit that get an answer. Further ones are dropped.
constexpr size_t kRefusalsMax = 1'000;

// As in the WebSocket service's worker.
constexpr uint64_t kMessagesPerRound = 128;

// How far apart the clients of a draining worker come back.
constexpr absl::Duration kReconnectSpread = absl::Seconds(1);

int64_t MonotonicMs(absl::Time now) { return absl::ToUnixMillis(now); }

// The slot's counters, as GatewayWorker::Counters names them.
enum Counter : size_t {
  kConnections,
  kStreams,
  kRequests,
  kRefused,
  kErrors,
  kDeliveries,
  kGaps,
  kSlow,
  kFirstLimit,
  kLimitConnections = kFirstLimit,
  kLimitRequest,
  kLimitUnfinished,
  kLimitOutboxes,
  kLimitGroups,
  kLimitMessage,
  kLimitSends,
  kLimitRate,
  kLimitQuestions,
  kLimitAccess,
  kGroups,  // from here on, they are not in the table
  kMemberships,
  kRecovered,
  kLost,
  kFirstOwnError,  // of kOwnCodes, in their order
  kCounters = kFirstOwnError + std::size(kOwnCodes),
};

int64_t OutboxMemory() { return SharedBytes::live_bytes() + Outbox::queue_bytes(); }

Problem Stopping() { return ProblemOf(ErrorCode::kUnavailable, "The service stops. Try again."); }

}  // namespace

absl::StatusOr<std::unique_ptr<GatewayWorker>> GatewayWorker::Create(
    const GatewayOptions& options, const ChannelFactory& make_channel, Fd listener, Fd control,
    SharedSlot* slot) {
  absl::StatusOr<std::unique_ptr<EventLoop>> loop = EventLoop::Create();
  if (!loop.ok()) return loop.status();
  std::unique_ptr<GatewayWorker> worker(new GatewayWorker(options, slot, *std::move(loop)));
  if (absl::Status status = worker->Start(make_channel, std::move(listener), std::move(control));
      !status.ok()) {
    return status;
  }
  return worker;
}

GatewayWorker::GatewayWorker(const GatewayOptions& options, SharedSlot* slot,
                             std::unique_ptr<EventLoop> loop)
    : options_(options),
      slot_(slot),
      loop_(std::move(loop)),
      timing_(loop_.get(), &calendar_),
      groups_(options.groups, &clock_),
      services_({.services = options.services}, loop_.get()),
      unfinished_(options.unfinished_bytes_max),
      touched_(&clock_),
      outbox_budget_(static_cast<int64_t>(options.outbox_total_bytes_max)),
      date_(HttpDate(absl::Now())) {}

std::vector<CounterColumn> GatewayWorker::Counters() {
  std::vector<CounterColumn> columns(kCounters);
  const auto column = [&](Counter counter, const char* name, int width, Metric metric) {
    columns[counter] = {.name = name, .width = width, .metric = std::move(metric)};
  };
  column(kConnections, "connections", 12, ConnectionsMetric());
  column(kStreams, "streams", 8, GaugeMetric("groupcast_streams", "Open streams of events."));
  column(kRequests, "requests", 10,
         CounterMetric("groupcast_requests_total",
                       "Requests that came whole and whose head was valid."));
  column(kRefused, "refused", 8,
         CounterMetric("groupcast_requests_refused_total", "Requests answered with a problem."));
  column(kErrors, "errors", 8, {});  // groupcast_errors_total has them by code
  column(kDeliveries, "deliveries", 12, DeliveriesMetric());
  column(kGaps, "gaps", 6, GapsMetric());
  column(kSlow, "slow", 0, SlowConsumersMetric());
  for (const auto& [counter, name] : {std::pair{kLimitConnections, "worker"},
                                      {kLimitRequest, "request"},
                                      {kLimitUnfinished, "unfinished"},
                                      {kLimitOutboxes, "outboxes"},
                                      {kLimitGroups, "groups"},
                                      {kLimitMessage, "message"},
                                      {kLimitSends, "sends"},
                                      {kLimitRate, "rate"},
                                      {kLimitQuestions, "questions"},
                                      {kLimitAccess, "access"}}) {
    columns[counter] = {.name = name,
                        .width = static_cast<int>(strlen(name)) + 1,
                        .is_limit = true,
                        .metric = LimitMetric(name)};
  }
  columns[kGroups].metric = GroupsMetric();
  columns[kMemberships].metric = MembershipsMetric();
  columns[kRecovered].metric = RecoveriesMetric("recovered");
  columns[kLost].metric = RecoveriesMetric("lost");
  for (size_t i = 0; i < std::size(kOwnCodes); ++i) {
    columns[kFirstOwnError + i].metric = ErrorsMetric(kOwnCodes[i]);
  }
  AddWorkerColumns(&columns);
  return columns;
}

GatewayWorker::~GatewayWorker() { connections_.clear(); }

absl::Status GatewayWorker::Start(const ChannelFactory& make_channel, Fd listener, Fd control) {
  groups_.OnFatal([this](const absl::Status& why) {
    failure_ = why;
    loop_->Stop();
  });
  absl::StatusOr<std::unique_ptr<Channel>> channel = make_channel(loop_.get(), &groups_);
  if (!channel.ok()) return channel.status();
  channel_ = *std::move(channel);
  groups_.SetChannel(channel_.get());
  groups_.WatchMessages([this](int64_t sent_at_ms) { timing_.OnMessage(sent_at_ms); });

  services_.OnAnswer([this](const std::string& json) {
    for (Connection* const connection : std::exchange(asking_, {})) connection->OnServices(json);
  });
  // After the channel's hook: a turn writes its own answers.
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
                        .on_drain = [this] { BeginDrain(); }});
  if (!pool.ok()) return pool.status();
  pool_ = *std::move(pool);
  Report();
  return absl::OkStatus();
}

absl::Status GatewayWorker::Run() {
  loop_->Run();
  Report();  // the last numbers count too
  return failure_;
}

absl::string_view GatewayWorker::why_not_ready() const {
  if (draining_) return "the service stops";
  return channel_->connected() ? "" : "the channel is away";
}

void GatewayWorker::OnAccepted(Fd socket) {
  if (connections_.size() >= options_.connections_max) ++over_connections_;
  if (connections_.size() >= options_.connections_max + kRefusalsMax) return;
  ConnectionHost* const host = this;
  auto connection =
      std::make_unique<Connection>(host, loop_.get(), std::move(socket), ConnectionId{RandomId()});
  if (!connection->Start().ok()) return;
  connection->place = static_cast<uint32_t>(connections_.size());
  connections_.push_back(std::move(connection));
}

const std::string* GatewayWorker::AskServices(Connection* connection) {
  const std::string* const answer = services_.Ask();
  if (answer == nullptr) asking_.insert(connection);
  return answer;
}

void GatewayWorker::OnError(absl::string_view code) {
  if (const std::optional<ErrorCode> error = ReadErrorWord(code)) {
    return groups_.CountError(*error);
  }
  const auto* const own = std::find(std::begin(kOwnCodes), std::end(kOwnCodes), code);
  if (own != std::end(kOwnCodes)) ++own_errors_[static_cast<size_t>(own - kOwnCodes)];
}

void GatewayWorker::OnEndAsked(absl::string_view line, bool was_asked) {
  if (was_asked) {
    spdlog::info("control: {}", std::string(line));  // the rate of questions limits these
  } else if (const int64_t count = refused_ends_log_.Admit(loop_->now())) {
    spdlog::warn("control: {} ({} refused since the last such line)", std::string(line), count);
  }
}

bool GatewayWorker::MayHold(size_t bytes) const {
  return held_bytes_ == 0 || held_bytes_ + static_cast<int64_t>(bytes) <=
                                 static_cast<int64_t>(options_.unfinished_bytes_max);
}

void GatewayWorker::OnUnfinished(Connection* connection, size_t bytes) {
  if (bytes == 0) return unfinished_.Remove(connection);
  const absl::Time now = loop_->now();
  if (!connection->has_unfinished()) unfinished_.Add(connection, connection->peer_address(), now);
  unfinished_.SetBytes(connection, bytes);
  while (UnfinishedNode* const victim = unfinished_.Victim(now)) {
    ++over_unfinished_;
    if (const int64_t count = limit_log_.Admit(now)) {
      spdlog::warn("unfinished requests take {} bytes: closed {} of their connections",
                   unfinished_.bytes(), count);
    }
    unfinished_.Remove(victim);
    static_cast<Connection*>(victim)->Abort();
  }
}

void GatewayWorker::RelieveOutboxes() {
  if (!outbox_budget_.IsExceeded(OutboxMemory())) return;
  std::vector<OutboxBudget::Consumer> consumers;
  for (const std::unique_ptr<Connection>& connection : connections_) {
    if (connection->ended() || connection->outbox_bytes() == 0) continue;
    consumers.push_back({.connection = connection.get(),
                         .outbox_bytes = connection->outbox_bytes(),
                         .takes_bytes = connection->takes_bytes()});
  }
  outbox_budget_.Relieve(
      std::move(consumers),
      [this](const OutboxBudget::Consumer& consumer) {
        ++over_outboxes_;
        auto* const connection = static_cast<Connection*>(consumer.connection);
        connection->Close(/*drop_unsent=*/true, CloseCode::kSlowConsumer);
        connection->Abort();
      },
      OutboxMemory);
}

absl::Time GatewayWorker::FlushTouched() {
  const uint64_t messages = groups_.counters().messages;
  const bool hurry = messages - messages_before_round_ > kMessagesPerRound;
  const absl::Time next = touched_.FlushSome(
      hurry, [this](FlushNode* node) { return Flush(static_cast<Connection*>(node)); });
  if (!touched_.is_behind()) messages_before_round_ = messages;
  if (draining_ && connections_.empty()) loop_->Stop();
  return next;
}

size_t GatewayWorker::Flush(Connection* connection) {
  const size_t blocks = connection->Flush();
  if (connection->ended()) {
    Destroy(connection);
  } else if (connection->recoveries > 0 && connection->drained()) {
    groups_.OnDrained(connection);
  }
  return blocks;
}

void GatewayWorker::Destroy(Connection* connection) {
  if (connection->slow()) ++slow_consumers_;
  asking_.erase(connection);
  const uint32_t place = connection->place;
  std::swap(connections_[place], connections_.back());
  connections_[place]->place = place;
  connections_.pop_back();
}

void GatewayWorker::Tick() {
  timing_.OnTick();
  date_ = HttpDate(absl::Now());
  CheckDeadlines();
  groups_.CheckDeadlines();
  pool_->RetryAccepts();
  heap_trim_.OnTime(loop_->now());
  if (draining_) DrainSome();
  Report();
}

void GatewayWorker::CheckDeadlines() {
  const absl::Time now = loop_->now();
  while (DeadlineNode* node = idle_.FirstSince(now - options_.idle_timeout)) {
    node->Unlink();
    static_cast<Connection*>(node)->CloseIdle();
  }
  while (DeadlineNode* node = reading_.FirstSince(now - options_.request_timeout)) {
    node->Unlink();
    ++timeouts_;
    static_cast<Connection*>(node)->OnRequestTimeout();
  }
  while (DeadlineNode* node = writing_.FirstSince(now - options_.request_timeout)) {
    node->Unlink();
    ++timeouts_;
    static_cast<Connection*>(node)->Abort();
  }
  while (DeadlineNode* node = streaming_.FirstSince(now - options_.heartbeat_interval)) {
    streaming_.Append(node, now);
    static_cast<Connection*>(node)->SendHeartbeat();
  }
  while (DeadlineNode* node = closing_.FirstSince(now - options_.connection.close_timeout)) {
    node->Unlink();
    static_cast<Connection*>(node)->Abort();
  }
}

void GatewayWorker::Report() {
  const GroupService::Counters counters = groups_.counters();
  slot_->heartbeat_ms = MonotonicMs(clock_.Now());
  auto& shared = slot_->counters;
  shared[kConnections] = connections_.size();
  shared[kStreams] = static_cast<uint64_t>(streams_);
  shared[kRequests] = requests_;
  shared[kRefused] = refused_;
  shared[kErrors] = counters.errors;
  shared[kDeliveries] = counters.deliveries;
  shared[kGaps] = counters.gaps;
  shared[kSlow] = slow_consumers_;
  shared[kLimitConnections] = over_connections_;
  shared[kLimitRequest] = timeouts_;
  shared[kLimitUnfinished] = over_unfinished_;
  shared[kLimitOutboxes] = over_outboxes_;
  shared[kLimitGroups] = counters.too_many_groups;
  shared[kLimitMessage] = counters.message_too_large;
  shared[kLimitSends] = counters.sends_limited;
  shared[kLimitRate] = counters.rate_limited;
  shared[kLimitQuestions] = counters.questions_limited;
  shared[kLimitAccess] = counters.refused;
  shared[kGroups] = groups_.table().group_count();
  shared[kMemberships] = groups_.table().membership_count();
  shared[kRecovered] = counters.recoveries;
  shared[kLost] = counters.recoveries_lost;
  for (size_t i = 0; i < own_errors_.size(); ++i) shared[kFirstOwnError + i] = own_errors_[i];
  WriteWorkerNumbers({.groups = &groups_,
                      .channel = channel_.get(),
                      .timing = &timing_,
                      .closes = &closes_,
                      .received_bytes = received_bytes_,
                      .sent_bytes = sent_bytes_,
                      .outbox_bytes = OutboxMemory()},
                     kCounters, slot_);
  slot_->waits = !channel_->connected();
  if (slot_->state == SharedSlot::State::kStarting && channel_->connected()) {
    slot_->state = SharedSlot::State::kReady;
  }
}

void GatewayWorker::BeginDrain() {
  if (draining_) return;
  draining_ = true;
  slot_->state = SharedSlot::State::kDraining;
  pool_->StopAccepting();
  drain_began_ = loop_->now();
  drain_streams_ = streams_;
  spdlog::info("draining {} connections, {} of them streams", connections_.size(), streams_);
  DrainSome();
}

// Requests that are under way have their answers, and are the last of their connections. Streams
// end one after the other, so that their clients do not come back all at once.
void GatewayWorker::DrainSome() {
  const double share =
      std::min(1.0, absl::FDivDuration(loop_->now() - drain_began_ + kTick, options_.drain_time));
  const auto remaining = static_cast<int64_t>(static_cast<double>(drain_streams_) * (1.0 - share));
  absl::InsecureBitGen random;
  for (const std::unique_ptr<Connection>& connection : connections_) {
    connection->CloseIdle();
    if (connection->is_streaming() && streams_ > remaining) {
      connection->EndStream(
          CloseCode::kDraining, "draining",
          kReconnectSpread * absl::Uniform(random, 0.0, 1.0) + absl::Milliseconds(1));
    }
  }
  if (loop_->now() - drain_began_ >= options_.drain_time) EndDrain();
}

// Its first call tells what remains to be told. The next one, a tick later, ends the connections.
void GatewayWorker::EndDrain() {
  if (!std::exchange(gave_up_, true)) {
    groups_.GiveUp();
    for (const std::unique_ptr<Connection>& connection : connections_) {
      connection->FailRequest(Stopping());
      if (connection->is_reading()) connection->Close(/*drop_unsent=*/false);
    }
    return;
  }
  for (const std::unique_ptr<Connection>& connection : connections_) connection->Abort();
}

}  // namespace groupcast::service
