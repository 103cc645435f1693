#include "services/channel/testing/simulated_client.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "groupcast/event.h"
#include "services/channel/fingerprint.h"
#include "services/channel/testing/simulated_access.h"
#include "services/protocol/event.h"
#include "services/websocket_service/wire/frame.h"

namespace groupcast::service::testing {
namespace {

Epoch EpochOf(const std::string& text) {
  uint64_t epoch = 0;
  std::from_chars(text.data(), text.data() + text.size(), epoch, 16);
  return Epoch{epoch};
}

// The number of messages of a history that a page has room for, if histories fit.
constexpr size_t kHistoryThatFits = 5;

}  // namespace

// ---- Connections.

void SimulatedConnection::Send(const SharedBytes& frame, TrafficClass) {
  if (cut) return;
  if (!outbox_.empty() && outbox_bytes_ + frame.size() > host_->plan_.outbox_bytes_max) {
    return CutLater(/*slow=*/true);
  }
  // An error is short, and its command is near its beginning.
  const absl::string_view begin = frame.bytes().substr(0, 120);
  if (absl::StrContains(begin, R"("event":"error")") &&
      absl::StrContains(begin, R"("cmd":"add_group")")) {
    host_->truth_->OnJoinRefused();
  }
  outbox_.push_back(frame);
  outbox_bytes_ += frame.size();
  host_->worker_.Wake();
}

void SimulatedConnection::Disconnect(CloseCode, absl::string_view) { CutLater(/*slow=*/false); }

void SimulatedConnection::CutLater(bool slow) {
  host_->events_->After(absl::ZeroDuration(), [self = host_->self_, id = connection_id(), slow] {
    if (*self == nullptr) return;
    for (const auto& connection : (*self)->connections_) {
      if (connection->connection_id() != id) continue;
      const auto kept = connection;
      if (slow) ++(*self)->slow_consumers_;
      (*self)->Cut(kept);
      return;
    }
  });
}

bool SimulatedConnection::HasRoomFor(size_t frame_bytes) const {
  return outbox_.empty() || outbox_bytes_ + frame_bytes <= host_->plan_.outbox_bytes_max / 2;
}

void SimulatedConnection::ResumeCommands() {
  held_ = false;
  host_->worker_.Wake();
}

namespace {

// A date of the machine would make the times of joins others in each run.
GroupServiceOptions OnVirtualDates(GroupServiceOptions options, const EventQueue* events) {
  options.calendar = events;
  options.access.calendar = events;
  return options;
}

}  // namespace

SimulatedHost::SimulatedHost(const WorkerPlan& plan, const ConnectionPlan& connections,
                             const GroupServiceOptions& options, EventQueue* events, Random* random,
                             Network* network, Truth* truth)
    : plan_(connections),
      events_(events),
      random_(random),
      truth_(truth),
      has_tokens_(options.access.policy->tokens() != nullptr),
      service_(OnVirtualDates(options, events), events),
      worker_(plan, events, random, network, truth),
      self_(std::make_shared<SimulatedHost*>(this)) {
  service_.SetChannel(worker_.channel());
  worker_.SetListener(&service_);
  worker_.SetTurnWork([this] { Serve(); });
}

SimulatedHost::~SimulatedHost() {
  *self_ = nullptr;
  for (const auto& connection : connections_) {
    if (connection->cut) continue;
    connection->cut = true;
    service_.Remove(connection.get());
    if (connection->on_cut)
      events_->After(Delay(), [connection] {
        if (connection->on_cut) connection->on_cut();
      });
  }
}

std::shared_ptr<SimulatedConnection> SimulatedHost::Connect(bool v1, const std::string& session) {
  auto connection = std::make_shared<SimulatedConnection>(ConnectionId{random_->Next()}, v1, this);
  if (!session.empty()) connection->set_session(FingerprintOf({session}));
  connections_.push_back(connection);
  truth_->OnConnection(static_cast<uint64_t>(connection->connection_id()), session);
  service_.Add(connection.get());
  const bool shows_token = has_tokens_ && !session.empty();
  const absl::Status identified =
      service_.Identify(connection.get(), shows_token ? SimulatedToken(session) : "");
  if (v1) {
    connection->Reply(
        WelcomeEvent(static_cast<uint64_t>(connection->connection_id()), absl::Seconds(25),
                     {.message_bytes = 65536, .groups = 128, .frame_bytes = 1 << 20}));
  }
  service_.Admit(connection.get(), identified);
  return connection;
}

void SimulatedHost::FromClient(const std::shared_ptr<SimulatedConnection>& connection,
                               std::string text) {
  connection->last_to_host_ = std::max(connection->last_to_host_, events_->Now() + Delay());
  events_->After(connection->last_to_host_ - events_->Now(),
                 [self = self_, connection, text = std::move(text)]() mutable {
                   if (*self == nullptr || connection->cut) return;
                   connection->input_.push_back(std::move(text));
                   (*self)->worker_.Wake();
                 });
}

void SimulatedHost::Cut(const std::shared_ptr<SimulatedConnection>& connection) {
  if (connection->cut) return;
  connection->cut = true;
  service_.Remove(connection.get());
  std::erase(connections_, connection);
  events_->After(Delay(), [connection] {
    if (connection->on_cut) connection->on_cut();
  });
}

void SimulatedHost::CutHalfOpen(const std::shared_ptr<SimulatedConnection>& connection,
                                absl::Duration after) {
  events_->After(after, [self = self_, connection] {
    if (*self != nullptr) (*self)->Cut(connection);
  });
}

void SimulatedHost::Serve() {
  service_.CheckDeadlines();
  const auto connections = connections_;  // commands may not change it, cuts do
  for (const auto& connection : connections) {
    while (!connection->cut && !connection->held_ && !connection->input_.empty()) {
      // Before the command: it may be resumed at once.
      connection->held_ = true;
      const std::string text = connection->input_.front();
      if (!service_.HandleCommand(connection.get(), text)) break;
      connection->held_ = false;
      connection->input_.pop_front();
    }
  }
  service_.ServeReaders();
  if (const absl::Time next = service_.ServePresence(); next != absl::InfiniteFuture()) {
    events_->After(std::max(absl::ZeroDuration(), next - events_->Now()), [self = self_] {
      if (*self != nullptr) (*self)->worker_.Wake();
    });
  }
  for (const auto& connection : connections) {
    if (!connection->cut) Flush(connection);
  }
}

void SimulatedHost::Flush(const std::shared_ptr<SimulatedConnection>& connection) {
  const bool waited = !connection->outbox_.empty();
  while (!connection->outbox_.empty() && connection->under_way_ < plan_.frames_under_way_max) {
    const SharedBytes frame = std::move(connection->outbox_.front());
    connection->outbox_.pop_front();
    connection->outbox_bytes_ -= frame.size();
    ++connection->under_way_;
    connection->last_to_client_ = std::max(connection->last_to_client_, events_->Now() + Delay());
    const absl::string_view payload = FramePayload(frame);
    events_->After(connection->last_to_client_ - events_->Now(),
                   [self = self_, connection, text = std::string(payload.data(), payload.size())] {
                     --connection->under_way_;
                     if (*self != nullptr) (*self)->worker_.Wake();
                     if (!connection->cut && connection->on_text) connection->on_text(text);
                   });
  }
  if (waited && connection->outbox_.empty() && connection->recoveries > 0) {
    service_.OnDrained(connection.get());
    if (!connection->outbox_.empty()) worker_.Wake();
  }
}

// ---- Clients with the SDK.

SimulatedClient::SimulatedClient(const Options& options, EventQueue* events, Random* random,
                                 Truth* truth, std::function<SimulatedHost*()> find_host,
                                 uint64_t* delivered)
    : options_(options),
      events_(events),
      random_(random),
      truth_(truth),
      find_host_(std::move(find_host)),
      delivered_(delivered),
      session_({.session_id = options.session, .key_prefix = options.key_prefix}, options.limits),
      self_(std::make_shared<SimulatedClient*>(this)) {
  Connect();
  Tick();
}

SimulatedClient::~SimulatedClient() {
  *self_ = nullptr;
  if (connection_ != nullptr) connection_->on_text = nullptr, connection_->on_cut = nullptr;
}

void SimulatedClient::Connect() {
  host_ = find_host_();
  if (host_ == nullptr) {
    events_->After(random_->Between(absl::Milliseconds(20), absl::Milliseconds(500)),
                   [self = self_] {
                     if (*self != nullptr) (*self)->Connect();
                   });
    return;
  }
  connection_ = host_->Connect(true, options_.session);
  connection_->on_text = [self = self_](const std::string& text) {
    if (*self != nullptr) (*self)->OnText(text);
  };
  connection_->on_cut = [self = self_] {
    if (*self != nullptr) (*self)->OnDisconnected();
  };
}

void SimulatedClient::OnText(const std::string& text) {
  absl::StatusOr<Event> event = ParseEvent(text);
  if (!event.ok()) {
    truth_->Fail(absl::StrCat("the SDK cannot read ", text));
    return;
  }
  if (const absl::Status status = session_.OnEvent(*std::move(event), events_->Now());
      !status.ok()) {
    truth_->Fail(absl::StrCat("the SDK says ", status.message(), " to ", text));
  }
  Pump();
}

void SimulatedClient::OnDisconnected() {
  if (connection_ == nullptr) return;
  connection_->on_text = nullptr;
  connection_->on_cut = nullptr;
  connection_ = nullptr;
  session_.OnDisconnected();
  Pump();
  events_->After(random_->Between(absl::Milliseconds(20), absl::Milliseconds(500)), [self = self_] {
    if (*self != nullptr) (*self)->Connect();
  });
}

void SimulatedClient::Cut() {
  if (connection_ == nullptr || connection_->cut) return;
  host_->Cut(connection_);
}

void SimulatedClient::CutHalfOpen(absl::Duration after) {
  if (connection_ == nullptr || connection_->cut) return;
  const std::shared_ptr<SimulatedConnection> connection = connection_;
  OnDisconnected();
  host_->CutHalfOpen(connection, after);
}

void SimulatedClient::Pump() {
  while (const std::function<void()> callback = session_.NextCallback()) callback();
  if (session_.queue_bytes() > options_.limits.queue_bytes_max) {
    truth_->Fail(absl::StrCat("the SDK's queue: ", session_.queue_bytes(), ", of ",
                              options_.limits.queue_bytes_max));
  }
  if (connection_ == nullptr || connection_->cut || !session_.connected()) return;
  while (std::optional<std::string> frame = session_.NextFrame(events_->Now())) {
    host_->FromClient(connection_, *std::move(frame));
  }
}

void SimulatedClient::Tick() {
  if (events_->Now() >= session_.next_deadline()) {
    session_.OnTimer(events_->Now());
  }
  if (session_.has_refused_joins()) session_.RetryJoins();
  Pump();
  events_->After(absl::Milliseconds(100), [self = self_] {
    if (*self != nullptr) (*self)->Tick();
  });
}

void SimulatedClient::Join(const std::string& group) {
  if (memberships_.contains(group)) return;
  memberships_[group] = {};
  const uint64_t join = next_join_++;
  joins_[group] = join;
  JoinOptions options;
  const auto left = left_at_.find(group);
  if (left != left_at_.end() && random_->OneIn(2)) {
    options.since = left->second;
    memberships_[group].position = left->second;
  } else if (random_->OneIn(3)) {
    options.history = static_cast<uint32_t>(random_->Between(1, 5));
    memberships_[group].history = options.history;
  }
  auto callbacks = std::make_shared<GroupCallbacks>();
  callbacks->on_join = [this, group, join](const absl::StatusOr<Joined>& joined) {
    OnJoined(group, joined, join);
  };
  callbacks->on_message = [this, group, join](const groupcast::Message& message) {
    OnMessage(group, message, join);
  };
  callbacks->on_gap = [this, group, join](const groupcast::Gap& gap) { OnGap(group, gap, join); };
  if (!session_.Join(group, options, std::move(callbacks)).ok()) truth_->Fail("cannot join");
  Pump();
}

void SimulatedClient::Leave(const std::string& group) {
  const auto found = memberships_.find(group);
  if (found == memberships_.end()) return;
  if (found->second.joined) left_at_[group] = found->second.position;
  memberships_.erase(found);
  joins_.erase(group);
  session_.Leave(group);
  Pump();
}

void SimulatedClient::Send(const std::string& group, const std::string& text, bool exclude_self) {
  if (exclude_self) excluded->insert(text);
  if (options_.may_come_again) truth_->MayComeAgain(group, text);
  ++unanswered_;
  const absl::Status sent = session_.Send(
      group, absl::StrCat("\"", text, "\""), {.exclude_self = exclude_self},
      [this, group, text](const absl::StatusOr<groupcast::Position>& position) {
        --unanswered_;
        if (position.ok()) {
          truth_->OnAcknowledged(group, {EpochOf(position->epoch), position->offset}, text);
        } else if (absl::IsUnavailable(position.status())) {
          truth_->OnRefused(group, text);
        }
      });
  if (!sent.ok()) {
    --unanswered_;
    truth_->OnRefused(group, text);
  }
  Pump();
}

void SimulatedClient::ReadHistory(const std::string& group) {
  HistoryOptions options;
  options.limit = static_cast<uint32_t>(random_->Between(1, 20));
  const auto found = memberships_.find(group);
  if (found != memberships_.end() && found->second.joined && random_->OneIn(2)) {
    options.since = found->second.position;
  }
  session_
      .History(
          group, options,
          [this, group, options,
           asked_at = events_->Now()](const absl::StatusOr<GroupHistory>& history) {
            if (!history.ok()) return;
            if (!options.since.has_value()) {
              CheckHistoryBounds(group, options.limit, *history, asked_at);
            }
            const groupcast::Message* last = nullptr;
            for (const groupcast::Message& message : history->messages) {
              const Truth::Message* const there =
                  truth_->At(group, {EpochOf(history->head.epoch), message.offset});
              if (there == nullptr || there->text != message.text) {
                truth_->Fail(absl::StrCat("group ", group, ": a history has ", message.json, " at ",
                                          message.offset));
              }
              if (last != nullptr && Next(group, {history->head.epoch, last->offset}) != there) {
                truth_->Fail(absl::StrCat("group ", group, ": a history has a hole before ",
                                          message.offset));
              }
              last = &message;
            }
            if (!history->recovered) return;
            const groupcast::Position after =
                last != nullptr ? groupcast::Position{history->head.epoch, last->offset}
                                : *options.since;
            const Truth::Message* const next = Next(group, after);
            if (next != nullptr && next->offset <= history->head.offset) {
              truth_->Fail(absl::StrCat("group ", group, ": a history that is complete lacks ",
                                        next->offset));
            }
          })
      .IgnoreError();
  Pump();
}

void SimulatedClient::CheckHistoryBounds(const std::string& group, uint32_t limit,
                                         const GroupHistory& history, absl::Time asked_at) {
  const RetentionOptions& bounds = options_.history;
  const size_t number = std::min<size_t>(limit, bounds.history_messages_max);
  const Position head{EpochOf(history.head.epoch), history.head.offset};
  if (history.messages.size() > number) {
    truth_->Fail(absl::StrCat("group ", group, ": a history has ", history.messages.size(),
                              " messages, of ", number));
  }
  for (const groupcast::Message& message : history.messages) {
    const Truth::Message* const there = truth_->At(group, {head.epoch, message.offset});
    if (there == nullptr || there->at < truth_->undisturbed_since()) continue;
    const absl::Duration age = asked_at - there->at;
    if (age > bounds.history_age_max + options_.age_slack) {
      truth_->Fail(absl::StrCat("group ", group, ": a history has ", message.offset, ", which is ",
                                absl::FormatDuration(age), " old"));
    }
  }
  // The newest must be there, unless they have become too old on the way.
  if (!options_.histories_fit || !options_.keeps_history) return;
  for (const Truth::Message* const there :
       truth_->Newest(group, head, std::min(number, kHistoryThatFits))) {
    if (excluded->contains(there->text)) continue;
    if (there->at + bounds.history_age_max <= events_->Now()) continue;
    const bool is_there =
        std::any_of(history.messages.begin(), history.messages.end(),
                    [&](const auto& message) { return message.offset == there->offset; });
    if (!is_there) {
      truth_->Fail(absl::StrCat("group ", group, ": a history up to ", head.offset, " lacks ",
                                there->offset));
    }
  }
}

const Truth::Message* SimulatedClient::Next(const std::string& group,
                                            groupcast::Position position) const {
  const Truth::Message* next = truth_->Next(group, EpochOf(position.epoch), position.offset);
  while (next != nullptr && excluded->contains(next->text)) {
    next = truth_->Next(group, EpochOf(position.epoch), next->offset);
  }
  return next;
}

void SimulatedClient::OnJoined(const std::string& group, const absl::StatusOr<Joined>& joined,
                               uint64_t join) {
  if (joins_[group] != join) return truth_->Fail("a callback of a group that was left");
  Membership& membership = memberships_[group];
  if (!joined.ok()) {
    if (!IsTransient(joined.status())) {
      truth_->Fail(absl::StrCat("cannot join: ", joined.status().message()));
    }
    return;
  }
  const groupcast::Position before = std::exchange(membership.position, joined->position);
  const bool had_position = !before.epoch.empty();
  membership.joined = true;
  if (!joined->recovered) {
    if (!truth_->may_lose()) {
      truth_->Fail(absl::StrCat("group ", group, ": not recovered, but nothing was lost"));
    }
    membership.lost_from = before;
    return;
  }
  if (!had_position) return CheckHistory(group, membership);
  const std::string behind = WhyNotAt(group, before, joined->position);
  if (!behind.empty()) {
    truth_->Fail(absl::StrCat("group ", group, ": recovered at ", joined->position.offset, ", but ",
                              behind));
  }
}

std::string SimulatedClient::WhyNotAt(const std::string& group, const groupcast::Position& member,
                                      const groupcast::Position& position) const {
  if (member.epoch != position.epoch) return "that is another epoch";
  if (position.offset < member.offset) {
    return absl::StrCat("the member is at ", member.offset, " already");
  }
  // Between the two there may be messages that this session does not get.
  const Truth::Message* const next = Next(group, member);
  if (next == nullptr || next->offset > position.offset) return "";
  return absl::StrCat("the member is at ", member.offset, " and has not got ", next->offset);
}

void SimulatedClient::CheckHistory(const std::string& group, const Membership& membership) {
  if (truth_->may_lose() || !options_.histories_fit) return;  // less may be kept, or fit
  const Epoch epoch = EpochOf(membership.position.epoch);
  const size_t all = truth_->CountAfter(group, {epoch, 0});
  const size_t after = truth_->CountAfter(group, {epoch, membership.position.offset});
  if (after < std::min<size_t>(membership.history, all)) {
    truth_->Fail(absl::StrCat("group ", group, ": ", after, " of ", all, " messages come, not ",
                              membership.history));
  }
}

void SimulatedClient::OnMessage(const std::string& group, const groupcast::Message& message,
                                uint64_t join) {
  if (joins_[group] != join) return truth_->Fail("a message of a group that was left");
  ++*delivered_;
  Membership& membership = memberships_[group];
  const Truth::Message* const next = Next(group, membership.position);
  if (membership.lost_from.has_value()) {
    truth_->Fail(absl::StrCat("group ", group, ": a member gets ", message.offset,
                              " before it is told the gap"));
  }
  if (!membership.joined || message.epoch != membership.position.epoch || next == nullptr ||
      next->offset != message.offset || message.text != next->text) {
    truth_->Fail(absl::StrCat("group ", group, ": a member at ", membership.position.offset,
                              " gets ", message.offset, " ", message.json, ", but next is ",
                              next == nullptr ? "nothing" : absl::StrCat(next->offset)));
  }
  membership.position = message.position();
}

void SimulatedClient::OnGap(const std::string& group, const groupcast::Gap& gap, uint64_t join) {
  if (joins_[group] != join) return truth_->Fail("a gap of a group that was left");
  if (!truth_->may_lose()) {
    truth_->Fail(absl::StrCat("group ", group, ": a member is told a gap to ", gap.to,
                              ", but nothing was lost"));
  }
  Membership& membership = memberships_[group];
  const groupcast::Position from = membership.lost_from.value_or(membership.position);
  std::string why;
  if (gap.epoch != from.epoch) {
    if (gap.from.has_value()) why = "has a beginning in another epoch";
  } else if (!gap.from.has_value() || gap.to <= *gap.from) {
    why = "is none";
  } else {
    why = WhyNotAt(group, from, {gap.epoch, *gap.from});
  }
  if (membership.lost_from.has_value() && gap.position() != membership.position) {
    why = absl::StrCat("does not end at the join, which is at ", membership.position.offset);
  }
  if (!why.empty()) {
    truth_->Fail(absl::StrCat("group ", group, ": a gap from ",
                              gap.from.has_value() ? absl::StrCat(*gap.from) : "before", " to ",
                              gap.to, " ", why));
  }
  membership.lost_from.reset();
  membership.position = gap.position();
}

std::string SimulatedClient::WhyNotAtRest(Epoch epoch) const {
  if (unanswered_ > 0) return absl::StrCat(unanswered_, " sends have no answer");
  for (const auto& [group, membership] : memberships_) {
    if (!membership.joined) return absl::StrCat("a client has not joined ", group);
    if (membership.lost_from.has_value()) {
      return absl::StrCat("a member of ", group, " was not told what it lost");
    }
    if (EpochOf(membership.position.epoch) != epoch) {
      return absl::StrCat("a member of ", group, " is in another epoch");
    }
    if (const Truth::Message* const next = Next(group, membership.position)) {
      return absl::StrCat("a member of ", group, " is at ", membership.position.offset,
                          " and has not got ", next->offset);
    }
  }
  return "";
}

// ---- Bare clients.

BareClient::BareClient(std::string group, std::string text, Truth* truth, SimulatedHost* host,
                       uint64_t* delivered)
    : group_(std::move(group)),
      text_(std::move(text)),
      truth_(truth),
      host_(host),
      delivered_(delivered),
      connection_(host->Connect(false, "")) {
  connection_->on_text = [this](const std::string& text) { OnText(text); };
  host_->FromClient(connection_,
                    absl::StrCat("{\"cmd\":\"add_group\",\"group_id\":\"", group_, "\"}"));
  host_->FromClient(connection_, absl::StrCat("{\"cmd\":\"send_to_group\",\"group_id\":\"", group_,
                                              "\",\"message\":\"", text_, "\"}"));
}

BareClient::~BareClient() { connection_->on_text = nullptr; }

void BareClient::Cut() {
  if (!connection_->cut) host_->Cut(connection_);
}

void BareClient::OnText(const std::string& text) {
  if (absl::StartsWith(text, "{\"event\":\"error\"")) {
    if (absl::StrContains(text, "\"cmd\":\"send_to_group\"") &&
        absl::StrContains(text, "\"code\":\"unavailable\"")) {
      truth_->OnRefused(group_, text_);
    }
    Cut();  // the join or the send was refused: it begins again, as a page that is loaded again
    return;
  }
  ++*delivered_;
  const Position place = truth_->PlaceOf(group_, text);
  if (place.offset == 0) {
    truth_->Fail(absl::StrCat("a bare member gets \"", text, "\", which has no place"));
    return;
  }
  if (text == text_) got_own_ = true;
  if (truth_->HasComeAgain(group_, text)) {
    last_ = Position{};
    return;
  }
  if (place.epoch == last_.epoch) {
    const Truth::Message* const next = truth_->Next(group_, last_.epoch, last_.offset);
    const bool in_order = place.offset > last_.offset;
    if (!in_order || (!truth_->may_lose() && (next == nullptr || next->offset != place.offset))) {
      truth_->Fail(absl::StrCat("a bare member at ", last_.offset, " gets ", place.offset));
    }
  }
  last_ = place;
}

std::string BareClient::WhyNotAtRest() const {
  if (connection_->cut || truth_->may_lose() || !truth_->IsPlaced(group_, text_)) return "";
  if (!got_own_) return absl::StrCat("a bare member has not got its own \"", text_, "\"");
  if (const auto* next = truth_->Next(group_, last_.epoch, last_.offset)) {
    return absl::StrCat("a bare member has not got ", next->offset);
  }
  return "";
}

}  // namespace groupcast::service::testing
