#include "services/websocket_service/connection/session.h"

#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <utility>

#include "absl/random/random.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/common/utf8.h"
#include "services/protocol/event.h"
#include "services/websocket_service/wire/encodings.h"

namespace groupcast::service {
namespace {

// One buffer for all connections of the process's only loop.
std::array<char, 64 * 1024> read_buffer;

// How many reads one connection gets in a turn.
constexpr int kReadsPerTurn = 4;

// The first read after commands had to wait. Each full read doubles it.
constexpr uint32_t kFirstReadBytes = 8 * 1024;

// A message of this size is small, with its header. Small ones pass a closed read gate.
constexpr size_t kSmallMessageBytesMax = 20 * 1024;

// Large messages come in large records. A record's header is not encrypted (RFC 8446 section 5.1).
constexpr unsigned kSmallRecordBytesMax = 8 * 1024;

// Clients that are closed at the same time are asked to spread their return over this much.
constexpr absl::Duration kReconnectSpread = absl::Seconds(1);

absl::Duration ReconnectAfter() {
  absl::InsecureBitGen random;
  return kReconnectSpread * absl::Uniform(random, 0.0, 1.0);
}

}  // namespace

Session::Session(SessionHost* host, EventLoop* loop, Fd socket, ConnectionId id)
    : Member(id, &kBareEncoding),
      PeerSocket(loop, std::move(socket)),
      host_(host),
      awaits_tls_(host->tls() != nullptr),
      read_bytes_(read_buffer.size()) {}

Session::~Session() {
  decoder_ = FrameDecoder();
  held_.reset();
  postponed_.reset();
  request_.reset();
  CountInput();
  host_->OnReadEnds(this);
}

void Session::OnEvents(uint32_t events) {
  if ((events & EPOLLERR) != 0) {
    if (tls_ == nullptr || !awaits_tls_) return End();
    events |= EPOLLIN;  // the peer's alert may have come before the reset
  }
  if ((events & EPOLLOUT) != 0) {
    OnRoom();
    Touch();
    if (awaits_tls_) events |= EPOLLIN;
  }
  if ((events & EPOLLIN) != 0) {
    if (waits_to_be_read()) return IgnoreInput();
    if (waits_for_turns_ || Read(/*admitted=*/false, kSmallMessageBytesMax)) WaitForTurn();
    return;
  }
  // A hang-up with nothing left to read. While reading is paused, the session first reads the
  // remaining bytes later.
  if ((events & EPOLLHUP) != 0) End();
}

void Session::WaitForTurn() { host_->WaitForTurn(this, std::exchange(counted_unfinished_, 0)); }

bool Session::Read(bool admitted, size_t bytes_max) {
  if (awaits_proxy_header_ && !ReadProxyHeader()) return false;
  if (awaits_tls_) {
    if (!ContinueTls(admitted)) return false;
    admitted = false;
  }
  size_t bytes = 0;
  const TokenRate& rate = host_->session_options().input_rate;
  for (int i = 0; i < kReadsPerTurn && reads() && !ended() && bytes < bytes_max; ++i) {
    reads_small_ = false;
    // What comes while it closes is discarded.
    const bool is_limited = rate.per_second > 0 && state_ != State::kClosing;
    const double tokens = is_limited ? input_tokens_.Available(rate, now()) : 0;
    if (is_limited && tokens < 1 &&
        (KernelQueueBytes(socket(), FIONREAD) > 0 || has_hidden_input())) {
      host_->OnLimit(Limit::kInput);
      host_->WaitForRate(this);
      return false;
    }
    size_t space = admitted ? read_bytes_ : AskToRead();
    if (space == 0) return false;
    if (postponed_ != nullptr) {
      ReadPostponed();
      if (postponed_ != nullptr) return !ended();
      continue;
    }
    space = std::min(space, bytes_max - bytes);
    if (is_limited) space = std::min(space, std::max<size_t>(1, static_cast<size_t>(tokens)));
    // The last read of a turn begins no message that would wait unfinished.
    const uint64_t frame_left = decoder_.frame_bytes_left();
    if (i + 1 == kReadsPerTurn && frame_left > 0) space = std::min<uint64_t>(space, frame_left);
    const ssize_t count = tls_ == nullptr ? read(socket(), read_buffer.data(), space)
                                          : tls_->Read(read_buffer.data(), space);
    // With TLS, also the bytes of records that bring no data.
    const size_t cost = tls_ == nullptr ? static_cast<size_t>(std::max<ssize_t>(0, count))
                                        : tls_->TakeReceivedBytes();
    if (is_limited && cost > 0) {
      input_tokens_.Take(static_cast<double>(cost), rate, now());
    }
    if (count == 0) {
      OnPeerClosed();
      return false;
    }
    if (count < 0) {
      if (errno != EAGAIN && errno != EINTR) {
        End();
      } else if (tls_ != nullptr) {
        CountInput();  // a part of a record
      }
      return has_hidden_input() && !ended();
    }
    bytes += static_cast<size_t>(count);
    input_share.Count(std::max(cost, static_cast<size_t>(count)), now());
    waits_for_turns_ = bytes >= kSmallMessageBytesMax;
    host_->OnActivity(this, static_cast<size_t>(count));
    const absl::Span<char> input(read_buffer.data(), static_cast<size_t>(count));
    if (state_ == State::kHandshake) {
      ReadRequest(input);
      CountInput();
    } else if (state_ == State::kOpen) {
      ReadFrames(input);
    }
    if (postponed_ != nullptr) return !ended();
    if (static_cast<size_t>(count) < space) return has_hidden_input() && !ended();
    if (held_ == nullptr) {
      read_bytes_ = std::min<uint32_t>(2 * read_bytes_, read_buffer.size());
    }
  }
  return reads() && !ended();
}

size_t Session::AskToRead() {
  // What comes while it closes is not held.
  if (state_ == State::kClosing || host_->AllMayRead()) return read_bytes_;
  if (postponed_ == nullptr && MayReadSmall()) {
    if (state_ == State::kHandshake) {
      reads_small_ = true;  // also the commands that follow at once
      return kSmallMessageBytesMax;
    }
    std::array<char, 14> header;
    ssize_t count = 0;
    if (decoder_.frame_bytes_left() == 0) {
      if (tls_ == nullptr) {
        count = recv(socket(), header.data(), header.size(), MSG_PEEK | MSG_DONTWAIT);
        if (count < 0) return 0;  // an error comes as an event
      } else {
        count = tls_->Peek(header.data(), header.size());
        if (count < 0) return errno == EAGAIN ? 0 : 1;
      }
      if (count == 0) return 1;  // the peer has closed
    }
    const absl::string_view ahead(header.data(), static_cast<size_t>(count));
    // The size of a compressed message says nothing about what it takes.
    const uint64_t bytes =
        decoder_.MessageAheadIsDeflated(ahead) ? 0 : decoder_.MessageBytesAhead(ahead);
    if (bytes > 0 && bytes + decoder_.buffered_bytes() <= kSmallMessageBytesMax) {
      reads_small_ = true;
      return bytes;
    }
  }
  const size_t unseen_bytes = tls_ == nullptr ? 0 : tls_->input_bytes();
  if (host_->MayRead(this, unfinished_bytes() + unseen_bytes, unseen_bytes)) {
    return read_bytes_;
  }
  host_->OnLimit(Limit::kHeld);
  counted_unfinished_ = 0;
  IgnoreInput();
  return 0;
}

bool Session::MayReadSmall() const {
  // A request is small. So is what OpenSSL has already.
  if (tls_ == nullptr || state_ == State::kHandshake || tls_->input_bytes() > 0) {
    return host_->MayReadSmall(/*unseen=*/false);
  }
  std::array<unsigned char, 5> header;
  const ssize_t count = recv(socket(), header.data(), header.size(), MSG_PEEK | MSG_DONTWAIT);
  const bool is_small = count < static_cast<ssize_t>(header.size()) ||
                        header[3] * 256u + header[4] <= kSmallRecordBytesMax;
  return is_small && host_->MayReadSmall(/*unseen=*/true);
}

void Session::StopCommands() {
  // What it has read is carried out, as far as it goes without holding others up.
  if (postponed_ != nullptr && state_ == State::kOpen) ReadPostponed();
  reads_commands_ = false;
  IgnoreInput();
  host_->OnReadEnds(this);
}

void Session::ReadOn(bool admitted) {
  if (held_ != nullptr || ended()) return;
  WatchForInput();
  CountInput();
  if (Read(admitted, kReadsPerTurn * read_buffer.size())) WaitForTurn();
}

void Session::OnPeerClosed() {
  if (state_ != State::kClosing || !has_unsent()) return End();
  // It may still read our last bytes.
  peer_closed_ = true;
  IgnoreInput();
}

void Session::ReadRequest(absl::Span<char> input) {
  if (request_ == nullptr) request_ = std::make_unique<RequestReader>();
  HttpContext context = host_->http_context();
  context.address_full = is_over_address_limit;
  context.proxies = host_->proxies();
  if (context.proxies != nullptr) {
    context.peer = told_address_ == nullptr ? peer_ip() : *told_address_;
    context.take_client = [this](const IpAddress& client) {
      TakeAddress(client);
      host_->OnAddress(this);
      return is_over_address_limit;
    };
  }
  const std::optional<HttpAnswer> answer = request_->Read(&input, context);
  if (!answer.has_value() || ended()) return;
  request_.reset();
  SharedBytes bytes = SharedBytes::Copy(answer->bytes);
  if (!answer->upgraded) {
    if (answer->refusal != Refusal::kNone) host_->OnRefusal(*answer, this);
    if (answer->body) PushLast(std::exchange(bytes, answer->body));
    BeginClosing(std::move(bytes), /*drop_unsent=*/false);
    return;
  }
  state_ = State::kOpen;
  was_open_ = true;
  v1_ = answer->v1;
  if (v1_) set_encoding(&kV1Encoding);
  if (answer->deflates) {
    set_encoding(&host_->deflation()->encoding(v1_));
    decoder_.AllowDeflated();
  }
  set_session(answer->session);
  Send(bytes, TrafficClass::kInteractive);
  host_->OnOpen(this, answer->token);
  if (state_ != State::kOpen) return;
  // A client need not wait for the answer to send its first frames. Compressed ones do not pass a
  // closed gate with the request.
  if (!answer->deflates || input.empty() || host_->AllMayRead()) return ReadFrames(input);
  postponed_ = std::make_unique<Postponed>(
      Postponed{.deflated = std::nullopt, .input = std::string(input.data(), input.size())});
}

void Session::ReadFrames(absl::Span<char> input) {
  while (state_ == State::kOpen) {
    const FrameDecoder::Event event =
        decoder_.Next(&input, host_->session_options().frame_bytes_max);
    if (event == FrameDecoder::Event::kNeedMore) break;
    switch (event) {
      case FrameDecoder::Event::kText:
        CountUnfinished(0);
        if (OnText(std::nullopt, input)) continue;
        break;
      case FrameDecoder::Event::kPing:
        Send(MakeFrame(Opcode::kPong, decoder_.payload()), TrafficClass::kInteractive);
        continue;
      case FrameDecoder::Event::kPong:
        continue;
      case FrameDecoder::Event::kClose:
        host_->OnClose(decoder_.close_code());
        // Section 5.5.1: the answer has the same code.
        BeginClosing(MakeCloseFrame(decoder_.close_code(), ""), /*drop_unsent=*/false);
        break;
      default:
        if (decoder_.close_code() == CloseCode::kTooBig) host_->OnLimit(Limit::kFrame);
        Close(decoder_.close_code(), decoder_.payload());
    }
    break;
  }
  CountInput();
}

bool Session::OnText(std::optional<std::string> postponed, absl::Span<char> input) {
  std::optional<std::string> inflated;
  if (postponed.has_value() || decoder_.is_deflated()) {
    if (!host_->deflation()->MayInflate()) {
      postponed_ = std::make_unique<Postponed>(Postponed{
          .deflated = postponed.has_value() ? std::move(postponed) : decoder_.TakePayload(),
          .input = std::string(input.data(), input.size())});
      return false;
    }
    inflated = Inflate(postponed.has_value() ? *postponed : decoder_.payload());
    if (!inflated.has_value()) return false;
  }
  if (host_->OnText(this, inflated.has_value() ? *inflated : decoder_.payload())) return true;
  const bool is_small = !inflated.has_value() || inflated->size() <= kSmallMessageBytesMax;
  held_ = std::make_unique<Held>(
      Held{.command = inflated.has_value() ? *std::move(inflated) : decoder_.TakePayload(),
           .input = std::string(input.data(), input.size()),
           .small = reads_small_ && is_small});
  read_bytes_ = kFirstReadBytes;
  IgnoreInput();
  return false;
}

void Session::ReadPostponed() {
  const std::unique_ptr<Postponed> postponed = std::move(postponed_);
  const absl::Span<char> input = absl::MakeSpan(postponed->input);
  if (postponed->deflated.has_value() && !OnText(std::move(postponed->deflated), input)) {
    return CountInput();
  }
  ReadFrames(input);
}

std::optional<std::string> Session::Inflate(absl::string_view payload) {
  const SessionOptions& options = host_->session_options();
  const absl::StatusOr<absl::string_view> text =
      host_->deflation()->inflater().Inflate(payload, options.frame_bytes_max);
  Utf8Checker utf8;
  if (absl::IsResourceExhausted(text.status())) {
    host_->OnLimit(Limit::kInflated);
    Close(CloseCode::kTooBig, "message over the limit");
  } else if (!text.ok()) {
    Close(CloseCode::kInvalidPayload, text.status().message());
  } else if (!utf8.Check(*text) || !utf8.complete()) {
    Close(CloseCode::kInvalidPayload, "text that is not UTF-8");
  } else {
    host_->deflation()->CountInflated(text->size());
    // It costs what it is, and not what it was on the way.
    const size_t more = text->size() - std::min(text->size(), payload.size());
    input_share.Count(more, now());
    if (options.input_rate.per_second > 0) {
      input_tokens_.Take(static_cast<double>(more), options.input_rate, now());
    }
    // A copy, because a command may let others go on, and these may inflate too.
    return std::string(*text);
  }
  return std::nullopt;
}

size_t Session::unfinished_bytes() const {
  size_t bytes = decoder_.buffered_bytes();
  if (request_ != nullptr) bytes += request_->bytes();
  if (postponed_ != nullptr) bytes += postponed_->input.capacity();
  if (postponed_ != nullptr && postponed_->deflated.has_value()) {
    bytes += postponed_->deflated->capacity();
  }
  return bytes;
}

void Session::CountInput() {
  const size_t tls_bytes = tls_ == nullptr ? 0 : tls_->input_bytes();
  const size_t held =
      held_ == nullptr ? 0 : held_->command.capacity() + held_->input.capacity() + tls_bytes;
  const bool small = held_ != nullptr && held_->small;
  if (held != counted_held_ || small != counted_small_) {
    host_->OnHeld(-static_cast<int64_t>(counted_held_), counted_small_);
    host_->OnHeld(static_cast<int64_t>(held), small);
    counted_held_ = held;
    counted_small_ = small;
  }
  // Whole records wait for this worker, and parts of one for the peer. A session that closes has
  // left the pool.
  const bool waits_for_peer = held_ == nullptr && tls_bytes > 0 && !tls_->has_input() &&
                              (state_ == State::kHandshake || state_ == State::kOpen);
  CountUnfinished(unfinished_bytes() + (waits_for_peer ? tls_bytes : 0));
}

void Session::CountUnfinished(size_t bytes) {
  if (bytes == counted_unfinished_) return;
  counted_unfinished_ = bytes;
  host_->OnUnfinished(this, bytes);
}

void Session::ResumeCommands() {
  if (held_ == nullptr || state_ != State::kOpen) return;
  const std::unique_ptr<Held> held = std::move(held_);
  if (!host_->OnText(this, held->command)) {
    held_ = std::make_unique<Held>(std::move(*held));
    return;
  }
  reads_small_ = false;
  ReadFrames(absl::MakeSpan(held->input));
  if (held_ == nullptr && state_ == State::kOpen && reads_commands_) {
    WatchForInput();
    if (has_hidden_input()) WaitForTurn();
  }
}

void Session::Send(const SharedBytes& frame, TrafficClass traffic_class) {
  if (state_ != State::kOpen) return;
  absl::Status queued = Push(frame);
  if (!queued.ok()) {
    // A turn may bring more than an outbox holds. Only a peer that does not read either is slow.
    Flush();
    if (state_ != State::kOpen) return;
    queued = Push(frame);
  }
  if (!queued.ok()) {
    slow_ = true;
    Close(CloseCode::kSlowConsumer, "too slow: the outbox is full", /*drop_unsent=*/true);
    return;
  }
  Touch(traffic_class);
}

bool Session::HasRoomFor(size_t frame_bytes) const {
  return is_open() && PeerSocket::HasRoomFor(frame_bytes, host_->session_options());
}

bool Session::drained() const { return is_open() && IsDrained(host_->session_options()); }

void Session::SendPing() { Send(MakeFrame(Opcode::kPing, ""), TrafficClass::kInteractive); }

void Session::Close(CloseCode code, absl::string_view reason, bool drop_unsent) {
  if (state_ == State::kHandshake) return Abort();
  if (state_ != State::kOpen) return;
  host_->OnClose(code);
  const SharedBytes last = MakeCloseFrame(code, reason);
  if (!v1_) return BeginClosing(last, drop_unsent);
  // In one block with the close frame, so that it has a place in a full outbox.
  const SharedBytes event =
      encoding().EncodeEvent(ClosingEvent(code, reason, ReconnectAfter()), {});
  BeginClosing(SharedBytes::Join({event.bytes(), last.bytes()}), drop_unsent);
}

void Session::BeginClosing(SharedBytes last, bool drop_unsent) {
  if (drop_unsent) {
    DropUnsent();
    if (tls_ != nullptr) tls_->LeaveUnsentMemory();
  }
  if (last) PushLast(std::move(last));
  state_ = State::kClosing;
  held_.reset();
  postponed_.reset();
  decoder_ = FrameDecoder();  // nothing of the peer's is read any more
  CountInput();
  host_->OnReadEnds(this);
  WatchForInput();
  if (has_hidden_input()) WaitForTurn();
  host_->OnClosing(this);
  Touch();
}

void Session::Abort() {
  if (state_ == State::kEnded) return;
  DropUndelivered();
  End();
}

void Session::EndOrAbort() { has_unsent() ? Abort() : End(); }

void Session::End() {
  if (state_ == State::kEnded) return;
  LimitDelivery(host_->session_options());
  if (state_ == State::kOpen) host_->OnClose(CloseCode::kAbnormal);
  state_ = State::kEnded;
  if (std::exchange(shakes_hands_, false)) host_->OnTlsHandshakeEnds(this);
  host_->OnReadEnds(this);
  CountUnfinished(0);  // the message itself goes with the session, at the end of the turn
  StopWatching();
  Touch();
}

size_t Session::Flush() {
  if (ended() || is_full() || awaits_tls_) return 0;
  const size_t frames = outbox().frames();
  const bool works =
      WriteOutbox([this] { return has_unsent(); },
                  [this](absl::Span<iovec> blocks) {
                    return tls_ == nullptr ? SendBlocks(blocks) : tls_->Write(blocks);
                  },
                  [this](size_t bytes) {
                    host_->OnSent(bytes);
                    // A page may be large and its reader slow: while it reads, its time begins
                    // again.
                    if (state_ == State::kClosing && !was_open_) host_->OnClosing(this);
                  });
  if (!works) {
    End();
    return 0;
  }
  if (tls_ != nullptr && state_ == State::kClosing && outbox().empty()) tls_->SendCloseNotify();
  SetFull(has_unsent(), tls_ == nullptr ? 0 : tls_->unsent_bytes());
  if (state_ == State::kClosing && !is_full() && ShutDown() && peer_closed_) End();
  return frames - outbox().frames();
}

void Session::Touch(TrafficClass traffic_class) { host_->OnTouched(this, traffic_class); }

}  // namespace groupcast::service
