#include "services/http_gateway/connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "services/http_gateway/event_stream.h"
#include "services/protocol/event.h"

namespace groupcast::service {
namespace {

// One buffer for all connections of the process's only loop.
std::array<char, 64 * 1024> read_buffer;

constexpr int kReadsPerTurn = 4;

// When a stream ends without a word, its client comes back after this time and up to as much again.
constexpr absl::Duration kReconnectAfter = absl::Seconds(1);

}  // namespace

Connection::Connection(ConnectionHost* host, EventLoop* loop, Fd socket, ConnectionId id)
    : Member(id, &kGroupStreamEncoding),
      PeerSocket(loop, std::move(socket)),
      host_(host),
      parser_(host->options().requests) {}

Connection::~Connection() {
  LeaveGroups();
  if (counted_input_ > 0) host_->OnUnfinished(this, 0);
}

absl::Status Connection::Start() {
  // An answer is one write, and nothing is gained when the kernel waits for more.
  const int no_delay = 1;
  setsockopt(socket(), IPPROTO_TCP, TCP_NODELAY, &no_delay, sizeof(no_delay));
  const absl::Status status = StartWatching(host_->options());
  if (status.ok()) host_->OnIdle(this);
  return status;
}

void Connection::OnEvents(uint32_t events) {
  if ((events & EPOLLERR) != 0) return End();
  if ((events & EPOLLOUT) != 0) {
    OnRoom();
    host_->OnTouched(this, TrafficClass::kInteractive);
  }
  if ((events & EPOLLIN) != 0) return Read();
  if ((events & EPOLLHUP) != 0) End();
}

void Connection::Read() {
  for (int i = 0; i < kReadsPerTurn && !ended() && watches_for_input(); ++i) {
    const ssize_t count = read(socket(), read_buffer.data(), read_buffer.size());
    if (count < 0) {
      if (errno != EAGAIN && errno != EINTR) End();
      return;
    }
    if (count == 0) {
      peer_closed_ = true;
      IgnoreInput();
      // An answer that is under way still has a reader, if the peer has closed its side alone.
      const bool has_unsent = !outbox().empty();
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
        PushLast(SharedBytes::Copy("HTTP/1.1 100 Continue\r\n\r\n"));
        host_->OnTouched(this, TrafficClass::kInteractive);
      }
    }
    if (result == RequestParser::Result::kHead) continue;
    CountInput();
    if (refusal_.has_value()) return RefuseRequest(*std::exchange(refusal_, std::nullopt));
    return Run();
  }
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
  if (id) PushLast(std::move(id));
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

bool Connection::HasRoomFor(size_t bytes) const {
  // An answer has its own bound. Before a stream has begun, nothing is written.
  if (state_ == State::kAnswering) return !exchange_->is_stream();
  return state_ == State::kStreaming && PeerSocket::HasRoomFor(bytes, host_->options());
}

bool Connection::drained() const { return is_streaming() && IsDrained(host_->options()); }

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
  PushLast(SharedBytes::Copy(
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
  if (state_ != State::kStreaming || !outbox().empty()) return;
  PushLast(SharedBytes::Copy(":\n\n"));
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
  PushLast(bytes);
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
  IgnoreInput();  // until the answer is written
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
  PushLast(StreamHead(response_frame()));
  PushLast(SharedBytes::Copy(absl::StrCat("retry: ", absl::ToInt64Milliseconds(retry), "\n\n",
                                          progress_.Begin(exchange->replies()))));
  // The kernel gives a peer up that is gone without a word: heartbeats need its answers.
  const auto timeout_ms =
      static_cast<unsigned>(absl::ToInt64Milliseconds(host_->options().dead_peer_timeout));
  setsockopt(socket(), IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof(timeout_ms));
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
  const size_t blocks = outbox().frames();
  if (state_ == State::kClosing) EndGroups();
  if (state_ == State::kAnswering && exchange_->is_complete()) FinishExchange();
  Write();
  if (ended()) return 0;
  if (state_ == State::kReading && outbox().empty() && !watches_for_input()) {
    host_->OnIdle(this);
    if (!peer_closed_) WatchForInput();
    if (parser_.is_inside()) Parse("");
    if (state_ == State::kReading && peer_closed_ && outbox().empty()) End();
  }
  return blocks - std::min(blocks, outbox().frames());
}

void Connection::Write() {
  if (ended() || is_full()) return;
  if (!WriteOutbox([this] { return !outbox().empty(); },
                   [this](absl::Span<iovec> blocks) { return SendBlocks(blocks); },
                   [this](size_t bytes) { host_->OnSent(bytes); })) {
    return End();
  }
  SetFull(!outbox().empty());
  if (state_ != State::kClosing || is_full() || !ShutDown()) return;
  host_->OnClosing(this);
  if (peer_closed_) End();
}

void Connection::Close(bool drop_unsent, CloseCode code) {
  if (state_ == State::kClosing || ended()) return;
  LeaveStream(code);
  if (drop_unsent) DropUnsent();
  state_ = State::kClosing;
  // The groups are left at the end of the turn: this may be inside a call of theirs.
  parser_.Drop();
  CountInput();
  if (!peer_closed_) WatchForInput();
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
  DropUndelivered();
  End();
}

void Connection::End() {
  if (ended()) return;
  LimitDelivery(host_->options());
  LeaveStream(CloseCode::kAbnormal);
  state_ = State::kEnded;
  StopWatching();
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

}  // namespace groupcast::service
