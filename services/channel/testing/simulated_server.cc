#include "services/channel/testing/simulated_server.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/channel/proto/wire.pb.h"

namespace groupcast::service::testing {
namespace {

// The text of the message in a frame.
std::string TextOf(const LiveFrame& frame) {
  channel::v1::Content content;
  content.ParseFromArray(frame.body.data(), static_cast<int>(frame.body.size()));
  return content.data();
}

}  // namespace

SimulatedServer::SimulatedServer(const ServerPlan& plan, EventQueue* events, Random* random,
                                 Network* network, Truth* truth)
    : plan_(plan),
      events_(events),
      random_(random),
      network_(network),
      truth_(truth),
      broker_(std::make_unique<Broker>(plan.broker, events, events)),
      self_(std::make_shared<SimulatedServer*>(this)) {
  OpenLog();
  network_->ServerUp(&inbox_, [this] { Wake(); });
  Tick();
}

SimulatedServer::~SimulatedServer() {
  *self_ = nullptr;
  network_->ServerDown();
}

void SimulatedServer::OpenLog() {
  if (plan_.storage == nullptr) return;
  RecoveryReport report;
  absl::StatusOr<std::unique_ptr<BrokerLog>> log = BrokerLog::Open(
      plan_.log, /*begin_new_epoch=*/false, events_->Now(), plan_.storage, broker_.get(), &report);
  if (!log.ok()) {
    // A failed write is not the log's fault. A log that cannot be read is.
    if (absl::IsDataLoss(log.status()) || absl::IsFailedPrecondition(log.status())) {
      truth_->Fail(absl::StrCat("the log cannot be opened: ", log.status().message()));
    }
    dead_ = true;
    return;
  }
  log_ = *std::move(log);
  broker_->BeginTurn();
  if (!broker_->EndTurn(this).ok()) dead_ = true;
}

void SimulatedServer::Close() {
  if (log_ != nullptr && !dead_) log_->Close().IgnoreError();
  dead_ = true;
}

void SimulatedServer::Continue() {
  stopped_ = false;
  Wake();
}

// As the real one, it has a turn now and then when nothing comes.
void SimulatedServer::Tick() {
  Wake();
  events_->After(absl::Milliseconds(100), [self = self_] {
    if (*self != nullptr) (*self)->Tick();
  });
}

void SimulatedServer::Wake() {
  if (turn_due_ || stopped_ || dead_) return;
  turn_due_ = true;
  events_->After(random_->Between(absl::ZeroDuration(), absl::Microseconds(300)),
                 [this, self = self_] {
                   if (*self == nullptr) return;
                   turn_due_ = false;
                   Turn();
                 });
}

void SimulatedServer::Turn() {
  if (stopped_ || dead_) return;
  const auto reads = [this] { return random_->Between(1, plan_.reads_per_turn_max); };
  broker_->BeginTurn();
  for (int64_t i = reads(); i > 0 && !inbox_.control.empty() && !dead_; --i) {
    const auto [from, frame] = std::move(inbox_.control.front());
    inbox_.control.pop_front();
    broker_->OnControl(from, frame, this).IgnoreError();
  }
  for (int64_t i = reads(); i > 0 && !inbox_.subscriptions.empty() && !dead_; --i) {
    const std::string frame = std::move(inbox_.subscriptions.front());
    inbox_.subscriptions.pop_front();
    (frame[0] == 1 ? broker_->OnSubscription(frame.substr(1))
                   : broker_->OnUnsubscription(frame.substr(1)))
        .IgnoreError();
  }
  std::vector<std::string> frames;
  const bool waits = broker_->handing_out();
  for (int64_t i = reads(); i > 0 && !waits && !inbox_.publications.empty() && !dead_; --i) {
    frames.push_back(std::move(inbox_.publications.front()));
    inbox_.publications.pop_front();
  }
  accepted_.reserve(accepted_.size() + frames.size());  // they must stay where they are
  for (std::string& frame : frames) {
    accepted_.push_back(std::move(frame));
    if (broker_->OnPublication(absl::MakeSpan(accepted_.back())).ok()) {
      accepted_at_.push_back(events_->Now());
    } else {
      accepted_.pop_back();
    }
  }
  broker_->EndTurn(this).IgnoreError();
  broker_->AnswerQuestions(this);
  if (dead_) {
    network_->ServerDown();
    return;
  }
  if (!broker_->handing_out()) {
    accepted_.clear();
    accepted_at_.clear();
    placed_ = 0;
  }
  CheckPatience();
  // It may also die between its turn and the log's step after it.
  if (log_ != nullptr && Output()) log_->Step(events_->Now()).IgnoreError();
  // As after its directory was emptied.
  if (log_ != nullptr && plan_.log_begins_anew_one_in > 0 &&
      random_->OneIn(plan_.log_begins_anew_one_in) && Output()) {
    log_->StartAnew(events_->Now()).IgnoreError();
  }
  CheckBounds();
  const bool more = !inbox_.control.empty() || !inbox_.subscriptions.empty() ||
                    (!inbox_.publications.empty() && !broker_->handing_out()) ||
                    broker_->rest() == Broker::Rest::kMore ||
                    (log_ != nullptr && log_->in_snapshot());
  if (more) return Wake();
  if (broker_->rest() != Broker::Rest::kNoRoom) return;
  events_->After(absl::Microseconds(500), [this, self = self_] {
    if (*self != nullptr) Wake();
  });
}

void SimulatedServer::CheckBounds() {
  const auto check = [this](absl::string_view what, size_t is, size_t max) {
    if (is > max) truth_->Fail(absl::StrCat("the server's ", what, ": ", is, ", of ", max));
  };
  check("retained bytes", broker_->retained_bytes(), plan_.broker.retention.bytes_max);
  check("publishers", broker_->publisher_count(), plan_.broker.publishers.publishers_max);
  check("keys", broker_->key_count(), plan_.broker.keys.keys_max);
}

bool SimulatedServer::Output() {
  if (dead_) return false;
  if (outputs_left_ == 0) {
    dead_ = true;
    return false;
  }
  if (outputs_left_ > 0) --outputs_left_;
  return true;
}

absl::Status SimulatedServer::WriteLog(std::string* record) {
  if (!Output()) return absl::UnavailableError("dead");
  const absl::Status written = log_->Append(record);
  if (!written.ok()) return written;
  PlaceNew();
  // It may die after this write and before anyone gets the result.
  return absl::OkStatus();
}

// The message has its place, whatever happens to this process.
void SimulatedServer::Place(size_t index) {
  const absl::StatusOr<LiveFrame> parsed = ParseLiveFrame(accepted_[index]);
  truth_->OnPlaced(parsed->group_id, {parsed->header.epoch, parsed->header.offset},
                   parsed->header.previous, TextOf(*parsed), parsed->header.key,
                   accepted_at_[index]);
}

void SimulatedServer::PlaceNew() {
  for (; placed_ < accepted_.size(); ++placed_) Place(placed_);
}

bool SimulatedServer::HandOut(size_t index) {
  // A dead server's output reaches no worker.
  if (!Output()) return true;
  if (log_ == nullptr) PlaceNew();
  std::string& frame = accepted_[index];
  if (!Broadcast(frame)) return false;
  std::fill(frame.begin(), frame.end(), '?');  // as a socket that takes it
  return true;
}

bool SimulatedServer::Announce(absl::string_view frame) { return !Output() || Broadcast(frame); }

bool SimulatedServer::Broadcast(absl::string_view frame) {
  const bool may_drop =
      plan_.subscriber_patience == absl::ZeroDuration() || events_->Now() < dropping_until_;
  const bool sent = network_->Broadcast(frame, may_drop);
  if (sent) {
    blocked_since_ = absl::InfiniteFuture();
  } else if (blocked_since_ == absl::InfiniteFuture()) {
    blocked_since_ = events_->Now();
  }
  return sent;
}

void SimulatedServer::CheckPatience() {
  if (events_->Now() - blocked_since_ < plan_.subscriber_patience) return;
  blocked_since_ = absl::InfiniteFuture();
  dropping_until_ = events_->Now() + plan_.drop_for;
}

BrokerSink::Sent SimulatedServer::SendControl(PublisherId to, absl::string_view frame) {
  return Output() ? network_->SendControl(to, frame) : Sent::kGone;
}

}  // namespace groupcast::service::testing
