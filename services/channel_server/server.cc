#include "services/channel_server/server.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "services/channel/group_id.h"
#include "services/channel/position.h"
#include "spdlog/spdlog.h"

namespace groupcast::service {
namespace {

// How much one turn reads of each socket at most, so that none starves the others.
constexpr int kControlFramesPerTurn = 1'000;
constexpr int kSubscriptionsPerTurn = 500;
constexpr int kPublicationsPerTurn = 2'000;
constexpr size_t kPublicationBytesPerTurn = 4u << 20;

// The longest that housekeeping (digests, expiry) waits while nothing comes.
constexpr int kIdleTurnMs = 100;

// The time between attempts to send to subscribers without room. ZeroMQ does not say when there is
// room: an XPUB always counts as writable (zmq_socket(3)).
constexpr absl::Duration kRetryPeriod = absl::Microseconds(500);

// For how long the server does not wait again for a subscriber that stands still.
constexpr absl::Duration kDropFor = absl::Seconds(10);

// Where three consecutive free ports are looked for with `port = 0`, and how often.
constexpr uint16_t kFreePortMin = 10'000;
constexpr uint16_t kFreePortMax = 65'533;
constexpr int kPortTries = 1'000;

// What workers send on the other two links is short: a topic; a hello, a request for history, or
// the heads of 500 groups.
constexpr int64_t kSubscriptionBytesMax = 256;
constexpr int64_t kControlBytesMax = 128 * 1024;

// A frame of the publish link: topic, header, message, and protobuf's few bytes around it.
int64_t PublicationBytesMax(size_t message_bytes_max) {
  return static_cast<int64_t>(message_bytes_max + kGroupIdBytesMax + 1 + kLiveHeaderBytes +
                              kKeyBytes + kContentOverheadBytes);
}

absl::Status BindStatus(const zmq::error_t& error, absl::string_view endpoint) {
  const std::string what = absl::StrCat("cannot listen on ", endpoint, ": ", error.what());
  if (error.num() == EADDRINUSE) return absl::AlreadyExistsError(what);
  return absl::InvalidArgumentError(what);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Create(const ServerOptions& options) {
  std::unique_ptr<Server> server(new Server(options));
  if (absl::Status opened = server->OpenLog(options); !opened.ok()) return opened;
  if (absl::Status bound = server->Bind(options); !bound.ok()) return bound;
  return server;
}

Server::Server(const ServerOptions& options)
    : address_(options.address),
      subscriber_patience_(options.subscriber_patience),
      retained_bytes_max_(options.broker.retention.bytes_max),
      broker_(options.broker, &clock_, &calendar_),
      context_(options.io_threads) {}

absl::Status Server::OpenLog(const ServerOptions& options) {
  if (options.data_dir.empty()) return absl::OkStatus();
  absl::StatusOr<std::unique_ptr<DataDirectory>> data = DataDirectory::Open(
      options.data_dir, options.log, options.begin_new_epoch, &clock_, &broker_, &recovered_);
  if (!data.ok()) return data.status();
  data_ = *std::move(data);
  // A new epoch is in the log before a worker learns of it.
  broker_.BeginTurn();
  return broker_.EndTurn(this);
}

absl::Status Server::Bind(const ServerOptions& options) {
  const ChannelAddress& wanted = options.address;
  const auto make_sockets = [&] {
    publish_ = zmq::socket_t(context_, zmq::socket_type::xsub);
    subscribe_ = zmq::socket_t(context_, zmq::socket_type::xpub);
    control_ = zmq::socket_t(context_, zmq::socket_type::router);
    for (zmq::socket_t* socket : {&publish_, &subscribe_, &control_}) SetCommonOptions(*socket);
    const int64_t overhead = options.curve.has_value() ? kCurveFrameOverheadBytes : 0;
    SetFrameBytesMax(publish_, PublicationBytesMax(options.broker.max_message_bytes) + overhead);
    SetFrameBytesMax(subscribe_, kSubscriptionBytesMax + overhead);
    SetFrameBytesMax(control_, kControlBytesMax + overhead);
    if (options.curve.has_value()) {
      for (zmq::socket_t* socket : {&publish_, &subscribe_, &control_}) {
        UseCurve(*options.curve, *socket);
      }
    }
    publish_.set(zmq::sockopt::rcvhwm, 10'000);
    subscribe_.set(zmq::sockopt::sndhwm, options.subscriber_queue_frames_max);
    subscribe_.set(zmq::sockopt::xpub_nodrop, true);
    // Each subscription is seen, also of a topic that has subscribers: each is announced.
    subscribe_.set(zmq::sockopt::xpub_verbose, true);
    // Answers are at most 1 MiB; results that find no room are kept by the broker.
    control_.set(zmq::sockopt::sndhwm, 200);
    control_.set(zmq::sockopt::router_handover, true);
    control_.set(zmq::sockopt::router_mandatory, true);
  };
  if (options.curve.has_value()) {
    absl::StatusOr<std::unique_ptr<ZapServer>> zap =
        ZapServer::Start(&context_, options.curve->allowed);
    if (!zap.ok()) return zap.status();
    zap_ = *std::move(zap);
  }
  make_sockets();
  absl::Status status = BindPorts(wanted);
  // A random port of the range, not a port from the system. The system takes ports from the range
  // of outgoing connections. After a burst of such connections, three consecutive free ports are
  // rare there.
  for (int i = 1; i < kPortTries && wanted.publish_port == 0 && absl::IsAlreadyExists(status);
       ++i) {
    make_sockets();
    status = BindPorts(wanted);
  }
  if (!status.ok()) return status;
  if (!wanted.socket_dir.empty()) {
    if (status = BindUnixSockets(wanted.socket_dir); !status.ok()) return status;
  }
  if (status = reserve_.Watch(&context_, {&publish_, &subscribe_, &control_}); !status.ok()) {
    return status;
  }
  // Subscribes to everything, once. Publishers need not know the subscribers, because only the
  // subscribe link filters.
  static constexpr char kSubscribeAll = 1;
  publish_.send(zmq::buffer(&kSubscribeAll, 1), zmq::send_flags::none);
  return absl::OkStatus();
}

absl::Status Server::BindPorts(const ChannelAddress& wanted) {
  address_ = wanted;
  if (wanted.publish_port == 0) {
    const auto port =
        static_cast<uint16_t>(kFreePortMin + RandomId() % (kFreePortMax - kFreePortMin));
    address_.publish_port = port;
    address_.subscribe_port = port + 1;
    address_.control_port = port + 2;
  }
  return BindAt(TcpEndpoints(address_));
}

absl::Status Server::BindUnixSockets(const std::string& directory) {
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return ErrnoStatus(absl::StrCat("cannot make --socket_dir=", directory));
  }
  socket_dir_ = Fd(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!socket_dir_.valid())
    return ErrnoStatus(absl::StrCat("cannot open --socket_dir=", directory));
  if (flock(socket_dir_.get(), LOCK_EX | LOCK_NB) != 0) {
    return absl::AlreadyExistsError(
        absl::StrCat("--socket_dir=", directory, " is in use by another channel server"));
  }
  return BindAt(UnixEndpoints(directory));
}

absl::Status Server::BindAt(const ChannelEndpoints& endpoints) {
  for (const auto& [socket, endpoint] :
       {std::pair<zmq::socket_t*, const std::string*>{&publish_, &endpoints.publish},
        {&subscribe_, &endpoints.subscribe},
        {&control_, &endpoints.control}}) {
    try {
      socket->bind(*endpoint);
    } catch (const zmq::error_t& error) {
      return BindStatus(error, *endpoint);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<int> Server::Run(const sigset_t& signals,
                                const std::function<void(absl::Time)>& on_turn,
                                const std::function<void()>& on_hangup,
                                const std::function<void()>& on_stop) {
  Fd pending(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!pending.valid()) return ErrnoStatus("signalfd");
  retry_timer_ = Fd(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!retry_timer_.valid()) return ErrnoStatus("timerfd_create");
  // poll(2) on the sockets' descriptors, and not zmq_poll(3), which looks at each socket twice.
  std::vector<pollfd> watched;
  const auto watch = [&watched](int descriptor) {
    watched.push_back({.fd = descriptor, .events = POLLIN, .revents = 0});
    return watched.size() - 1;
  };
  const size_t of_signals = watch(pending.get());
  const size_t of_retry_timer = watch(retry_timer_.get());
  const size_t of_publish = watch(publish_.get(zmq::sockopt::fd));
  watch(subscribe_.get(zmq::sockopt::fd));
  watch(control_.get(zmq::sockopt::fd));
  const size_t of_reserve = watched.size();
  for (const int descriptor : reserve_.descriptors()) watch(descriptor);
  bool reserve_has_more = true;
  for (;;) {
    if (on_turn != nullptr) on_turn(clock_.Now());
    const bool at_once = reserve_has_more || has_more() || HasInput();
    // Publications wait while those of the last turn do.
    watched[of_publish].events = broker_.handing_out() ? 0 : POLLIN;
    watched[of_retry_timer].events = retry_timer_is_on_ ? POLLIN : 0;
    if (poll(watched.data(), watched.size(), at_once ? 0 : kIdleTurnMs) < 0 && errno != EINTR) {
      return ErrnoStatus("poll");
    }
    signalfd_siginfo info;
    if (watched[of_signals].revents != 0 &&
        read(pending.get(), &info, sizeof(info)) == sizeof(info)) {
      if (info.ssi_signo == SIGHUP) {
        if (on_hangup != nullptr) on_hangup();
        continue;
      }
      if (on_stop != nullptr) on_stop();
      if (absl::Status closed = CloseLog(); !closed.ok()) return closed;
      return static_cast<int>(info.ssi_signo);
    }
    const bool reserve_is_due =
        std::any_of(watched.begin() + of_reserve, watched.end(),
                    [](const pollfd& reserve) { return reserve.revents != 0; });
    const absl::Time begin = clock_.Now();
    if (reserve_is_due || reserve_has_more) reserve_has_more = reserve_.Step(begin);
    Turn();
    turns_.Observe(absl::ToInt64Microseconds(clock_.Now() - begin));
  }
}

ServerNumbers Server::numbers() const {
  const auto durations = [](const DurationHistogram& histogram) {
    ServerNumbers::Durations of{};
    std::copy(histogram.counts().begin(), histogram.counts().end(), of.counts.begin());
    of.sum_us = histogram.sum_us();
    return of;
  };
  const Broker::Counters& counters = broker_.counters();
  const Digests& digests = broker_.digests();
  const PresenceTables& presence = broker_.presence();
  return {
      .workers = digests.last_round().workers,
      .lagging_workers = digests.last_round().lagging,
      .groups = broker_.group_count(),
      .keys = broker_.key_count(),
      .retained_messages = broker_.retained_messages(),
      .retained_bytes = broker_.retained_bytes(),
      .retained_limit_bytes = retained_bytes_max_,
      .presence_groups = presence.group_count(),
      .presence_watches = presence.watch_count(),
      .presence_members = presence.member_count(),
      .presence_bytes = presence.bytes(),
      .log_bytes = data_ == nullptr ? 0 : data_->log_bytes(),
      .publications = counters.publications,
      .publication_bytes = publication_bytes_,
      .refused_too_large = counters.too_large,
      .refused_malformed = counters.not_publications,
      .refused_unavailable = counters.unlogged,
      .given_up = counters.voids,
      .ignored_repeated = counters.repeated,
      .ignored_same_key = counters.same_key,
      .ignored_out_of_turn = counters.out_of_turn,
      .ignored_stranger = counters.strangers,
      .malformed_frames = counters.malformed,
      .announcements = counters.announcements,
      .digests = digests.sent(),
      .history_reads = counters.history_answers,
      .subscriber_waits = subscriber_waits_,
      .subscriber_timeouts = subscriber_timeouts_,
      .droppable_frames = droppable_frames_,
      .failed_writes = counters.failed_writes,
      .log_lines_dropped = DroppedLogLines(),
      .turns = durations(turns_),
      .log_writes = durations(log_writes_),
  };
}

absl::Status Server::CloseLog() {
  if (data_ == nullptr) return absl::OkStatus();
  const absl::Status closed = data_->Close();
  if (closed.ok()) return closed;
  const absl::string_view effect =
      absl::IsUnavailable(closed)
          ? "the server ends without its log: what it acknowledged is lost, unless the log is in "
            "its "
            "place again before the next start: "
          : "the log could not be closed, but nothing that was acknowledged is lost unless the "
            "machine stops too: ";
  return absl::Status(closed.code(), absl::StrCat(effect, closed.message()));
}

// The descriptor of a ZeroMQ socket tells an event only once, and a send may take it away. So this
// is asked before each wait (ZMQ_FD in zmq_getsockopt(3)).
bool Server::HasInput() {
  const auto has_input = [](zmq::socket_t& socket) {
    return (socket.get(zmq::sockopt::events) & ZMQ_POLLIN) != 0;
  };
  return has_input(control_) || has_input(subscribe_) ||
         (!broker_.handing_out() && has_input(publish_));
}

bool Server::has_more() const {
  return broker_.rest() == Broker::Rest::kMore || (data_ != nullptr && data_->in_snapshot());
}

void Server::Turn() {
  const Epoch epoch = broker_.epoch();
  broker_.BeginTurn();
  ReadControl();
  ReadSubscriptions();
  if (!broker_.handing_out()) ReadPublications();
  const absl::Status written = broker_.EndTurn(this);
  if (!broker_.handing_out()) accepted_.clear();
  broker_.AnswerQuestions(this);
  CheckPatience();
  SetRetryTimer(broker_.rest() == Broker::Rest::kNoRoom);
  if (!written.ok()) NoteFailedWrite(written);
  if (broker_.epoch() != epoch) NoteNewEpoch();
  if (data_ != nullptr) data_->Step();
}

void Server::CheckPatience() {
  if (dropping_until_ != absl::InfinitePast()) {
    if (clock_.Now() >= dropping_until_) SetDropping(false);
    return;
  }
  if (broker_.rest() != Broker::Rest::kNoRoom) {
    message_blocked_since_ = announcement_blocked_since_ = absl::InfiniteFuture();
    return;
  }
  const absl::Time since = std::min(message_blocked_since_, announcement_blocked_since_);
  if (clock_.Now() - since < subscriber_patience_) return;
  spdlog::warn(
      "a worker has not taken half of its full queue in {}: for {} the others do not wait for it, "
      "and it gets later what it misses",
      absl::FormatDuration(subscriber_patience_), absl::FormatDuration(kDropFor));
  ++subscriber_timeouts_;
  SetDropping(true);
}

void Server::SetRetryTimer(bool on) {
  if (on == retry_timer_is_on_) {
    uint64_t expirations;
    if (on && read(retry_timer_.get(), &expirations, sizeof(expirations)) < 0) return;  // not yet
    return;
  }
  retry_timer_is_on_ = on;
  const timespec period = absl::ToTimespec(on ? kRetryPeriod : absl::ZeroDuration());
  const itimerspec timer{.it_interval = period, .it_value = period};
  timerfd_settime(retry_timer_.get(), 0, &timer, nullptr);
}

void Server::NoteFailedWrite(const absl::Status& status) {
  if (const int64_t count = failed_write_limit_.Admit(clock_.Now())) {
    spdlog::error(
        "the log cannot be written, and publications are refused until it can: {} ({} since the "
        "last such line)",
        std::string(status.message()), count);
  }
}

// Without keys, any peer can claim to have seen messages that do not exist.
void Server::NoteNewEpoch() {
  if (const int64_t count = epoch_limit_.Admit(clock_.Now())) {
    spdlog::warn(
        "a worker knows of messages that are not in the log, which has lost its end or is an old "
        "copy: a new epoch begins ({}), and members are told ({} since the last such line)",
        EpochText(broker_.epoch()), count);
  }
}

void Server::ReadControl() {
  zmq::message_t routing_id;
  zmq::message_t frame;
  for (int i = 0; i < kControlFramesPerTurn; ++i) {
    if (!control_.recv(routing_id, zmq::recv_flags::dontwait)) return;
    // The parts of a message arrive together (zmq_msg_recv(3)).
    int parts = 1;
    for (bool more = routing_id.more(); more; more = frame.more()) {
      if (!control_.recv(frame)) break;
      ++parts;
    }
    const std::optional<PublisherId> from = PublisherOfRoutingId(View(routing_id));
    if (parts != 2 || !from.has_value()) {
      NoteBadInput("control", absl::InvalidArgumentError("not a worker's frame"));
      continue;
    }
    if (absl::Status status = broker_.OnControl(*from, View(frame), this); !status.ok()) {
      NoteBadInput("control", status);
    }
  }
}

void Server::ReadSubscriptions() {
  zmq::message_t message;
  for (int i = 0; i < kSubscriptionsPerTurn; ++i) {
    if (!subscribe_.recv(message, zmq::recv_flags::dontwait)) return;
    const absl::string_view text = View(message);
    absl::Status status = absl::InvalidArgumentError("neither subscription nor unsubscription");
    if (!text.empty() && text[0] == 1) status = broker_.OnSubscription(text.substr(1));
    if (!text.empty() && text[0] == 0) status = broker_.OnUnsubscription(text.substr(1));
    if (!status.ok()) NoteBadInput("subscribe", status);
  }
}

void Server::ReadPublications() {
  size_t bytes = 0;
  for (int i = 0; i < kPublicationsPerTurn && bytes < kPublicationBytesPerTurn; ++i) {
    zmq::message_t frame;
    if (!publish_.recv(frame, zmq::recv_flags::dontwait)) return;
    // Frames of one message have nothing in common but that they came together.
    bytes += frame.size();
    publication_bytes_ += frame.size();
    accepted_.push_back(std::move(frame));
    zmq::message_t& kept = accepted_.back();
    const absl::Status status =
        broker_.OnPublication(absl::MakeSpan(static_cast<char*>(kept.data()), kept.size()));
    if (status.ok()) continue;
    accepted_.pop_back();
    // A worker that has lost its connection sends repeats and voids, so these errors are not bad
    // input.
    if (status.code() == absl::StatusCode::kInvalidArgument) NoteBadInput("publish", status);
  }
}

void Server::NoteBadInput(absl::string_view link, const absl::Status& status) {
  if (const int64_t count = bad_input_limit_.Admit(clock_.Now())) {
    spdlog::warn("ignored on the {} link: {} ({} since the last such line)", std::string(link),
                 std::string(status.message()), count);
  }
}

absl::Status Server::WriteLog(std::string* record) {
  const absl::Time begin = clock_.Now();
  absl::Status written = data_->Append(record);
  log_writes_.Observe(absl::ToInt64Microseconds(clock_.Now() - begin));
  return written;
}

bool Server::HandOut(size_t index) {
  return SendToSubscribers(&accepted_[index], &message_blocked_since_);
}

bool Server::Announce(absl::string_view frame) {
  zmq::message_t message(frame.data(), frame.size());
  return SendToSubscribers(&message, &announcement_blocked_since_);
}

bool Server::SendToSubscribers(zmq::message_t* frame, absl::Time* blocked_since) {
  if (subscribe_.send(*frame, zmq::send_flags::dontwait)) {
    *blocked_since = absl::InfiniteFuture();
    if (dropping_until_ != absl::InfinitePast()) ++droppable_frames_;
    return true;
  }
  if (*blocked_since == absl::InfiniteFuture()) {
    *blocked_since = clock_.Now();
    ++subscriber_waits_;
  }
  return false;
}

void Server::SetDropping(bool dropping) {
  message_blocked_since_ = announcement_blocked_since_ = absl::InfiniteFuture();
  subscribe_.set(zmq::sockopt::xpub_nodrop, !dropping);
  dropping_until_ = dropping ? clock_.Now() + kDropFor : absl::InfinitePast();
}

BrokerSink::Sent Server::SendControl(PublisherId to, absl::string_view frame) {
  try {
    const std::string routing_id = RoutingId(to);
    // EAGAIN and EHOSTUNREACH come with the first part, which is then not sent.
    if (!control_.send(zmq::buffer(routing_id),
                       zmq::send_flags::sndmore | zmq::send_flags::dontwait)) {
      return Sent::kFull;
    }
    control_.send(zmq::buffer(frame.data(), frame.size()), zmq::send_flags::dontwait);
    return Sent::kSent;
  } catch (const zmq::error_t&) {
    return Sent::kGone;
  }
}

}  // namespace groupcast::service
