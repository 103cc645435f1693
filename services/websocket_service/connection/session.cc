#include "services/websocket_service/connection/session.h"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <utility>

#include "absl/random/random.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/common/address.h"
#include "services/common/utf8.h"
#include "services/protocol/event.h"
#include "services/websocket_service/proxy/proxy_header.h"
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

// How many frames one system call takes, and how many calls one connection gets in a turn.
constexpr size_t kFramesPerWrite = 64;
constexpr int kWritesPerTurn = 8;

// A connection that has taken no bytes for this time gets no room for a burst.
constexpr absl::Duration kTakesBytesMax = absl::Seconds(1);

// Clients that are closed at the same time are asked to spread their return over this much.
constexpr absl::Duration kReconnectSpread = absl::Seconds(1);

absl::Duration ReconnectAfter() {
  absl::InsecureBitGen random;
  return kReconnectSpread * absl::Uniform(random, 0.0, 1.0);
}

// The first byte of a TLS connection: the type of the record that has the ClientHello (RFC 8446
// section 5.1).
constexpr unsigned char kTlsHandshakeRecord = 0x16;
constexpr size_t kRecordHeaderBytes = 5;
constexpr size_t kRecordBytesMax = 16 * 1024;  // of one that is not encrypted

// The bytes in a queue of the kernel. The send queue: SIOCOUTQ with those that the peer has not
// acknowledged, SIOCOUTQNSD only those that were not sent. The receive queue: FIONREAD. tcp(7).
uint32_t KernelQueueBytes(int socket, unsigned long which) {
  int bytes = 0;
  return ioctl(socket, which, &bytes) == 0 && bytes > 0 ? static_cast<uint32_t>(bytes) : 0;
}

// The socket counts as readable when it has this number of bytes, or its end.
void WakeFrom(int socket, size_t bytes) {
  const int low_water = static_cast<int>(bytes);
  setsockopt(socket, SOL_SOCKET, SO_RCVLOWAT, &low_water, sizeof(low_water));
}

}  // namespace

Session::Session(SessionHost* host, EventLoop* loop, Fd socket, ConnectionId id)
    : Member(id, &kBareEncoding),
      host_(host),
      loop_(loop),
      socket_(std::move(socket)),
      awaits_tls_(host->tls() != nullptr),
      read_bytes_(read_buffer.size()) {}

Session::~Session() {
  if (registered_) loop_->Remove(socket_.get(), this);
  decoder_ = FrameDecoder();
  held_.reset();
  postponed_.reset();
  request_.reset();
  CountInput();
  host_->OnReadEnds(this);
}

absl::Status Session::Start() {
  const SessionOptions& options = host_->session_options();
  const int unsent_max = static_cast<int>(
      std::min(options.unsent_bytes_max, std::max<size_t>(1, options.outbox_bytes_max / 4)));
  // If it fails, the kernel's own limits hold (tcp_wmem).
  setsockopt(socket_.get(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent_max, sizeof(unsent_max));
  const ProxyPolicy* const proxies = host_->proxies();
  if (proxies != nullptr && proxies->proxy_protocol) {
    const std::optional<IpAddress> peer = IpAddress::OfPeer(socket_.get());
    awaits_proxy_header_ = peer.has_value() && proxies->trusted.Contains(*peer);
    if (awaits_proxy_header_) WakeFrom(socket_.get(), ProxyHeader::kFixedBytes);
  }
  watched_ = EPOLLIN;
  absl::Status status = loop_->Add(socket_.get(), watched_, this);
  registered_ = status.ok();
  return status;
}

void Session::OnEvents(uint32_t events) {
  if ((events & EPOLLERR) != 0) {
    if (tls_ == nullptr || !awaits_tls_) return End();
    events |= EPOLLIN;  // the peer's alert may have come before the reset
  }
  if ((events & EPOLLOUT) != 0) {
    write_blocked_ = false;
    unsent_bytes_ = 0;
    Touch();
    if (awaits_tls_) events |= EPOLLIN;
  }
  if ((events & EPOLLIN) != 0) {
    if (waits_to_be_read()) return StopReading();
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
    const double tokens = is_limited ? input_tokens_.Available(rate, loop_->now()) : 0;
    if (is_limited && tokens < 1 &&
        (KernelQueueBytes(socket_.get(), FIONREAD) > 0 || has_hidden_input())) {
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
    const ssize_t count = tls_ == nullptr ? read(socket_.get(), read_buffer.data(), space)
                                          : tls_->Read(read_buffer.data(), space);
    // With TLS, also the bytes of records that bring no data.
    const size_t cost = tls_ == nullptr ? static_cast<size_t>(std::max<ssize_t>(0, count))
                                        : tls_->TakeReceivedBytes();
    if (is_limited && cost > 0) {
      input_tokens_.Take(static_cast<double>(cost), rate, loop_->now());
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
    input_share.Count(std::max(cost, static_cast<size_t>(count)), loop_->now());
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

bool Session::ReadProxyHeader() {
  // The socket keeps the bytes until the header is whole, because TLS may begin right behind it.
  const ssize_t count =
      recv(socket_.get(), read_buffer.data(), ProxyHeader::kBytesMax, MSG_PEEK | MSG_DONTWAIT);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (count <= 0) {
    End();
    return false;
  }
  ProxyHeader header =
      ProxyHeader::Read(absl::string_view(read_buffer.data(), static_cast<size_t>(count)));
  if (header.result == ProxyHeader::Result::kNeedMore) {
    WakeFrom(socket_.get(), header.bytes);
    EndIfPeerEnds();  // the rest will not come
    return false;
  }
  awaits_proxy_header_ = false;
  WakeFrom(socket_.get(), 1);
  if (header.result == ProxyHeader::Result::kInvalid) {
    awaits_tls_ = false;
    HttpAnswer answer = AnswerStranger(Refusal::kNoProxyHeader);
    answer.refused = std::move(header.error);
    host_->OnRefusal(answer, this);
    BeginClosing(SharedBytes::Copy(answer.bytes), /*drop_unsent=*/false);
    return false;
  }
  if (recv(socket_.get(), read_buffer.data(), header.bytes, MSG_DONTWAIT) !=
      static_cast<ssize_t>(header.bytes)) {
    Abort();
    return false;
  }
  if (!header.client.has_value()) return true;
  TakeAddress(*header.client);
  // A named client that is a proxy itself names its own client in the request.
  if (!host_->proxies()->trusted.Contains(*header.client)) host_->OnAddress(this);
  return !ended();
}

void Session::TakeAddress(const IpAddress& address) {
  if (told_address_ == nullptr && IpAddress::OfPeer(socket_.get()) == address) return;
  told_address_ = std::make_unique<IpAddress>(address);
}

std::string Session::address_text() const {
  return told_address_ == nullptr ? PeerHost(socket_.get()) : told_address_->Text();
}

bool Session::HasFirstRecord() {
  std::array<unsigned char, kRecordHeaderBytes> header{};
  const ssize_t count = recv(socket_.get(), header.data(), header.size(), MSG_PEEK | MSG_DONTWAIT);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (count <= 0) {
    End();
    return false;
  }
  if (header[0] != kTlsHandshakeRecord) {
    awaits_tls_ = false;
    WakeFrom(socket_.get(), 1);
    const HttpAnswer answer = AnswerStranger(Refusal::kPlain);
    host_->OnRefusal(answer, this);
    BeginClosing(SharedBytes::Copy(answer.bytes), /*drop_unsent=*/false);
    return false;
  }
  size_t bytes = header.size();
  if (count == static_cast<ssize_t>(header.size())) {
    const size_t record = header[3] * 256u + header[4];
    // A longer one is an error, which OpenSSL tells the peer.
    if (record <= kRecordBytesMax) bytes += record;
    if (KernelQueueBytes(socket_.get(), FIONREAD) >= bytes) {
      WakeFrom(socket_.get(), 1);
      return true;
    }
  }
  WakeFrom(socket_.get(), bytes);
  EndIfPeerEnds();
  return false;
}

void Session::EndIfPeerEnds() {
  pollfd end{.fd = socket_.get(), .events = POLLRDHUP, .revents = 0};
  if (poll(&end, 1, 0) > 0) End();
}

bool Session::ContinueTls(bool admitted) {
  if (tls_ == nullptr) {
    if (!admitted) {
      if (!HasFirstRecord()) return false;
      if (!host_->MayShakeHands(this)) {
        StopReading();
        return false;
      }
    }
    shakes_hands_ = true;
    tls_ = TlsStream::Create(host_->tls(), socket_.get());
    if (tls_ == nullptr) {
      Abort();
      return false;
    }
  } else if (!admitted && !host_->MayShakeHands(this)) {
    StopReading();
    return false;
  }
  const TlsStream::Progress progress = host_->ShakeHands(tls_.get());
  const bool has_unsent = tls_->unsent_bytes() > 0;
  WatchFor(has_unsent ? watched_ | EPOLLOUT : watched_ & ~static_cast<uint32_t>(EPOLLOUT));
  if (progress == TlsStream::Progress::kUnfinished) return false;
  awaits_tls_ = false;
  shakes_hands_ = false;
  host_->OnTlsHandshakeEnds(this);
  if (progress == TlsStream::Progress::kFailed) {
    OnTlsFailed();
    return false;
  }
  write_blocked_ = has_unsent;
  return true;
}

void Session::OnTlsFailed() {
  if (tls_->failure().empty()) return End();
  HttpAnswer answer;
  answer.refusal = Refusal::kTlsHandshake;
  answer.refused = tls_->failure();
  host_->OnRefusal(answer, this);
  // The alert is in the kernel. An orderly end lets the peer read it.
  tls_.reset();
  BeginClosing(SharedBytes(), /*drop_unsent=*/false);
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
        count = recv(socket_.get(), header.data(), header.size(), MSG_PEEK | MSG_DONTWAIT);
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
  StopReading();
  return 0;
}

bool Session::MayReadSmall() const {
  // A request is small. So is what OpenSSL has already.
  if (tls_ == nullptr || state_ == State::kHandshake || tls_->input_bytes() > 0) {
    return host_->MayReadSmall(/*unseen=*/false);
  }
  std::array<unsigned char, 5> header;
  const ssize_t count = recv(socket_.get(), header.data(), header.size(), MSG_PEEK | MSG_DONTWAIT);
  const bool is_small = count < static_cast<ssize_t>(header.size()) ||
                        header[3] * 256u + header[4] <= kSmallRecordBytesMax;
  return is_small && host_->MayReadSmall(/*unseen=*/true);
}

void Session::StopCommands() {
  // What it has read is carried out, as far as it goes without holding others up.
  if (postponed_ != nullptr && state_ == State::kOpen) ReadPostponed();
  reads_commands_ = false;
  StopReading();
  host_->OnReadEnds(this);
}

void Session::ReadOn(bool admitted) {
  if (held_ != nullptr || ended()) return;
  WatchFor(watched_ | EPOLLIN);
  CountInput();
  if (Read(admitted, kReadsPerTurn * read_buffer.size())) WaitForTurn();
}

void Session::StopReading() { WatchFor(watched_ & ~static_cast<uint32_t>(EPOLLIN)); }

void Session::OnPeerClosed() {
  if (state_ != State::kClosing || !has_unsent()) return End();
  // It may still read our last bytes.
  peer_closed_ = true;
  StopReading();
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
    if (answer->body) outbox_.PushLast(std::exchange(bytes, answer->body));
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
  StopReading();
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
    input_share.Count(more, loop_->now());
    if (options.input_rate.per_second > 0) {
      input_tokens_.Take(static_cast<double>(more), options.input_rate, loop_->now());
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
    WatchFor(watched_ | EPOLLIN);
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

absl::Status Session::Push(const SharedBytes& frame) {
  absl::Status queued = outbox_.Push(frame, outbox_bytes_max());
  if (queued.ok() || !frame.is_shared() || !takes_bytes()) return queued;
  return outbox_.Push(frame, outbox_bytes_max() + host_->session_options().burst_bytes_max);
}

bool Session::takes_bytes() const { return loop_->now() - took_bytes_at_ <= kTakesBytesMax; }

bool Session::HasRoomFor(size_t frame_bytes) const {
  return is_open() && outbox_.HasRoomFor(frame_bytes, outbox_bytes_max());
}

bool Session::drained() const { return is_open() && outbox_.IsDrained(outbox_bytes_max()); }

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
    outbox_.DropUnsent();
    if (tls_ != nullptr) tls_->LeaveUnsentMemory();
  }
  if (last) outbox_.PushLast(std::move(last));
  state_ = State::kClosing;
  held_.reset();
  postponed_.reset();
  decoder_ = FrameDecoder();  // nothing of the peer's is read any more
  CountInput();
  host_->OnReadEnds(this);
  WatchFor(watched_ | EPOLLIN);
  if (has_hidden_input()) WaitForTurn();
  host_->OnClosing(this);
  Touch();
}

void Session::Abort() {
  if (state_ == State::kEnded) return;
  if (KernelQueueBytes(socket_.get(), SIOCOUTQ) > 0) {
    // Otherwise the kernel would keep these bytes for minutes, for a peer that does not read.
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  }
  End();
}

void Session::EndOrAbort() { has_unsent() ? Abort() : End(); }

void Session::End() {
  if (state_ == State::kEnded) return;
  if (KernelQueueBytes(socket_.get(), SIOCOUTQ) > 0) {
    // The peer may still read. If it does not, the kernel gives up as early as the worker would.
    const auto timeout_ms =
        static_cast<unsigned>(absl::ToInt64Milliseconds(host_->session_options().close_timeout));
    setsockopt(socket_.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof(timeout_ms));
  }
  if (state_ == State::kOpen) host_->OnClose(CloseCode::kAbnormal);
  state_ = State::kEnded;
  if (std::exchange(shakes_hands_, false)) host_->OnTlsHandshakeEnds(this);
  host_->OnReadEnds(this);
  CountUnfinished(0);  // the message itself goes with the session, at the end of the turn
  if (registered_) loop_->Remove(socket_.get(), this);
  registered_ = false;
  Touch();
}

size_t Session::Flush() {
  if (ended() || write_blocked_ || awaits_tls_) return 0;
  const size_t frames = outbox_.frames();
  for (int i = 0; i < kWritesPerTurn && has_unsent(); ++i) {
    const ssize_t written = WriteFrames();
    if (written < 0) {
      if (errno == EAGAIN) break;
      if (errno == EINTR) continue;
      End();
      return 0;
    }
    outbox_.Consume(static_cast<size_t>(written));
    host_->OnSent(static_cast<size_t>(written));
    took_bytes_at_ = loop_->now();
    // A page may be large and its reader slow: while it reads, its time begins again.
    if (state_ == State::kClosing && !was_open_) host_->OnClosing(this);
  }
  if (tls_ != nullptr && state_ == State::kClosing && outbox_.empty()) tls_->SendCloseNotify();
  write_blocked_ = has_unsent();
  if (write_blocked_) {
    unsent_bytes_ = KernelQueueBytes(socket_.get(), SIOCOUTQNSD);
    if (tls_ != nullptr) unsent_bytes_ += static_cast<uint32_t>(tls_->unsent_bytes());
  }
  WatchFor(write_blocked_ ? watched_ | EPOLLOUT : watched_ & ~static_cast<uint32_t>(EPOLLOUT));
  if (state_ == State::kClosing && !write_blocked_ && !sent_shutdown_) {
    // Not close(2): with unread input it would reset the connection, and the peer might not get our
    // last bytes.
    shutdown(socket_.get(), SHUT_WR);
    sent_shutdown_ = true;
    if (peer_closed_) End();
  }
  return frames - outbox_.frames();
}

ssize_t Session::WriteFrames() {
  std::array<iovec, kFramesPerWrite> vectors;
  const auto count = static_cast<size_t>(outbox_.Gather(absl::MakeSpan(vectors)));
  if (tls_ != nullptr) return tls_->Write(absl::MakeConstSpan(vectors.data(), count));
  msghdr message{};
  message.msg_iov = vectors.data();
  message.msg_iovlen = count;
  return sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

// Half of the bound remains in any case: the kernel's buffers are coarse.
size_t Session::outbox_bytes_max() const {
  const size_t bytes_max = host_->session_options().outbox_bytes_max;
  return bytes_max - std::min<size_t>(unsent_bytes_, bytes_max / 2);
}

void Session::Touch(TrafficClass traffic_class) { host_->OnTouched(this, traffic_class); }

void Session::WatchFor(uint32_t events) {
  if (events == watched_ || !registered_) return;
  watched_ = events;
  loop_->Modify(socket_.get(), watched_, this);
}

}  // namespace groupcast::service
