#include "services/process/pool_link.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string>
#include <utility>

#include "services/process/socket_loan.h"
#include "spdlog/spdlog.h"

namespace groupcast::service {
namespace {

// The connections that one turn accepts from a socket at most, so that a storm of new ones does not
// keep the others waiting.
constexpr int kAcceptsPerTurn = 64;

constexpr int kOwnSocket = -1;

// Whether connections may not have this descriptor. The kernel gives the lowest free number. So the
// number also tells that all below it are in use. The limit may change while the process runs
// (prlimit(1)).
bool IsReserved(int descriptor) {
  rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  const auto files = static_cast<int64_t>(limit.rlim_cur);
  return descriptor >= files - PoolLink::Reserve(files);
}

}  // namespace

// Accepts on one listening socket.
class PoolLink::Acceptor final : public EventHandler {
 public:
  Acceptor(PoolLink* link, Fd socket) : link_(link), socket_(std::move(socket)) {}
  ~Acceptor() {
    if (watching_) link_->loop_->Remove(socket_.get(), this);
  }

  absl::Status Start() {
    const absl::Status status = link_->loop_->Add(socket_.get(), EPOLLIN, this);
    watching_ = status.ok();
    return status;
  }

  // After a pause: a listening socket stays readable, so it is not watched until then.
  void Retry() {
    if (watching_ || !link_->MayAccept()) return;
    const Fd lowest(fcntl(socket_.get(), F_DUPFD_CLOEXEC, 0));
    if (!lowest.valid() || IsReserved(lowest.get())) return;
    if (Start().ok()) OnEvents(EPOLLIN);
  }

  void OnEvents(uint32_t) override {
    for (int i = 0; i < kAcceptsPerTurn; ++i) {
      if (!link_->MayAccept()) {
        if (i > 0) return;  // nobody may be waiting: the next event tells
        ++link_->accept_pauses_;
        return StopWatching();
      }
      Fd accepted(accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (accepted.valid()) {
        const bool is_last = IsReserved(accepted.get() + 1);
        link_->CountAccept();
        link_->callbacks_.on_accepted(std::move(accepted));
        if (!is_last) continue;
        return Pause("all open files but a reserve are in use: raise the limit (ulimit -n)");
      }
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        return Pause(ErrnoStatus("accept").message());
      }
      if (errno == EAGAIN) return;
      // Anything else concerns that one connection (accept(2)).
    }
  }

 private:
  void Pause(absl::string_view why) {
    if (const int64_t count = link_->pause_log_limit_.Admit(link_->loop_->now())) {
      spdlog::error(
          "cannot accept: {}; new connections wait until others end ({} times since the "
          "last such line)",
          std::string(why), count);
    }
    StopWatching();
  }

  void StopWatching() {
    link_->loop_->Remove(socket_.get(), this);
    watching_ = false;
  }

  PoolLink* const link_;
  Fd socket_;
  bool watching_ = false;
};

// Calls a method when a descriptor is readable.
class PoolLink::Watch final : public EventHandler {
 public:
  Watch(PoolLink* link, Fd fd, void (PoolLink::*method)())
      : link_(link), fd_(std::move(fd)), method_(method) {}
  ~Watch() { Stop(); }

  absl::Status Start() {
    const absl::Status status = link_->loop_->Add(fd_.get(), EPOLLIN, this);
    watching_ = status.ok();
    return status;
  }
  void Stop() {
    if (std::exchange(watching_, false)) link_->loop_->Remove(fd_.get(), this);
  }
  int fd() const { return fd_.get(); }

  void OnEvents(uint32_t) override { (link_->*method_)(); }

 private:
  PoolLink* const link_;
  Fd fd_;
  void (PoolLink::*const method_)();
  bool watching_ = false;
};

absl::StatusOr<std::unique_ptr<PoolLink>> PoolLink::Create(EventLoop* loop, Fd listener, Fd control,
                                                           Callbacks callbacks,
                                                           const TokenRate& accept_rate) {
  std::unique_ptr<PoolLink> link(new PoolLink(loop, std::move(callbacks), accept_rate));
  if (absl::Status status = link->Start(std::move(listener), std::move(control)); !status.ok()) {
    return status;
  }
  return link;
}

PoolLink::PoolLink(EventLoop* loop, Callbacks callbacks, const TokenRate& accept_rate)
    : loop_(loop), callbacks_(std::move(callbacks)), accept_rate_(accept_rate) {}

PoolLink::~PoolLink() = default;

absl::Status PoolLink::Start(Fd listener, Fd control) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  signals_ = std::make_unique<Watch>(this, Fd(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK)),
                                     &PoolLink::OnSignal);
  if (absl::Status status = signals_->Start(); !status.ok()) return status;
  control_ = std::make_unique<Watch>(this, std::move(control), &PoolLink::OnControl);
  if (absl::Status status = control_->Start(); !status.ok()) return status;
  return Accept(kOwnSocket, std::move(listener));
}

absl::Status PoolLink::Accept(int index, Fd socket) {
  auto acceptor = std::make_unique<Acceptor>(this, std::move(socket));
  if (absl::Status status = acceptor->Start(); !status.ok()) return status;
  acceptors_[index] = std::move(acceptor);
  return absl::OkStatus();
}

void PoolLink::OnSignal() {
  signalfd_siginfo info;
  if (read(signals_->fd(), &info, sizeof(info)) == sizeof(info)) callbacks_.on_drain();
}

void PoolLink::OnControl() {
  SocketMessage message = ReceiveSocketMessage(control_->fd());
  switch (message.kind) {
    case SocketMessage::Kind::kAdopt: {
      if (stopped_) break;
      const absl::Status status = Accept(message.index, std::move(message.socket));
      static_cast<void>(status);  // then its own worker serves the backlog, when it is back
      break;
    }
    case SocketMessage::Kind::kRelease:
      acceptors_.erase(message.index);
      break;
    case SocketMessage::Kind::kClosed:
      control_->Stop();  // SIGKILL is on its way (PR_SET_PDEATHSIG)
      break;
    case SocketMessage::Kind::kNone:
      break;
  }
}

bool PoolLink::MayAccept() const {
  return accept_rate_.per_second <= 0 || accept_tokens_.Available(accept_rate_, loop_->now()) >= 1;
}

void PoolLink::CountAccept() {
  if (accept_rate_.per_second > 0) accept_tokens_.Take(1, accept_rate_, loop_->now());
}

void PoolLink::RetryAccepts() {
  for (const auto& [index, acceptor] : acceptors_) acceptor->Retry();
}

void PoolLink::StopAccepting() {
  stopped_ = true;
  acceptors_.clear();
}

}  // namespace groupcast::service
