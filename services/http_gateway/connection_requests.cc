// The part of Connection between a request that was read and the end of its answer: whom it is
// from, what it may, and what it asks for.

#include <string>
#include <utility>
#include <variant>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "services/groups/member_access.h"
#include "services/http_gateway/api_description.h"
#include "services/http_gateway/connection.h"
#include "services/http_gateway/control_call.h"
#include "services/http_gateway/door.h"

namespace groupcast::service {
namespace {

namespace http = boost::beast::http;

// The body of a request that is refused is read if it is not longer.
constexpr size_t kShortBodyBytesMax = 64 * 1024;

// The sessions of requests are the scopes of their idempotency keys. They have two texts, where a
// session that a client names has one: they cannot meet.
constexpr absl::string_view kProgramSession = "program";
constexpr absl::string_view kHttpSession = "http";

}  // namespace

bool Connection::BodyIsLong() const {
  if (parser_.Field(http::field::transfer_encoding).has_value()) return true;
  size_t bytes = 0;
  const auto length = parser_.Field(http::field::content_length);
  return length.has_value() && (!absl::SimpleAtoi(*length, &bytes) || bytes > kShortBodyBytesMax);
}

std::optional<Problem> Connection::CheckHead() {
  request_ = {.origin = {},
              .keep_alive = parser_.keep_alive() && !host_->is_draining() && !peer_closed_,
              .is_http_1_1 = parser_.is_http_1_1(),
              .is_head = parser_.method() == "HEAD"};
  if (host_->is_surplus(*this)) {
    request_.keep_alive = false;
    return MakeProblem(503, "unavailable", "The service has as many connections as it may have.");
  }
  Head head;
  std::optional<Problem> problem = ReadHead(parser_, host_->door(), &head);
  request_.origin = std::move(head.origin);
  request_.manages = head.manages;
  route_ = std::move(head.route);
  if (!problem.has_value() && head.credentials != credentials_) {
    access.reset();
    credentials_ = std::move(head.credentials);
  }
  return problem;
}

std::optional<Problem> Connection::CheckServices() {
  const Identity* const identity = IdentityOf(*this);
  const bool is_program = identity != nullptr && identity->program != nullptr;
  if (is_program ? !identity->program->Cover("", Right::kManage) : !request_.manages) {
    return ProblemOf(ErrorCode::kForbidden,
                     "This needs an API key with the scope manage for all groups.");
  }
  const absl::Status status = host_->groups().TakeToken(this);
  if (status.ok()) return std::nullopt;
  return ProblemOf(ErrorCodeOf(status), status.message());
}

std::optional<Problem> Connection::Identify(bool is_stream) {
  const bool is_program = ApiKeys::LooksLikeKey(credentials_);
  // Presence knows a client that comes back by its session, so streams have none in common.
  const absl::string_view session = route_.Parameter("session").value_or("");
  if (!session.empty() && !IsSession(session)) {
    return MakeProblem(400, kBadRequest, kSessionDefect);
  }
  const bool is_known = !is_stream && access != nullptr && access->identity.is_authenticated() &&
                        access->identity.token->valid_until > now() && session == session_name_;
  if (!is_known) {
    access.reset();
    session_name_ = std::string(session);
    Fingerprint own;
    if (!session.empty()) {
      own = FingerprintOf({session});
    } else if (is_program) {
      own = FingerprintOf({kProgramSession, host_->api_keys().Find(credentials_)->name});
    } else if (!is_stream) {
      own = FingerprintOf({kHttpSession, ""});
    }
    set_session(is_stream && session.empty() ? Fingerprint() : own);
  }
  if (is_program) {
    access = std::make_unique<MemberAccess>();
    access->identity.program = &host_->api_keys().Find(credentials_)->grants;
  }
  host_->groups().Add(this);
  is_member_ = true;
  if (is_known || is_program) return std::nullopt;
  const absl::Status status = host_->groups().Identify(this, credentials_);
  if (status.ok()) return std::nullopt;
  credentials_.clear();  // the next request shows it again
  if (absl::IsResourceExhausted(status)) {
    return ProblemOf(ErrorCode::kTooManyConnections, status.message());
  }
  return ProblemOf(ErrorCodeOf(status), status.message());
}

bool Connection::RunPlain() {
  switch (route_.endpoint) {
    case Endpoint::kAlive:
      SendAnswer(JsonResponse(response_frame(), R"({"alive":true})"));
      return true;
    case Endpoint::kReady: {
      const absl::string_view why_not = host_->why_not_ready();
      SendAnswer(why_not.empty()
                     ? JsonResponse(response_frame(), R"({"ready":true})")
                     : ProblemResponse(
                           response_frame(),
                           MakeProblem(503, "unavailable", absl::StrCat("Not ready: ", why_not))));
      return true;
    }
    case Endpoint::kApiDescription:
      SendAnswer(JsonResponse(response_frame(), kApiDescription));
      return true;
    case Endpoint::kDashboard:
      SendAnswer(RedirectResponse(response_frame(), "dashboard/"));
      return true;
    case Endpoint::kDashboardFile:
      SendFile();
      return true;
    default:
      return false;
  }
}

void Connection::SendFile() {
  const Pages* const files = host_->dashboard();
  const Pages::Page* const file =
      files == nullptr ? nullptr : files->Find(absl::StrCat("/", route_.id));
  if (file == nullptr) {
    return RefuseRequest(MakeProblem(
        404, kNotFound,
        files == nullptr
            ? "This gateway has no dashboard. Its flag --dashboard_pages names the files of one."
            : "The dashboard has no such file."));
  }
  SendAnswer(FileResponse(response_frame(), *file,
                          parser_.Field(http::field::if_none_match).value_or("")));
}

void Connection::Run() {
  host_->OnRequest(/*refused=*/false);
  if (route_.method == Method::kOptions) {
    return SendAnswer(PreflightResponse(response_frame(), AllowedMethods(route_.endpoint)));
  }
  if (RunPlain()) return;
  std::variant<Calls, Problem> read =
      ReadCalls(route_,
                {.content_type = parser_.Field(http::field::content_type),
                 .idempotency_key = parser_.Field("Idempotency-Key"),
                 .last_event_id = parser_.Field("Last-Event-ID"),
                 .body = parser_.body()},
                host_->options().calls);
  if (const Problem* const problem = std::get_if<Problem>(&read)) return RefuseRequest(*problem);
  Calls calls = std::get<Calls>(std::move(read));
  if (const std::optional<Problem> problem = Identify(calls.is_stream)) {
    return RefuseRequest(*problem);
  }
  if (calls.asks_services) {
    if (const std::optional<Problem> problem = CheckServices()) return RefuseRequest(*problem);
  }
  const std::variant<Fingerprint, Problem> excluded =
      ReadExcluded(route_, UserOf(*this), access != nullptr && access->identity.program != nullptr);
  if (const Problem* const problem = std::get_if<Problem>(&excluded)) {
    return RefuseRequest(*problem);
  }
  for (auto& item : calls.items) {
    Command* const command = std::get_if<Command>(&item);
    if (command != nullptr) command->excluded_session = std::get<Fingerprint>(excluded);
  }
  const size_t bytes = parser_.buffered_bytes() + calls.items.size() * sizeof(calls.items.front());
  if (!host_->MayHold(bytes)) {
    return RefuseRequest(
        ProblemOf(ErrorCode::kUnavailable, "Too many requests wait for the channel. Try again."));
  }
  // Of a list. The others of its items are commands, whose errors the groups count.
  for (const auto& item : calls.items) {
    const auto* const defect = std::get_if<CommandError>(&item);
    if (defect != nullptr) host_->OnError(ErrorWord(defect->code));
  }
  held_bytes_ = bytes;
  host_->OnHeld(static_cast<int64_t>(held_bytes_));
  state_ = State::kAnswering;
  // What follows waits in the kernel. A stream has nothing to read but its end.
  if (!calls.is_stream) IgnoreInput();
  if (calls.is_stream) {
    progress_ = StreamProgress(calls.groups);
    set_encoding(progress_.encoding());
  }
  exchange_ = std::make_unique<Exchange>(std::move(calls));
  parser_.Next();  // the body's memory
  host_->OnAnswering(this);
  if (exchange_->asks_services()) {
    if (const std::string* const json = host_->AskServices(this)) OnServices(*json);
    return;
  }
  AskWorkers();
  RunCommands();
  // A list may have no command.
  host_->OnTouched(this, TrafficClass::kInteractive);
}

void Connection::RunCommands() {
  while (state_ == State::kAnswering && exchange_ != nullptr) {
    const Command* const command = exchange_->Next();
    if (command == nullptr || !host_->groups().Run(this, *command)) return;
    exchange_->Ran();
  }
}

void Connection::AskWorkers() {
  const ControlCommand* const command = exchange_->control();
  if (command == nullptr) return;
  const Identity* const identity = IdentityOf(*this);
  if (std::optional<Problem> problem = CheckControl(
          *command, identity == nullptr ? nullptr : identity->program, request_.manages)) {
    NoteEnd(problem->code, /*was_asked=*/false);
    return exchange_->OnControl(*std::move(problem));
  }
  // The question is dropped before the exchange ends.
  const auto answer = [this](const absl::StatusOr<ControlResult>& result) {
    NoteEnd(ControlOutcome(result), /*was_asked=*/true);
    exchange_->OnControl(ControlJson(*exchange_->control(), result));
    host_->OnTouched(this, TrafficClass::kInteractive);
  };
  const absl::StatusOr<uint64_t> question = host_->groups().AskWorkers(this, *command, answer);
  if (!question.ok()) {
    NoteEnd(ControlOutcome(question.status()), /*was_asked=*/false);
    return exchange_->OnControl(ControlJson(*command, question.status()));
  }
  // It may have its answer at once.
  if (!exchange_->is_complete()) exchange_->question = *question;
}

void Connection::NoteEnd(absl::string_view outcome, bool was_asked) {
  const ControlCommand& command = *exchange_->control();
  if (!IsEnd(command)) return;
  const absl::string_view user = UserOf(*this);
  const std::string who =
      ApiKeys::LooksLikeKey(credentials_)
          ? absl::StrCat("the API key \"", host_->api_keys().Find(credentials_)->name, "\"")
      : user.empty() ? "anyone"
                     : absl::StrCat("the user \"", user, "\"");
  host_->OnEndAsked(absl::StrCat(who, " asks to ", DescribeEnd(command), ": ", outcome), was_asked);
}

}  // namespace groupcast::service
