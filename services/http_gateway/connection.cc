#include "services/http_gateway/connection.h"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>
#include <variant>

#include "absl/random/random.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "services/groups/member_access.h"
#include "services/http_gateway/api_description.h"
#include "services/http_gateway/control_call.h"
#include "services/http_gateway/door.h"
#include "services/http_gateway/event_stream.h"
#include "services/protocol/event.h"

namespace groupcast::service {
namespace {

namespace http = boost::beast::http;

// One buffer for all connections of the process's only loop.
std::array<char, 64 * 1024> read_buffer;

constexpr int kReadsPerTurn = 4;
constexpr size_t kBlocksPerWrite = 64;
constexpr int kWritesPerTurn = 8;

// A connection that has taken no bytes for this time gets no room for a burst.
constexpr absl::Duration kTakesBytesMax = absl::Seconds(1);

// When a stream ends without a word, its client comes back after this time and up to as much again.
constexpr absl::Duration kReconnectAfter = absl::Seconds(1);

// The body of a request that is refused is read if it is not longer.
constexpr size_t kShortBodyBytesMax = 64 * 1024;

// The sessions of requests are the scopes of their idempotency keys. They have two texts, where a
// session that a client names has one: they cannot meet.
constexpr absl::string_view kProgramSession = "program";
constexpr absl::string_view kHttpSession = "http";

uint32_t KernelQueueBytes(int socket, unsigned long which) {
  int bytes = 0;
  return ioctl(socket, which, &bytes) == 0 && bytes > 0 ? static_cast<uint32_t>(bytes) : 0;
}

}  // namespace

Connection::Connection(ConnectionHost* host, EventLoop* loop, Fd socket, ConnectionId id)
    : Member(id, &kGroupStreamEncoding),
      host_(host),
      loop_(loop),
      socket_(std::move(socket)),
      parser_(host->options().requests) {}

Connection::~Connection() {
  LeaveGroups();
  if (registered_) loop_->Remove(socket_.get(), this);
  if (counted_input_ > 0) host_->OnUnfinished(this, 0);
}

absl::Status Connection::Start() {
  const ConnectionOptions& options = host_->options();
  const int unsent_max = static_cast<int>(
      std::min(options.unsent_bytes_max, std::max<size_t>(1, options.outbox_bytes_max / 4)));
  // If it fails, the kernel's own limits hold (tcp_wmem).
  setsockopt(socket_.get(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent_max, sizeof(unsent_max));
  // An answer is one write, and nothing is gained when the kernel waits for more.
  const int no_delay = 1;
  setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &no_delay, sizeof(no_delay));
  watched_ = EPOLLIN;
  absl::Status status = loop_->Add(socket_.get(), watched_, this);
  registered_ = status.ok();
  if (status.ok()) host_->OnIdle(this);
  return status;
}

void Connection::OnEvents(uint32_t events) {
  if ((events & EPOLLERR) != 0) return End();
  if ((events & EPOLLOUT) != 0) {
    write_blocked_ = false;
    unsent_bytes_ = 0;
    host_->OnTouched(this, TrafficClass::kInteractive);
  }
  if ((events & EPOLLIN) != 0) return Read();
  if ((events & EPOLLHUP) != 0) End();
}

void Connection::Read() {
  for (int i = 0; i < kReadsPerTurn && !ended() && (watched_ & EPOLLIN) != 0; ++i) {
    const ssize_t count = read(socket_.get(), read_buffer.data(), read_buffer.size());
    if (count < 0) {
      if (errno != EAGAIN && errno != EINTR) End();
      return;
    }
    if (count == 0) {
      peer_closed_ = true;
      WatchFor(watched_ & ~static_cast<uint32_t>(EPOLLIN));
      // An answer that is under way still has a reader, if the peer has closed its side alone.
      const bool has_unsent = !outbox_.empty();
      if (state_ == State::kReading && has_unsent) return Close(/*drop_unsent=*/false);
      const bool is_answered = state_ == State::kAnswering && !exchange_->is_stream();
      if (!is_answered && !(state_ == State::kClosing && has_unsent)) End();
      return;
    }
    host_->OnReceived(static_cast<size_t>(count));
    const absl::string_view input(read_buffer.data(), static_cast<size_t>(count));
    if (state_ == State::kReading) {
      Parse(input);
    } else {
      // Of a stream that may yet be refused, as everything else here: input that nobody reads.
      request_.keep_alive = false;
    }
    if (static_cast<size_t>(count) < read_buffer.size()) return;
  }
}

void Connection::Parse(absl::string_view input) {
  if (state_ != State::kReading) return;
  for (;;) {
    const RequestParser::Result result = parser_.Read(std::exchange(input, {}));
    if (result == RequestParser::Result::kDefect) {
      const RequestDefect& defect = parser_.defect();
      Problem problem = MakeProblem(defect.status, kBadRequest, defect.message);
      if (defect.status == 413) problem.code = std::string(ErrorWord(ErrorCode::kMessageTooLarge));
      request_.keep_alive = false;
      return RefuseRequest(problem);
    }
    if (result == RequestParser::Result::kNeedMore) {
      if (parser_.is_inside() && !std::exchange(is_timed_, true)) host_->OnReading(this);
      return CountInput();
    }
    if (!head_is_checked_) {
      head_is_checked_ = true;
      refusal_ = CheckHead();
      const bool waits = result == RequestParser::Result::kHead && parser_.expects_continue();
      if (refusal_.has_value() && (waits || BodyIsLong())) {
        // A long body that nobody wants is not read to its end.
        request_.keep_alive = false;
        return RefuseRequest(*std::exchange(refusal_, std::nullopt));
      }
      if (waits) {
        outbox_.PushLast(SharedBytes::Copy("HTTP/1.1 100 Continue\r\n\r\n"));
        host_->OnTouched(this, TrafficClass::kInteractive);
      }
    }
    if (result == RequestParser::Result::kHead) continue;
    CountInput();
    if (refusal_.has_value()) return RefuseRequest(*std::exchange(refusal_, std::nullopt));
    return Run();
  }
}

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
                        access->identity.token->valid_until > loop_->now() &&
                        session == session_name_;
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
  if (!calls.is_stream) WatchFor(watched_ & ~static_cast<uint32_t>(EPOLLIN));
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

void Connection::ResumeCommands() { RunCommands(); }

void Connection::Send(const SharedBytes& bytes, TrafficClass traffic_class) {
  if (state_ != State::kAnswering && state_ != State::kStreaming) return;
  const absl::string_view text = bytes.bytes();
  if (state_ == State::kAnswering && exchange_->is_stream()) {
    if (exchange_->problem().has_value()) return;
    if (!progress_.CountEarly(bytes.size(), host_->options().outbox_bytes_max)) {
      slow_ = true;
      return FailRequest(ProblemOf(
          ErrorCode::kUnavailable,
          "The first groups of the stream have too many messages while others are joined."));
    }
  }
  if (!text.empty() && text.front() == '{') {
    Answer answer = ReadAnswer(text);
    if (state_ == State::kAnswering) {
      exchange_->OnAnswer(std::move(answer));
    } else {
      PushEvent(answer);
    }
    return host_->OnTouched(this, TrafficClass::kInteractive);
  }
  // Another join of the stream is under way.
  if (state_ == State::kAnswering) return progress_.Keep(bytes);
  SharedBytes id = progress_.IdAfter(text);
  if (!PushOrClose(bytes)) return;
  if (id) outbox_.PushLast(std::move(id));
  host_->OnTouched(this, traffic_class);
}

bool Connection::PushOrClose(const SharedBytes& bytes) {
  if (Push(bytes).ok()) return true;
  // A turn may bring more than an outbox holds. Only a peer that does not read either is slow.
  Write();
  if (state_ != State::kStreaming) return false;
  if (Push(bytes).ok()) return true;
  slow_ = true;
  Close(/*drop_unsent=*/true);
  return false;
}

absl::Status Connection::Push(const SharedBytes& bytes) {
  absl::Status queued = outbox_.Push(bytes, outbox_bytes_max());
  if (queued.ok() || !bytes.is_shared() || !takes_bytes()) return queued;
  return outbox_.Push(bytes, outbox_bytes_max() + host_->options().burst_bytes_max);
}

void Connection::PushEvent(const Answer& answer) {
  if (state_ != State::kStreaming) return;
  std::string event;
  if (answer.kind == Answer::Kind::kError) {
    event = StreamEvent("problem", "", ProblemJson(answer.problem));
  } else if (answer.kind == Answer::Kind::kEvent) {
    event = StreamEvent(answer.name, "", answer.json);
  } else {
    return;
  }
  PushOrClose(SharedBytes::Copy(event));
}

bool Connection::takes_bytes() const { return loop_->now() - took_bytes_at_ <= kTakesBytesMax; }

bool Connection::HasRoomFor(size_t bytes) const {
  // An answer has its own bound. Before a stream has begun, nothing is written.
  if (state_ == State::kAnswering) return !exchange_->is_stream();
  return state_ == State::kStreaming && outbox_.HasRoomFor(bytes, outbox_bytes_max());
}

bool Connection::drained() const { return is_streaming() && outbox_.IsDrained(outbox_bytes_max()); }

void Connection::Disconnect(CloseCode code, absl::string_view reason) {
  if (state_ == State::kAnswering) {
    return FailRequest(pending_sends > 0 ? ProblemOf(ErrorCode::kOutcomeUnknown, reason)
                                         : ProblemOfClose(code, reason));
  }
  EndStream(code, reason, absl::ZeroDuration());
}

void Connection::EndStream(CloseCode code, absl::string_view reason,
                           absl::Duration reconnect_after) {
  if (state_ != State::kStreaming) return;
  const auto wait_ms = absl::ToInt64Milliseconds(reconnect_after);
  outbox_.PushLast(SharedBytes::Copy(
      absl::StrCat(wait_ms > 0 ? absl::StrCat("retry: ", wait_ms, "\n") : "",
                   StreamEvent("closing", "", ClosingEvent(code, reason, reconnect_after)))));
  Close(/*drop_unsent=*/false, code);
}

void Connection::OnRequestTimeout() {
  if (state_ == State::kReading && parser_.is_inside()) {
    request_.keep_alive = false;
    return RefuseRequest(
        MakeProblem(408, kRequestTimeout, "The rest of the request did not come in time."));
  }
  Abort();
}

void Connection::FailRequest(const Problem& problem) {
  if (state_ != State::kAnswering) return;
  request_.keep_alive = false;
  exchange_->Fail(problem);
  host_->OnTouched(this, TrafficClass::kInteractive);
}

void Connection::OnServices(absl::string_view json) {
  // The request may have failed meanwhile.
  if (state_ != State::kAnswering || !exchange_->asks_services()) return;
  exchange_->OnAnswer({.kind = Answer::Kind::kReply, .id = 0, .json = std::string(json)});
  host_->OnTouched(this, TrafficClass::kInteractive);
}

void Connection::SendHeartbeat() {
  // Bytes that wait tell a peer as much, and have a bound.
  if (state_ != State::kStreaming || !outbox_.empty()) return;
  outbox_.PushLast(SharedBytes::Copy(":\n\n"));
  host_->OnTouched(this, TrafficClass::kBulk);
}

ResponseFrame Connection::response_frame() const {
  return {.date = host_->date(),
          .origin = request_.origin,
          .keep_alive = request_.keep_alive,
          .is_http_1_1 = request_.is_http_1_1,
          .is_head = request_.is_head};
}

void Connection::RefuseRequest(const Problem& problem) {
  host_->OnRequest(/*refused=*/true);
  if (!problem.is_counted) host_->OnError(problem.code);
  SendAnswer(ProblemResponse(response_frame(), problem));
}

// It is queued at least; the rest of the connection's input follows at the end of the turn.
void Connection::SendAnswer(const SharedBytes& bytes) {
  LeaveGroups();
  exchange_.reset();
  outbox_.PushLast(bytes);
  head_is_checked_ = false;
  is_timed_ = false;
  route_ = Route();
  const bool goes_on = std::exchange(request_, {}).keep_alive;
  if (state_ == State::kReading) parser_.Next();
  if (!goes_on || peer_closed_ || host_->is_draining()) {
    Close(/*drop_unsent=*/false);
    if (state_ == State::kClosing) host_->OnWriting(this);
    return;
  }
  state_ = State::kReading;
  CountInput();
  WatchFor(watched_ & ~static_cast<uint32_t>(EPOLLIN));  // until the answer is written
  host_->OnWriting(this);
  host_->OnTouched(this, TrafficClass::kInteractive);
}

void Connection::FinishExchange() {
  // A late answer would be that of the next request.
  if (pending_sends > 0 || pending_answers > 0) request_.keep_alive = false;
  if (exchange_->problem().has_value()) {
    const Problem problem = *exchange_->problem();
    if (exchange_->is_stream()) {
      EndGroups();
    }
    return RefuseRequest(problem);
  }
  if (exchange_->is_stream()) return BeginStream();
  SendAnswer(JsonResponse(response_frame(), exchange_->TakeJson()));
}

void Connection::EndGroups() {
  LeaveGroups();
  progress_ = StreamProgress();
  set_encoding(progress_.encoding());
}

void Connection::BeginStream() {
  const std::unique_ptr<Exchange> exchange = std::move(exchange_);
  request_.keep_alive = false;
  route_ = Route();
  parser_.Drop();
  absl::InsecureBitGen random;
  const absl::Duration retry = kReconnectAfter * absl::Uniform(random, 1.0, 2.0);
  outbox_.PushLast(StreamHead(response_frame()));
  outbox_.PushLast(SharedBytes::Copy(absl::StrCat("retry: ", absl::ToInt64Milliseconds(retry),
                                                  "\n\n", progress_.Begin(exchange->replies()))));
  // The kernel gives a peer up that is gone without a word: heartbeats need its answers.
  const auto timeout_ms =
      static_cast<unsigned>(absl::ToInt64Milliseconds(host_->options().dead_peer_timeout));
  setsockopt(socket_.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof(timeout_ms));
  state_ = State::kStreaming;
  host_->OnStream(1);
  host_->OnStreaming(this);
  for (const Answer& event : exchange->events()) PushEvent(event);
  for (const SharedBytes& bytes : progress_.TakeEarly()) Send(bytes, TrafficClass::kInteractive);
  // What they missed has waited for the head.
  if (state_ == State::kStreaming && recoveries > 0) host_->groups().OnDrained(this);
}

size_t Connection::Flush() {
  if (ended()) return 0;
  const size_t blocks = outbox_.frames();
  if (state_ == State::kClosing) EndGroups();
  if (state_ == State::kAnswering && exchange_->is_complete()) FinishExchange();
  Write();
  if (ended()) return 0;
  if (state_ == State::kReading && outbox_.empty() && (watched_ & EPOLLIN) == 0) {
    host_->OnIdle(this);
    if (!peer_closed_) WatchFor(watched_ | EPOLLIN);
    if (parser_.is_inside()) Parse("");
    if (state_ == State::kReading && peer_closed_ && outbox_.empty()) End();
  }
  return blocks - std::min(blocks, outbox_.frames());
}

void Connection::Write() {
  if (ended() || write_blocked_) return;
  for (int i = 0; i < kWritesPerTurn && !outbox_.empty(); ++i) {
    std::array<iovec, kBlocksPerWrite> vectors;
    msghdr message{};
    message.msg_iov = vectors.data();
    message.msg_iovlen = static_cast<size_t>(outbox_.Gather(absl::MakeSpan(vectors)));
    const ssize_t written = sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (written < 0) {
      if (errno == EAGAIN) break;
      if (errno == EINTR) continue;
      return End();
    }
    outbox_.Consume(static_cast<size_t>(written));
    host_->OnSent(static_cast<size_t>(written));
    took_bytes_at_ = loop_->now();
  }
  write_blocked_ = !outbox_.empty();
  if (write_blocked_) unsent_bytes_ = KernelQueueBytes(socket_.get(), SIOCOUTQNSD);
  WatchFor(write_blocked_ ? watched_ | EPOLLOUT : watched_ & ~static_cast<uint32_t>(EPOLLOUT));
  if (state_ == State::kClosing && !write_blocked_ && !sent_shutdown_) {
    // Not close(2): with unread input it would reset the connection, and the peer might not get our
    // last bytes.
    shutdown(socket_.get(), SHUT_WR);
    sent_shutdown_ = true;
    host_->OnClosing(this);
    if (peer_closed_) End();
  }
}

void Connection::Close(bool drop_unsent, CloseCode code) {
  if (state_ == State::kClosing || ended()) return;
  LeaveStream(code);
  if (drop_unsent) outbox_.DropUnsent();
  state_ = State::kClosing;
  // The groups are left at the end of the turn: this may be inside a call of theirs.
  parser_.Drop();
  CountInput();
  if (!peer_closed_) WatchFor(watched_ | EPOLLIN);
  host_->OnClosing(this);
  host_->OnTouched(this, TrafficClass::kInteractive);
}

void Connection::LeaveStream(CloseCode code) {
  if (state_ != State::kStreaming) return;
  host_->OnStream(-1);
  host_->OnStreamEnd(slow_ ? CloseCode::kSlowConsumer : code);
}

void Connection::CloseIdle() {
  if (is_idle()) End();
}

void Connection::Abort() {
  if (ended()) return;
  if (KernelQueueBytes(socket_.get(), SIOCOUTQ) > 0) {
    // Otherwise the kernel would keep these bytes for minutes, for a peer that does not read.
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  }
  End();
}

void Connection::End() {
  if (ended()) return;
  if (KernelQueueBytes(socket_.get(), SIOCOUTQ) > 0) {
    // The peer may still read. If it does not, the kernel gives up as early as the worker would.
    const auto timeout_ms =
        static_cast<unsigned>(absl::ToInt64Milliseconds(host_->options().close_timeout));
    setsockopt(socket_.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof(timeout_ms));
  }
  LeaveStream(CloseCode::kAbnormal);
  state_ = State::kEnded;
  if (registered_) loop_->Remove(socket_.get(), this);
  registered_ = false;
  host_->OnTouched(this, TrafficClass::kInteractive);
}

void Connection::LeaveGroups() {
  host_->OnHeld(-static_cast<int64_t>(std::exchange(held_bytes_, 0)));
  if (exchange_ != nullptr && exchange_->question.has_value()) {
    host_->groups().DropQuestion(*std::exchange(exchange_->question, std::nullopt));
    NoteEnd("the request ended before its answer, and it may be done", /*was_asked=*/true);
  }
  if (!std::exchange(is_member_, false)) return;
  host_->groups().Remove(this);
  pending_answers = 0;
  pending_sends = 0;
  recoveries = 0;
  presence_interests = 0;
  waits_for_room = false;
}

void Connection::CountInput() {
  // A whole request is no more than the limits. Its worker has it for the time of one command.
  const size_t bytes = state_ == State::kReading && parser_.is_inside()
                           ? std::max<size_t>(1, parser_.buffered_bytes())
                           : 0;
  if (bytes == counted_input_) return;
  counted_input_ = bytes;
  host_->OnUnfinished(this, bytes);
}

// Half of the bound remains in any case: the kernel's buffers are coarse.
size_t Connection::outbox_bytes_max() const {
  const size_t bytes_max = host_->options().outbox_bytes_max;
  return bytes_max - std::min<size_t>(unsent_bytes_, bytes_max / 2);
}

void Connection::WatchFor(uint32_t events) {
  if (events == watched_ || !registered_) return;
  watched_ = events;
  loop_->Modify(socket_.get(), watched_, this);
}

}  // namespace groupcast::service
