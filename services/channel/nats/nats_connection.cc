#include "services/channel/nats/nats_connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "boost/json.hpp"
#include "services/common/address.h"

namespace groupcast::service {
namespace {

namespace json = boost::json;

constexpr absl::Duration kTick = absl::Milliseconds(50);
constexpr int kReadsPerTurn = 8;

std::string StringOf(const json::object& object, std::string_view name) {
  const json::value* const value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

bool BoolOf(const json::object& object, std::string_view name) {
  const json::value* const value = object.if_contains(name);
  return value != nullptr && value->is_bool() && value->get_bool();
}

}  // namespace

NatsConnection::NatsConnection(NatsConnectionOptions options, EventLoop* loop,
                               NatsConnectionHandler* handler)
    : options_(std::move(options)),
      loop_(loop),
      handler_(handler),
      reader_(options_.message_bytes_max),
      self_(std::make_shared<NatsConnection*>(this)) {
  absl::InsecureBitGen random;
  next_server_ = absl::Uniform<size_t>(random, 0, options_.servers.size());
  loop_->AddTurnHook([self = self_] {
    if (*self != nullptr) (*self)->Flush();
    return absl::InfiniteFuture();
  });
  loop_->RunEvery(kTick, [self = self_] {
    if (*self != nullptr) (*self)->Tick();
  });
}

NatsConnection::~NatsConnection() {
  *self_ = nullptr;
  CloseSocket();
}

// ---- The way to a server.

void NatsConnection::Tick() {
  const absl::Time now = loop_->now();
  switch (state_) {
    case State::kWaiting:
      if (now >= next_attempt_) Attempt();
      return;
    case State::kConnected:
      if (now - heard_at_ > 2 * options_.silence_max) {
        return Lose(absl::UnavailableError("the server says nothing any more"));
      }
      if (now - heard_at_ > options_.silence_max && !std::exchange(was_asked_, true)) {
        unsent_ += "PING\r\n";
        Touch();
      }
      return;
    default:
      if (now >= attempt_ends_) Lose(absl::UnavailableError("the server does not answer in time"));
  }
}

void NatsConnection::Attempt() {
  const NatsServer& server = options_.servers[next_server_];
  next_server_ = (next_server_ + 1) % options_.servers.size();
  ++tried_;
  server_text_ = HostPort(server.host, server.port);
  attempt_ends_ = loop_->now() + options_.connect_timeout;
  state_ = State::kLooking;
  absl::StatusOr<HostLookup::Addresses> numbers = HostLookup::OfNumbers(server.host, server.port);
  if (numbers.ok()) return OnAddresses(std::move(numbers));
  lookup_ = std::make_unique<HostLookup>(
      loop_, server.host, server.port,
      [this](absl::StatusOr<HostLookup::Addresses> found) { OnAddresses(std::move(found)); });
}

void NatsConnection::OnAddresses(absl::StatusOr<HostLookup::Addresses> addresses) {
  lookup_.reset();
  if (!addresses.ok()) return Lose(addresses.status());
  addresses_ = *std::move(addresses);
  std::reverse(addresses_.begin(), addresses_.end());
  ConnectToNext(absl::OkStatus());
}

void NatsConnection::ConnectToNext(absl::Status why_not) {
  CloseSocket();
  for (; !addresses_.empty(); CloseSocket()) {
    const SocketAddress address = addresses_.back();
    addresses_.pop_back();
    socket_ = Fd(socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket_.valid()) {
      why_not = ErrnoStatus("socket");
      continue;
    }
    const int no_delay = 1;
    setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &no_delay, sizeof(no_delay));
    if (connect(socket_.get(), address.get(), address.size) != 0 && errno != EINPROGRESS) {
      why_not = ErrnoStatus("connect");
      continue;
    }
    state_ = State::kConnecting;
    watched_ = EPOLLOUT;
    why_not = loop_->Add(socket_.get(), watched_, this);
    if (why_not.ok()) return;
    watched_ = 0;
  }
  Lose(why_not);
}

void NatsConnection::OnEvents(uint32_t events) {
  if (state_ == State::kConnecting) {
    int error = 0;
    socklen_t size = sizeof(error);
    getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
      errno = error;
      return ConnectToNext(ErrnoStatus("connect"));
    }
    state_ = State::kGreeting;
    reader_ = NatsReader(options_.message_bytes_max);
    watched_ = EPOLLIN;
    loop_->Modify(socket_.get(), watched_, this);
    return;
  }
  if ((events & EPOLLOUT) != 0) {
    is_full_ = false;
    Touch();
  }
  if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0) Read();
}

void NatsConnection::Read() {
  const std::shared_ptr<NatsConnection*> self = self_;
  for (int i = 0; i < kReadsPerTurn && state_ >= State::kGreeting; ++i) {
    const absl::Span<char> room = reader_.Room();
    const ssize_t count = read(socket_.get(), room.data(), room.size());
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) break;
    if (count < 0) return Lose(ErrnoStatus("read"));
    if (count == 0) return Lose(absl::UnavailableError("the server has closed the connection"));
    heard_at_ = loop_->now();
    was_asked_ = false;
    reader_.Took(static_cast<size_t>(count));
    for (auto event = reader_.Next(); event != NatsReader::Event::kNeedMore;
         event = reader_.Next()) {
      if (!OnEvent(event)) return;
    }
    if (static_cast<size_t>(count) < room.size()) break;
  }
  if (state_ == State::kConnected) handler_->OnNatsInputEnds();
}

bool NatsConnection::OnEvent(NatsReader::Event event) {
  switch (event) {
    case NatsReader::Event::kInfo:
      // Later ones tell of other servers.
      return state_ != State::kGreeting || Greet(reader_.text());
    case NatsReader::Event::kPing:
      unsent_ += "PONG\r\n";
      Touch();
      return true;
    case NatsReader::Event::kPong:
      OnPong();
      return true;
    case NatsReader::Event::kMessage:
      if (state_ == State::kConnected) handler_->OnNatsMessage(reader_.message());
      return true;
    case NatsReader::Event::kError:
      // Most of them end the connection. The others are of what this client does not do.
      Lose(absl::UnavailableError(absl::StrCat("the server says: ", reader_.text())));
      return false;
    default:
      Lose(absl::InvalidArgumentError(absl::StrCat("that is no NATS server: ", reader_.text())));
      return false;
  }
}

bool NatsConnection::Greet(absl::string_view info) {
  boost::system::error_code error;
  const json::value value = json::parse(std::string_view(info.data(), info.size()), error);
  if (error || !value.is_object()) {
    Lose(absl::InvalidArgumentError("that is no NATS server: its INFO is no JSON object"));
    return false;
  }
  const json::object& object = value.get_object();
  server_ = {.name = StringOf(object, "server_name"),
             .version = StringOf(object, "version"),
             .payload_bytes_max = 0,
             .has_jet_stream = BoolOf(object, "jetstream")};
  if (const json::value* const payload = object.if_contains("max_payload")) {
    boost::system::error_code no_number;
    server_.payload_bytes_max = payload->to_number<size_t>(no_number);
  }
  if (!BoolOf(object, "headers")) {
    Lose(absl::FailedPreconditionError("the server is too old: it has no headers"));
    return false;
  }
  if (BoolOf(object, "tls_required")) {
    Lose(absl::UnimplementedError("the server asks for TLS, which this engine does not have yet"));
    return false;
  }
  json::object connect{{"verbose", false},      {"pedantic", false},   {"headers", true},
                       {"no_responders", true}, {"lang", "groupcast"}, {"version", "1"},
                       {"name", options_.name}, {"protocol", 1}};
  if (!options_.token.empty()) connect["auth_token"] = options_.token;
  if (!options_.user.empty()) {
    connect["user"] = options_.user;
    connect["pass"] = options_.password;
  }
  unsent_ = absl::StrCat("CONNECT ", json::serialize(connect), "\r\nPING\r\n");
  Touch();
  return true;
}

void NatsConnection::OnPong() {
  if (state_ != State::kGreeting) return;
  state_ = State::kConnected;
  tried_ = 0;
  addresses_.clear();
  handler_->OnNatsConnected(server_);
}

// ---- What goes out.

void NatsConnection::Publish(absl::string_view subject, absl::string_view reply, Headers headers,
                             absl::string_view data) {
  if (!connected()) return;
  constexpr absl::string_view kVersion = "NATS/1.0\r\n";
  const absl::string_view blank = reply.empty() ? "" : " ";
  if (headers.empty()) {
    absl::StrAppend(&unsent_, "PUB ", subject, blank, reply, " ", data.size(), "\r\n");
  } else {
    size_t bytes = kVersion.size() + 2;
    for (const auto& [name, value] : headers) bytes += name.size() + value.size() + 4;
    absl::StrAppend(&unsent_, "HPUB ", subject, blank, reply, " ", bytes);
    absl::StrAppend(&unsent_, " ", bytes + data.size(), "\r\n", kVersion);
    for (const auto& [name, value] : headers) {
      absl::StrAppend(&unsent_, name, ": ", value, "\r\n");
    }
    unsent_ += "\r\n";
  }
  absl::StrAppend(&unsent_, data, "\r\n");
  Touch();
}

void NatsConnection::Subscribe(absl::string_view subject, uint64_t number) {
  if (!connected()) return;
  absl::StrAppend(&unsent_, "SUB ", subject, " ", number, "\r\n");
  Touch();
}

void NatsConnection::Unsubscribe(uint64_t number) {
  if (!connected()) return;
  absl::StrAppend(&unsent_, "UNSUB ", number, "\r\n");
  Touch();
}

void NatsConnection::Touch() {
  if (!std::exchange(is_touched_, true)) loop_->WantTurn();
}

void NatsConnection::Flush() {
  if (!std::exchange(is_touched_, false) || is_full_ || state_ < State::kGreeting) return;
  size_t sent = 0;
  while (sent < unsent_.size()) {
    const ssize_t count =
        send(socket_.get(), unsent_.data() + sent, unsent_.size() - sent, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) break;
    if (count < 0) return Lose(ErrnoStatus("send"));
    sent += static_cast<size_t>(count);
  }
  unsent_.erase(0, sent);
  is_full_ = !unsent_.empty();
  const uint32_t events = is_full_ ? EPOLLIN | EPOLLOUT : EPOLLIN;
  if (events != watched_) loop_->Modify(socket_.get(), watched_ = events, this);
}

// ---- The end of a connection.

void NatsConnection::CloseSocket() {
  if (socket_.valid() && watched_ != 0) loop_->Remove(socket_.get(), this);
  watched_ = 0;
  socket_.Reset();
  unsent_.clear();
  is_full_ = false;
  was_asked_ = false;
}

void NatsConnection::Lose(const absl::Status& why) {
  lookup_.reset();
  addresses_.clear();
  CloseSocket();
  state_ = State::kWaiting;
  // Another server may be there; only after all of them there is a pause.
  const bool all_tried = tried_ >= options_.servers.size();
  if (all_tried) tried_ = 0;
  next_attempt_ = loop_->now() + (all_tried ? options_.retry_after : absl::ZeroDuration());
  handler_->OnNatsLost(absl::Status(why.code(), absl::StrCat(server_text_, ": ", why.message())));
}

}  // namespace groupcast::service
