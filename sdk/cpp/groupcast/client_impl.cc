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
#include <variant>

#include "absl/strings/str_cat.h"
#include "groupcast/command.h"
#include "groupcast/event.h"
#include "groupcast/random.h"

namespace groupcast {
namespace {

namespace asio = boost::asio;

constexpr uint16_t kCloseNormal = 1000;

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
      logic_(options_, {options_.session_id, absl::StrCat(RandomHex(8), "-")}, NewRandom()) {
  token_desk_->client = this;
}

Client::Impl::~Impl() = default;

void Client::Impl::Start() {
  asio::post(strand_, OnStrand([this] {
               Update([](ClientLogic& logic, absl::Time now) { logic.Start(now); });
             }));
  if (!own_io_) return;
  work_.emplace(own_io_->get_executor());
  thread_ = std::thread([io = own_io_] { io->run(); });
}

void Client::Impl::End() {
  {
    const std::lock_guard<std::mutex> lock(token_desk_->mutex);
    token_desk_->client = nullptr;
  }
  const bool in_callback = strand_.running_in_this_thread();
  if (own_io_ && !in_callback) return Close();

  const std::lock_guard<std::recursive_mutex> lock(run_mutex_);
  {
    const std::lock_guard<std::mutex> logic_lock(mutex_);
    logic_.Close(Now());
    if (!logic_.finished()) logic_.OnClosed({}, Now());
  }
  RunCallbacks();
  ended_ = true;
  lookup_->Cancel();
  timer_.cancel();
  work_.reset();
  if (connection_) {
    // The loop, if it still runs, says goodbye to the server.
    asio::post(strand_, [connection = std::move(connection_)] { connection->Close(kCloseNormal); });
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
  absl::Status status = logic_.session().Join(group_id, options, shared);
  Wake();
  return status;
}

void Client::Impl::Leave(absl::string_view group_id) {
  std::shared_ptr<const GroupCallbacks> released;
  const std::lock_guard<std::mutex> lock(mutex_);
  released = logic_.session().Leave(group_id);
  Wake();
}

absl::Status Client::Impl::Send(absl::string_view group_id, absl::string_view json,
                                const SendOptions& options, SendCallback on_sent) {
  if (absl::Status status = CheckGroupId(group_id); !status.ok()) return status;
  const std::lock_guard<std::mutex> lock(mutex_);
  absl::Status status = logic_.session().Send(group_id, json, options, std::move(on_sent));
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
  absl::Status status = logic_.session().History(group_id, options, std::move(on_history));
  Wake();
  return status;
}

absl::Status Client::Impl::Members(absl::string_view group_id, const MembersOptions& options,
                                   MembersCallback on_members) {
  if (absl::Status status = CheckGroupId(group_id); !status.ok()) return status;
  if (!on_members) return absl::InvalidArgumentError("on_members is empty");
  if (options.limit == 0) return absl::InvalidArgumentError("the limit is 0");
  if (absl::Status status = EncodeText(options.after).status(); !status.ok()) return status;
  const std::lock_guard<std::mutex> lock(mutex_);
  absl::Status status = logic_.session().Members(group_id, options, std::move(on_members));
  Wake();
  return status;
}

void Client::Impl::Reconnect() {
  asio::post(strand_, OnStrand([this] {
               Update([](ClientLogic& logic, absl::Time now) { logic.Reconnect(now); });
             }));
}

void Client::Impl::Close() {
  const auto close =
      OnStrand([this] { Update([](ClientLogic& logic, absl::Time now) { logic.Close(now); }); });
  if (!own_io_ || strand_.running_in_this_thread()) return asio::post(strand_, close);
  const std::lock_guard<std::mutex> lock(join_mutex_);
  if (!thread_.joinable()) return;
  asio::post(strand_, close);
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
               Pump();
             }));
}

void Client::Impl::OnHeard() {
  Update([](ClientLogic& logic, absl::Time now) { logic.OnHeard(now); });
}

void Client::Impl::OnFrame(absl::string_view frame) {
  absl::StatusOr<Event> event = ParseEvent(frame);
  Update([&event](ClientLogic& logic, absl::Time now) { logic.OnEvent(std::move(event), now); });
}

void Client::Impl::OnViolation(uint16_t close_code, const absl::Status& why) {
  Update([&](ClientLogic& logic, absl::Time now) { logic.OnViolation(close_code, why, now); });
}

void Client::Impl::OnWritten() {
  Update([](ClientLogic&, absl::Time) {});
}

void Client::Impl::OnWriteFailed(const absl::Status& why) {
  Update([&why](ClientLogic& logic, absl::Time now) { logic.OnWriteFailed(why, now); });
}

void Client::Impl::OnClosed(const ConnectionEnd& end) {
  Update([this, &end](ClientLogic& logic, absl::Time now) {
    connection_.reset();
    logic.OnClosed(end, now);
  });
}

template <typename Change>
void Client::Impl::Update(Change change) {
  const std::lock_guard<std::recursive_mutex> lock(run_mutex_);
  if (ended_) return;
  {
    const std::lock_guard<std::mutex> logic_lock(mutex_);
    change(logic_, Now());
  }
  Pump();
}

void Client::Impl::Pump() {
  while (!ended_) {
    std::optional<ClientLogic::Action> action;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      action = logic_.NextAction();
    }
    if (!action.has_value()) break;
    std::visit([this](auto& what) { Do(what); }, *action);
  }
  RunCallbacks();
  if (!ended_) Write();
}

void Client::Impl::Do(ClientLogic::ConnectAction& action) {
  connection_ = Connection::Start(strand_, connection_options_, std::move(action.token), lookup_,
                                  weak_from_this());
}

void Client::Impl::Do(ClientLogic::CloseAction& action) { connection_->Close(action.code); }

void Client::Impl::Do(ClientLogic::AbandonAction&) {
  connection_->Abandon();
  connection_.reset();
}

void Client::Impl::Do(ClientLogic::TokenAction& action) {
  options_.token_source(
      [desk = token_desk_, request = action.request](absl::StatusOr<std::string> token) {
        const std::lock_guard<std::mutex> lock(desk->mutex);
        Impl* const client = desk->client;
        if (client == nullptr) return;
        asio::post(client->strand_, client->OnStrand([client, request, token = std::move(token)] {
          client->Update(
              [&](ClientLogic& logic, absl::Time now) { logic.OnToken(request, token, now); });
        }));
      });
}

void Client::Impl::RunCallbacks() {
  while (true) {
    std::function<void()> run;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      run = logic_.NextCallback();
    }
    if (!run) return;
    run();
  }
}

void Client::Impl::Write() {
  const bool can_write = connection_ && connection_->can_write();
  std::optional<std::string> frame;
  absl::Time deadline;
  bool finished = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (can_write) frame = logic_.NextFrame(Now());
    deadline = logic_.next_deadline();
    finished = logic_.finished();
  }
  if (frame.has_value()) connection_->Write(*std::move(frame));
  if (!finished) return ArmTimer(deadline);
  timer_.cancel();
  work_.reset();
}

void Client::Impl::ArmTimer(absl::Time deadline) {
  // Most deadlines go away before they come. A timer that then rings too early costs less than to
  // move it with each frame.
  if (deadline >= timer_at_) return;
  timer_at_ = deadline;
  const absl::Duration after = std::max(deadline - Now(), absl::ZeroDuration());
  timer_.expires_after(absl::ToChronoNanoseconds(after));
  timer_.async_wait([ring = OnStrand([this] {
                       timer_at_ = absl::InfiniteFuture();
                       Update([](ClientLogic& logic, absl::Time now) { logic.OnTimer(now); });
                     })](const boost::system::error_code& error) mutable {
    if (!error) ring();
  });
}

}  // namespace groupcast
