#include "groupcast/client_logic.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "groupcast/command.h"
#include "groupcast/status.h"

namespace groupcast {
namespace {

// A server may ask for more, but must not be able to keep a client away.
constexpr absl::Duration kReconnectAfterMax = absl::Minutes(1);

constexpr uint16_t kCloseNormal = 1000;
constexpr uint16_t kCloseProtocolError = 1002;

// The server closes the connection after these. The close has the same reason.
bool EndsConnection(const ErrorEvent& event) {
  const std::string& word = event.error.word;
  return event.cmd.empty() &&
         (word == "unauthorized" || word == "token_expired" || word == "too_many_connections");
}

}  // namespace

ClientLogic::ClientLogic(const ClientOptions& options, SessionIdentity identity,
                         const std::function<double()>& random)
    : options_(options),
      session_(std::move(identity), {options.queue_bytes_max, options.groups_max}),
      reconnect_backoff_(options.backoff_base, options.backoff_cap, random),
      join_backoff_(options.backoff_base, options.backoff_cap, random) {}

void ClientLogic::Start(absl::Time now) { BeginAttempt(now); }

void ClientLogic::Reconnect(absl::Time now) {
  if (closing_ || phase_ == Phase::kClosed) return;
  const bool has_connection =
      phase_ == Phase::kConnecting || phase_ == Phase::kOpen || phase_ == Phase::kEnding;
  if (has_connection) actions_.push_back(AbandonAction{});
  NoteHowLongItLasted(now);
  reconnect_backoff_.Reset();
  session_.OnDisconnected();
  BeginAttempt(now);
}

void ClientLogic::Close(absl::Time now) {
  if (closing_) return;
  closing_ = true;
  session_.Shutdown(ClientClosed());
  switch (phase_) {
    case Phase::kConnecting:
    case Phase::kOpen:
      return BeginEnd(kCloseNormal, absl::OkStatus(), now);
    case Phase::kEnding:
      return;
    case Phase::kToken:
    case Phase::kWaiting:
    case Phase::kClosed:
      return Finish();
  }
}

void ClientLogic::OnHeard(absl::Time now) {
  if (liveness_.has_value()) liveness_->OnHeard(now);
}

void ClientLogic::OnEvent(absl::StatusOr<Event> event, absl::Time now) {
  if (phase_ != Phase::kConnecting && phase_ != Phase::kOpen) return;
  if (event.ok() && OnOwnEvent(*event, now)) return;
  const bool was_closing = session_.closing();
  absl::Status status = event.status();
  if (status.ok()) status = session_.OnEvent(*std::move(event), now);
  if (!status.ok()) return BeginEnd(kCloseProtocolError, status, now);

  if (phase_ == Phase::kConnecting) OnWelcome(now);
  if (session_.closing() && !was_closing) {
    // The silence of a server that drains means nothing.
    liveness_.reset();
    deadline_ = now + options_.connect_timeout;
    end_why_ = absl::DeadlineExceededError("the server announced to close, and did not");
  }
  NoteJoins(now);
}

void ClientLogic::OnViolation(uint16_t close_code, const absl::Status& why, absl::Time now) {
  if (phase_ == Phase::kConnecting || phase_ == Phase::kOpen) BeginEnd(close_code, why, now);
}

void ClientLogic::OnWriteFailed(const absl::Status& why, absl::Time now) {
  if (phase_ != Phase::kOpen) return;
  deadline_ = now + options_.close_timeout;
  end_why_ = why;
}

void ClientLogic::OnClosed(ConnectionEnd end, absl::Time now) {
  if (phase_ == Phase::kEnding) end = ConnectionEnd{end_why_};  // It is this side's.
  OnEnd(end, now);
}

void ClientLogic::OnToken(uint64_t request, absl::StatusOr<std::string> token, absl::Time now) {
  if (request != token_request_ || !awaits_token_) return;
  awaits_token_ = false;
  absl::Status status = token.status();
  if (status.ok()) status = CheckToken(*token);
  if (phase_ == Phase::kToken) {
    if (!status.ok()) return OnEnd(NoToken(status.message()), now);
    return Connect(*std::move(token), now);
  }
  if (phase_ != Phase::kOpen) return;
  if (!status.ok()) return TellError(NoToken(status.message()));
  authenticate_id_ = session_.NewCommandId();
  authenticate_ = AuthenticateFrame(*token, *authenticate_id_);
}

void ClientLogic::OnTimer(absl::Time now) {
  if (now >= deadline_) {
    switch (phase_) {
      case Phase::kToken:
        OnEnd(NoToken("it takes too long"), now);
        break;
      case Phase::kConnecting:
        Abandon(absl::DeadlineExceededError("the server could not be reached in time"), now);
        break;
      case Phase::kOpen:
      case Phase::kEnding:
        Abandon(end_why_, now);
        break;
      case Phase::kWaiting:
        BeginAttempt(now);
        break;
      case Phase::kClosed:
        break;
    }
  }
  if (liveness_.has_value()) {
    switch (liveness_->OnTimer(now)) {
      case Liveness::Verdict::kNothing:
        break;
      case Liveness::Verdict::kPing: {
        const CommandId id = session_.NewCommandId();
        ping_ = PingFrame(id);
        liveness_->OnPing(id, now);
        break;
      }
      case Liveness::Verdict::kDead:
        Abandon(absl::DeadlineExceededError(
                    absl::StrCat("nothing came from the server for ",
                                 absl::FormatDuration(options_.dead_peer_timeout))),
                now);
        break;
    }
  }
  if (now >= retry_joins_at_) {
    retry_joins_at_ = absl::InfiniteFuture();
    session_.RetryJoins();
  }
  if (now >= session_.next_deadline()) session_.OnTimer(now);
}

absl::Time ClientLogic::next_deadline() const {
  absl::Time next = std::min({deadline_, retry_joins_at_, session_.next_deadline()});
  if (liveness_.has_value()) next = std::min(next, liveness_->next_deadline());
  return next;
}

std::optional<ClientLogic::Action> ClientLogic::NextAction() {
  if (actions_.empty()) return std::nullopt;
  Action action = std::move(actions_.front());
  actions_.pop_front();
  return action;
}

std::optional<std::string> ClientLogic::NextFrame(absl::Time now) {
  if (phase_ != Phase::kOpen || session_.closing()) return std::nullopt;
  if (ping_.has_value()) return std::exchange(ping_, std::nullopt);
  if (authenticate_.has_value()) return std::exchange(authenticate_, std::nullopt);
  return session_.NextFrame(now);
}

void ClientLogic::BeginAttempt(absl::Time now) {
  opened_at_.reset();
  liveness_.reset();
  ping_.reset();
  authenticate_.reset();
  authenticate_id_.reset();
  retry_joins_at_ = absl::InfiniteFuture();
  Notify(ConnectionState::kConnecting, absl::OkStatus());
  if (!options_.token_source) return Connect(options_.token, now);
  phase_ = Phase::kToken;
  deadline_ = now + kTokenTimeout;
  AskForToken();
}

void ClientLogic::Connect(std::string token, absl::Time now) {
  phase_ = Phase::kConnecting;
  deadline_ = now + options_.connect_timeout;
  actions_.push_back(ConnectAction{std::move(token)});
}

void ClientLogic::AskForToken() {
  awaits_token_ = true;
  actions_.push_back(TokenAction{++token_request_});
}

void ClientLogic::OnWelcome(absl::Time now) {
  phase_ = Phase::kOpen;
  deadline_ = absl::InfiniteFuture();
  opened_at_ = now;
  liveness_.emplace(options_.dead_peer_timeout, now);
  Notify(ConnectionState::kConnected, absl::OkStatus());
}

bool ClientLogic::OnOwnEvent(const Event& event, absl::Time now) {
  if (phase_ != Phase::kOpen) return false;
  if (const auto* reply = std::get_if<ReplyEvent>(&event); reply != nullptr && reply->pong) {
    if (liveness_.has_value() && reply->id.has_value()) liveness_->OnPong(*reply->id, now);
    return true;
  }
  OnHeard(now);
  const auto* error = std::get_if<ErrorEvent>(&event);
  if (error == nullptr || error->lost_group.has_value()) return false;
  if (error->id.has_value() && error->id != authenticate_id_) return false;
  OnOwnError(*error);
  return true;
}

void ClientLogic::OnOwnError(const ErrorEvent& event) {
  const bool is_expiry =
      !event.id.has_value() && event.cmd == "authenticate" && event.error.word == "token_expired";
  if (is_expiry && options_.token_source) return AskForToken();
  if (!EndsConnection(event)) TellError(ToStatus(event.error));
}

void ClientLogic::NoteJoins(absl::Time now) {
  if (session_.has_refused_joins() && retry_joins_at_ == absl::InfiniteFuture()) {
    retry_joins_at_ = now + join_backoff_.Next();
    joins_unsettled_ = true;
  }
  if (joins_unsettled_ && session_.joins_settled()) {
    joins_unsettled_ = false;
    join_backoff_.Reset();
  }
}

void ClientLogic::BeginEnd(uint16_t code, const absl::Status& why, absl::Time now) {
  phase_ = Phase::kEnding;
  deadline_ = now + options_.close_timeout;
  end_why_ = why;
  liveness_.reset();
  actions_.push_back(CloseAction{code});
}

void ClientLogic::Abandon(const absl::Status& why, absl::Time now) {
  actions_.push_back(AbandonAction{});
  OnEnd(why, now);
}

void ClientLogic::OnEnd(const ConnectionEnd& end, absl::Time now) {
  liveness_.reset();
  retry_joins_at_ = absl::InfiniteFuture();
  awaits_token_ = false;
  if (closing_) return Finish();
  NoteHowLongItLasted(now);
  if (!end.may_reconnect) {
    // A fresh token may help against these two.
    const bool may_try_token = options_.token_source && !fresh_token_tried_ &&
                               (end.close_code == 4500 || end.close_code == 4501);
    if (!may_try_token) return Refused(end.why);
    fresh_token_tried_ = true;
  }
  Notify(ConnectionState::kWaiting, end.why);
  const std::optional<absl::Duration> asked = session_.OnDisconnected();
  phase_ = Phase::kWaiting;
  deadline_ =
      now + (asked.has_value() ? std::min(*asked, kReconnectAfterMax) : reconnect_backoff_.Next());
}

// Only a connection that lasted resets the backoff. So a server that accepts and closes at once
// gets few attempts.
void ClientLogic::NoteHowLongItLasted(absl::Time now) {
  if (!opened_at_.has_value() || now - *opened_at_ < options_.backoff_reset_after) return;
  reconnect_backoff_.Reset();
  fresh_token_tried_ = false;
}

void ClientLogic::Refused(const absl::Status& why) {
  session_.Shutdown(why);
  phase_ = Phase::kClosed;
  deadline_ = absl::InfiniteFuture();
  Notify(ConnectionState::kClosed, why);
}

void ClientLogic::Finish() {
  if (phase_ != Phase::kClosed) Notify(ConnectionState::kClosed, absl::OkStatus());
  phase_ = Phase::kClosed;
  deadline_ = absl::InfiniteFuture();
  awaits_token_ = false;
  finished_ = true;
}

void ClientLogic::Notify(ConnectionState state, const absl::Status& why) {
  if (!options_.on_state) return;
  session_.AddCallback([this, state, why] { options_.on_state(state, why); });
}

void ClientLogic::TellError(const absl::Status& why) {
  if (!options_.on_error) return;
  session_.AddCallback([this, why] { options_.on_error(why); });
}

}  // namespace groupcast
