#include "groupcast/client_impl.h"

#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <ctime>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "groupcast/command.h"
#include "groupcast/event.h"
#include "groupcast/random.h"
#include "groupcast/status.h"

namespace groupcast {
namespace {

namespace asio = boost::asio;

// A server may ask for more, but must not be able to keep a client away.
constexpr absl::Duration kReconnectAfterMax = absl::Minutes(1);

constexpr uint16_t kCloseNormal = 1000;
constexpr uint16_t kCloseProtocolError = 1002;

// For the host that connections are made to.
std::shared_ptr<HostLookup> NewLookup(asio::any_io_executor executor,
                                      const ConnectionOptions& options) {
  const std::optional<Proxy>& proxy = options.proxy;
  return std::make_shared<HostLookup>(std::move(executor), proxy ? proxy->host : options.url.host,
                                      proxy ? proxy->port : options.url.port);
}

std::function<double()> NewRandom() {
  return [engine = std::mt19937_64(std::random_device()())]() mutable {
    return std::uniform_real_distribution<double>(0, 1)(engine);
  };
}

// By a clock that does not go back; only differences mean something. It goes on while the machine
// sleeps, as the server's does, which knows a key only for a while.
absl::Time Now() {
#ifdef CLOCK_BOOTTIME
  timespec time{};
  clock_gettime(CLOCK_BOOTTIME, &time);
  return absl::TimeFromTimespec(time);
#else
  return absl::UnixEpoch() + absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch());
#endif
}

}  // namespace

template <typename Run>
auto Client::Impl::OnStrand(Run run) {
  return [weak = weak_from_this(), run = std::move(run)] {
    const std::shared_ptr<Impl> self = weak.lock();
    if (!self) return;
    const std::lock_guard<std::recursive_mutex> lock(self->run_mutex_);
    if (!self->ended_) run();
  };
}

Client::Impl::Impl(ClientOptions options, ConnectionOptions connection_options)
    : options_(std::move(options)),
      connection_options_(std::move(connection_options)),
      own_io_(options_.io_context ? nullptr : std::make_shared<IoContext>(1)),
      strand_(asio::make_strand(own_io_ ? *own_io_ : *options_.io_context)),
      lookup_(NewLookup(strand_, connection_options_)),
      reconnect_backoff_(options_.backoff_base, options_.backoff_cap, NewRandom()),
      join_backoff_(options_.backoff_base, options_.backoff_cap, NewRandom()),
      session_({options_.session_id, absl::StrCat(RandomHex(8), "-")},
               {options_.queue_bytes_max, options_.groups_max}) {}

Client::Impl::~Impl() = default;

void Client::Impl::Start() {
  asio::post(strand_, OnStrand([this] { Connect(); }));
  if (!own_io_) return;
  work_.emplace(own_io_->get_executor());
  thread_ = std::thread([io = own_io_] { io->run(); });
}

void Client::Impl::End() {
  const bool in_callback = strand_.running_in_this_thread();
  if (own_io_ && !in_callback) return Close();

  const std::lock_guard<std::recursive_mutex> lock(run_mutex_);
  closing_ = true;
  EndSession(ClientClosed());
  Finish();
  ended_ = true;
  lookup_->Cancel();
  reconnect_timer_.cancel();
  stable_timer_.cancel();
  join_timer_.cancel();
  if (connection_) {
    // The loop, if it still runs, says goodbye to the server.
    asio::post(strand_, [connection = std::move(connection_)] {
      connection->Close(kCloseNormal, absl::OkStatus());
    });
  }
  if (own_io_) thread_.detach();
}

absl::Status Client::Impl::Join(absl::string_view group_id, const JoinOptions& options,
                                GroupCallbacks callbacks) {
  if (absl::Status status = CheckGroupId(group_id); !status.ok()) return status;
  if (!callbacks.on_message) return absl::InvalidArgumentError("on_message is empty");
  if (options.since.has_value()) {
    if (options.history > 0) return absl::InvalidArgumentError("both since and history are given");
    if (absl::Status status = CheckPosition(*options.since); !status.ok()) return status;
  }
  // Outside of the lock's scope: what a callback holds must not be destroyed under the lock.
  auto shared = std::make_shared<const GroupCallbacks>(std::move(callbacks));
  const std::lock_guard<std::mutex> lock(mutex_);
  absl::Status status = session_.Join(group_id, options, shared);
  Wake();
  return status;
}

void Client::Impl::Leave(absl::string_view group_id) {
  std::shared_ptr<const GroupCallbacks> released;
  const std::lock_guard<std::mutex> lock(mutex_);
  released = session_.Leave(group_id);
  Wake();
}

absl::Status Client::Impl::Send(absl::string_view group_id, absl::string_view json,
                                const SendOptions& options, SendCallback on_sent) {
  if (absl::Status status = CheckGroupId(group_id); !status.ok()) return status;
  const std::lock_guard<std::mutex> lock(mutex_);
  absl::Status status = session_.Send(group_id, json, options, std::move(on_sent));
  Wake();
  return status;
}

absl::Status Client::Impl::History(absl::string_view group_id, const HistoryOptions& options,
                                   HistoryCallback on_history) {
  if (absl::Status status = CheckGroupId(group_id); !status.ok()) return status;
  if (!on_history) return absl::InvalidArgumentError("on_history is empty");
  if (options.since.has_value()) {
    if (absl::Status status = CheckPosition(*options.since); !status.ok()) return status;
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  absl::Status status = session_.History(group_id, options, std::move(on_history));
  Wake();
  return status;
}

void Client::Impl::Close() {
  if (!own_io_ || strand_.running_in_this_thread()) {
    asio::post(strand_, OnStrand([this] { BeginClose(); }));
    return;
  }
  const std::lock_guard<std::mutex> lock(join_mutex_);
  if (!thread_.joinable()) return;
  asio::post(strand_, OnStrand([this] { BeginClose(); }));
  thread_.join();
}

void Client::Impl::Wake() {
  if (woken_) return;
  woken_ = true;
  asio::post(strand_, OnStrand([this] {
               {
                 const std::lock_guard<std::mutex> lock(mutex_);
                 woken_ = false;
               }
               RunCallbacks();
               Write();
             }));
}

void Client::Impl::Connect() {
  connection_ = Connection::Start(strand_, connection_options_, lookup_, weak_from_this());
  Notify(ConnectionState::kConnecting, absl::OkStatus());
}

void Client::Impl::OnFrame(absl::string_view frame) {
  const std::lock_guard<std::recursive_mutex> lock(run_mutex_);
  if (ended_) return;
  absl::StatusOr<Event> event = ParseEvent(frame);
  absl::Status status = event.status();
  bool welcomed = false;
  bool closing = false;
  bool joins_refused = false;
  bool joins_settled = false;
  if (status.ok()) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const bool was_connected = session_.connected();
    const bool was_closing = session_.closing();
    status = session_.OnEvent(*std::move(event), Now());
    welcomed = !was_connected && session_.connected();
    closing = !was_closing && session_.closing();
    joins_refused = session_.has_refused_joins();
    joins_settled = joins_unsettled_ && session_.joins_settled();
  }
  if (!status.ok()) return connection_->Close(kCloseProtocolError, status);

  if (welcomed) OnWelcome();
  if (ended_) return;
  if (closing) connection_->EndAfter(options_.connect_timeout, "the server announced to close");
  if (joins_refused) RetryJoinsLater();
  if (joins_settled) {
    joins_unsettled_ = false;
    join_backoff_.Reset();
  }
  RunCallbacks();
  Write();
}

void Client::Impl::OnWelcome() {
  connection_->Established();
  Arm(&stable_timer_, options_.backoff_reset_after, [this] { reconnect_backoff_.Reset(); });
  Notify(ConnectionState::kConnected, absl::OkStatus());
}

void Client::Impl::OnWritten() {
  const std::lock_guard<std::recursive_mutex> lock(run_mutex_);
  if (!ended_) Write();
}

void Client::Impl::OnClosed(bool may_reconnect, const absl::Status& why) {
  const std::lock_guard<std::recursive_mutex> lock(run_mutex_);
  if (ended_) return;
  connection_.reset();
  stable_timer_.cancel();
  join_timer_.cancel();
  join_timer_armed_ = false;
  if (closing_) return Finish();
  if (!may_reconnect) {
    told_closed_ = true;
    EndSession(why);
    return Notify(ConnectionState::kClosed, why);
  }

  std::optional<absl::Duration> asked;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    asked = session_.OnDisconnected();
  }
  const absl::Duration after =
      asked.has_value() ? std::min(*asked, kReconnectAfterMax) : reconnect_backoff_.Next();
  Arm(&reconnect_timer_, after, [this] {
    if (!closing_) Connect();
  });
  Notify(ConnectionState::kWaiting, why);
  RunCallbacks();
}

void Client::Impl::Write() {
  const bool can_write = connection_ && connection_->can_write();
  std::optional<std::string> frame;
  absl::Time deadline;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (can_write) frame = session_.NextFrame(Now());
    deadline = session_.next_deadline();
  }
  if (frame.has_value()) connection_->Write(*std::move(frame));
  ArmSessionTimer(deadline);
}

void Client::Impl::RunCallbacks() {
  while (true) {
    std::function<void()> run;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      run = session_.NextCallback();
    }
    if (!run) return;
    run();
  }
}

void Client::Impl::RetryJoinsLater() {
  if (join_timer_armed_) return;
  join_timer_armed_ = true;
  joins_unsettled_ = true;
  Arm(&join_timer_, join_backoff_.Next(), [this] {
    join_timer_armed_ = false;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      session_.RetryJoins();
    }
    Write();
  });
}

void Client::Impl::OnSessionTimer() {
  session_timer_at_ = absl::InfiniteFuture();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    session_.OnTimer(Now());
  }
  RunCallbacks();
  Write();
}

void Client::Impl::ArmSessionTimer(absl::Time deadline) {
  // Most deadlines go away before they come. A timer that then rings too early costs less than to
  // move it with each acknowledgement.
  if (deadline >= session_timer_at_) return;
  session_timer_at_ = deadline;
  Arm(&session_timer_, std::max(deadline - Now(), absl::ZeroDuration()),
      [this] { OnSessionTimer(); });
}

void Client::Impl::BeginClose() {
  if (closing_) return;
  closing_ = true;
  reconnect_timer_.cancel();
  EndSession(ClientClosed());
  if (connection_) {
    connection_->Close(kCloseNormal, absl::OkStatus());
  } else {
    Finish();
  }
}

void Client::Impl::Finish() {
  session_timer_.cancel();
  work_.reset();
  if (told_closed_) return;
  told_closed_ = true;
  Notify(ConnectionState::kClosed, absl::OkStatus());
}

void Client::Impl::EndSession(const absl::Status& why) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    session_.Shutdown(why);
  }
  RunCallbacks();
}

void Client::Impl::Notify(ConnectionState state, const absl::Status& why) {
  if (options_.on_state) options_.on_state(state, why);
}

template <typename Run>
void Client::Impl::Arm(asio::steady_timer* timer, absl::Duration after, Run run) {
  timer->expires_after(absl::ToChronoNanoseconds(after));
  timer->async_wait(
      [run = OnStrand(std::move(run))](const boost::system::error_code& error) mutable {
        if (!error) run();
      });
}

}  // namespace groupcast
