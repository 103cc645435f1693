#include "services/process/supervisor.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "spdlog/spdlog.h"

namespace groupcast::service {
namespace {

// How often it looks after its workers when no signal comes.
constexpr absl::Duration kPeriod = absl::Milliseconds(100);

// A worker that ends sooner than this has failed to start, as it were: its successor is held back.
constexpr absl::Duration kEarlyEnd = absl::Seconds(5);
constexpr absl::Duration kBackoffMin = absl::Milliseconds(100);
constexpr absl::Duration kBackoffMax = absl::Seconds(5);

// What a worker gets beyond its drain time before it is killed.
constexpr absl::Duration kDrainGrace = absl::Seconds(1);

// A pause of the supervisor itself that is longer than this is nobody's fault.
constexpr absl::Duration kOwnStallMax = absl::Seconds(1);

// After so long without a channel, the table says so.
constexpr absl::Duration kPatience = absl::Seconds(2);

absl::Duration BackoffAfter(int failures) {
  // The first early end may be anybody's bad luck.
  if (failures <= 1) return absl::ZeroDuration();
  return std::min(kBackoffMax, kBackoffMin * (1 << std::min(failures - 2, 10)));
}

void SendSocket(int to, SocketCommand command, int index, int socket) {
  uint8_t text[2] = {static_cast<uint8_t>(command), static_cast<uint8_t>(index)};
  iovec vector{.iov_base = text, .iov_len = sizeof(text)};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char space[CMSG_SPACE(sizeof(int))];
  if (command == SocketCommand::kAdopt) {
    std::memset(space, 0, sizeof(space));
    message.msg_control = space;
    message.msg_controllen = sizeof(space);
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &socket, sizeof(socket));
  }
  // A worker that cannot take it is on its way out; then the successor serves the backlog.
  static_cast<void>(sendmsg(to, &message, MSG_NOSIGNAL | MSG_DONTWAIT));
}

std::string ExitText(int status) {
  if (WIFSIGNALED(status)) return absl::StrCat("was ended by ", strsignal(WTERMSIG(status)));
  return absl::StrCat("exited with ", WEXITSTATUS(status));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Supervisor>> Supervisor::Create(const SupervisorOptions& options,
                                                               Listeners listeners,
                                                               WorkerMain worker_main,
                                                               Reload reload) {
  std::unique_ptr<Supervisor> supervisor(
      new Supervisor(options, std::move(listeners), std::move(worker_main), std::move(reload)));
  void* const page = mmap(nullptr, supervisor->slot_count_ * sizeof(SharedSlot),
                          PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return ErrnoStatus("mmap");
  supervisor->slots_ = static_cast<SharedSlot*>(page);
  return supervisor;
}

Supervisor::Supervisor(const SupervisorOptions& options, Listeners listeners,
                       WorkerMain worker_main, Reload reload)
    : options_(options),
      worker_main_(std::move(worker_main)),
      reload_(std::move(reload)),
      listeners_(std::move(listeners)),
      slot_count_(options.workers * 4),
      sockets_(options.workers) {
  sigemptyset(&signals_);
  for (const int signal : {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGUSR1}) sigaddset(&signals_, signal);
}

Supervisor::~Supervisor() {
  if (slots_ != nullptr) munmap(slots_, slot_count_ * sizeof(SharedSlot));
}

absl::Status Supervisor::Run() {
  sigset_t before;
  sigprocmask(SIG_BLOCK, &signals_, &before);
  began_ = clock_.Now();
  const timespec period = absl::ToTimespec(kPeriod);
  while (!stopping_ || !processes_.empty()) {
    if (!stopping_) {
      if (absl::Status status = StartMissing(); !status.ok()) {
        failure_ = status;
        BeginStop("cannot start workers");
      }
    }
    switch (sigtimedwait(&signals_, nullptr, &period)) {
      case SIGTERM:
        BeginStop("SIGTERM");
        break;
      case SIGINT:
        BeginStop("SIGINT");
        break;
      case SIGHUP:
        ReplaceAll();
        break;
      case SIGUSR1:
        PrintTable("running");
        break;
      default:
        break;
    }
    Reap();
    CheckProcesses();
    KillOverdue();
  }
  sigprocmask(SIG_SETMASK, &before, nullptr);
  return failure_;
}

absl::Status Supervisor::StartMissing() {
  for (int socket = 0; socket < options_.workers; ++socket) {
    if (Serving(socket) != nullptr || sockets_[socket].start_at > clock_.Now()) continue;
    if (absl::Status status = StartWorker(socket); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Supervisor::StartWorker(int socket) {
  const int free_slot = FreeSlot();
  if (free_slot < 0) return absl::OkStatus();  // too many still drain: later
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return ErrnoStatus("socketpair");
  Fd ours(ends[0]);
  Fd theirs(ends[1]);
  SharedSlot* const shared = new (&slots_[free_slot]) SharedSlot();
  shared->heartbeat_ms = absl::ToUnixMillis(clock_.Now());
  const pid_t parent = getpid();
  std::fflush(nullptr);
  const pid_t pid = fork();
  if (pid < 0) return ErrnoStatus("fork");
  if (pid == 0) {
    // The parent may have died before the first line was reached.
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent) _exit(1);
    // Only SIGTERM is the worker's; Ctrl-C goes to the whole group, and the supervisor decides what
    // follows.
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGUSR1, SIG_IGN);
    sigset_t only_term;
    sigemptyset(&only_term);
    sigaddset(&only_term, SIGTERM);
    sigprocmask(SIG_SETMASK, &only_term, nullptr);
    WorkerParts parts{.number = socket + 1,
                      .listener = std::move(listeners_.sockets[socket]),
                      .control = std::move(theirs),
                      .slot = shared};
    ours.Reset();
    for (Fd& other : listeners_.sockets) other.Reset();
    for (Process& other : processes_) other.control.Reset();
    const int code = worker_main_(std::move(parts));
    std::fflush(nullptr);
    _exit(code);
  }
  processes_.push_back({.pid = pid,
                        .socket = socket,
                        .slot = free_slot,
                        .control = std::move(ours),
                        .started = clock_.Now()});
  return absl::OkStatus();
}

void Supervisor::Reap() {
  for (;;) {
    int status = 0;
    const pid_t pid = waitpid(-1, &status, WNOHANG);
    if (pid <= 0) return;
    const auto found = std::find_if(processes_.begin(), processes_.end(),
                                    [pid](const Process& process) { return process.pid == pid; });
    if (found == processes_.end()) continue;
    const Process process = std::move(*found);
    processes_.erase(found);
    OnExit(process, status);
  }
}

void Supervisor::OnExit(const Process& process, int status) {
  if (process.retiring || stopping_) return;
  if (WIFEXITED(status) && WEXITSTATUS(status) == kExitMisconfigured) {
    if (Serving(process.socket) != nullptr) {
      spdlog::error("SIGHUP: {}; the old workers stay", slot(process).failure);
      to_replace_.clear();
      reload_.roll_back();
      return;
    }
    failure_ = absl::FailedPreconditionError(slot(process).failure);
    BeginStop("misconfigured");
    return;
  }
  Socket& socket = sockets_[process.socket];
  const absl::Time now = clock_.Now();
  socket.failures = now - process.started < kEarlyEnd ? socket.failures + 1 : 0;
  const absl::Duration backoff = BackoffAfter(socket.failures);
  socket.start_at = now + backoff;
  spdlog::error(
      "worker {} (pid {}) {}; its successor starts {}", process.socket + 1, process.pid,
      ExitText(status),
      backoff == absl::ZeroDuration() ? "now" : absl::StrCat("in ", absl::FormatDuration(backoff)));
  if (backoff > absl::ZeroDuration() && Serving(process.socket) == nullptr) Lend(process.socket);
  // What it had borrowed goes to somebody else, if its worker is still away.
  for (const int borrowed : process.borrowed) {
    if (Serving(borrowed) == nullptr) Lend(borrowed);
  }
}

void Supervisor::CheckProcesses() {
  const absl::Time now = clock_.Now();
  // If the supervisor itself stood still, so did its workers (SIGSTOP of the group, a machine that
  // was suspended): they get time to show that they are alive.
  if (now - last_check_ > kOwnStallMax) judge_stalls_from_ = now + kOwnStallMax;
  last_check_ = now;
  for (Process& process : processes_) {
    const SharedSlot& shared = slot(process);
    const absl::Duration silent = now - absl::FromUnixMillis(shared.heartbeat_ms.load());
    if (silent > options_.stall_timeout && now >= judge_stalls_from_ &&
        process.kill_at == absl::InfiniteFuture()) {
      spdlog::error("worker {} (pid {}) has stalled for {}: killing it", process.socket + 1,
                    process.pid, absl::FormatDuration(silent));
      process.kill_at = now;
    }
    if (!process.ready_seen && shared.state == SharedSlot::State::kReady) {
      process.ready_seen = true;
      TakeBack(process.socket);
    }
  }
  if (!stopping_) {
    CheckReady();
    ReplaceNext();
  }
}

void Supervisor::CheckReady() {
  if (ready_told_) return;
  int ready = 0;
  for (int socket = 0; socket < options_.workers; ++socket) {
    const Process* const process = Serving(socket);
    if (process != nullptr && process->ready_seen) ++ready;
  }
  if (ready == options_.workers) {
    ready_told_ = true;
    if (!options_.ready_file.empty()) {
      if (absl::Status status = WriteReadyFile(options_.ready_file, listeners_.port);
          !status.ok()) {
        failure_ = status;
        BeginStop("cannot write the ready file");
        return;
      }
    }
    PrintTable("ready");
  } else if (!waiting_told_ && clock_.Now() - began_ > kPatience) {
    waiting_told_ = true;
    PrintTable("waiting for the channel server");
  }
}

void Supervisor::Lend(int socket) {
  for (Process& process : processes_) {
    if (process.retiring || process.socket == socket || !process.ready_seen) continue;
    SendSocket(process.control.get(), SocketCommand::kAdopt, socket,
               listeners_.sockets[socket].get());
    process.borrowed.push_back(socket);
    spdlog::info("worker {} serves worker {}'s connections meanwhile", process.socket + 1,
                 socket + 1);
    return;
  }
}

void Supervisor::TakeBack(int socket) {
  for (Process& process : processes_) {
    if (std::erase(process.borrowed, socket) == 0) continue;
    SendSocket(process.control.get(), SocketCommand::kRelease, socket, -1);
  }
}

void Supervisor::Retire(Process* process) {
  if (process->retiring) return;
  process->retiring = true;
  process->kill_at = clock_.Now() + options_.drain_time + kDrainGrace;
  kill(process->pid, SIGTERM);
}

void Supervisor::KillOverdue() {
  for (const Process& process : processes_) {
    if (process.kill_at > clock_.Now()) continue;
    if (process.retiring)
      spdlog::error("worker {} (pid {}) did not end in time: killing it", process.socket + 1,
                    process.pid);
    kill(process.pid, SIGKILL);
  }
}

void Supervisor::ReplaceAll() {
  if (stopping_) return;
  if (absl::Status status = reload_.take_up(); !status.ok()) {
    spdlog::error("SIGHUP: the configuration is not usable, nothing changes: {}",
                  std::string(status.message()));
    return;
  }
  spdlog::info("SIGHUP: replacing {} workers", options_.workers);
  to_replace_.clear();
  for (const Process& process : processes_) {
    if (!process.retiring) to_replace_.push_back(process.socket);
  }
}

// One worker at a time: the new one shares its predecessor's socket, and when it is ready the old
// one drains.
void Supervisor::ReplaceNext() {
  while (!to_replace_.empty()) {
    const int socket = to_replace_.back();
    Process* old = nullptr;
    Process* successor = nullptr;
    for (Process& process : processes_) {
      if (process.socket != socket || process.retiring) continue;
      (old == nullptr ? old : successor) = &process;
    }
    if (old == nullptr) {
      to_replace_.pop_back();  // it ended by itself, and its successor is new
    } else if (successor == nullptr) {
      if (sockets_[socket].start_at > clock_.Now()) return;
      if (absl::Status status = StartWorker(socket); !status.ok()) {
        spdlog::error("SIGHUP: {}; the old workers stay", std::string(status.message()));
        to_replace_.clear();
      }
      return;
    } else if (!successor->ready_seen) {
      return;
    } else {
      to_replace_.pop_back();
      Retire(old);
    }
  }
}

void Supervisor::BeginStop(absl::string_view why) {
  const absl::Time now = clock_.Now();
  if (stopping_) {
    spdlog::warn("{} again: not waiting for connections any more", std::string(why));
    for (Process& process : processes_) process.kill_at = now;
    return;
  }
  stopping_ = true;
  spdlog::info("{}: stopping {} workers", std::string(why), processes_.size());
  // New connections are refused from here on, and those in the backlogs are told.
  listeners_.sockets.clear();
  for (Process& process : processes_) Retire(&process);
}

Supervisor::Process* Supervisor::Serving(int socket) {
  for (Process& process : processes_) {
    if (process.socket == socket && !process.retiring) return &process;
  }
  return nullptr;
}

int Supervisor::FreeSlot() const {
  for (int i = 0; i < slot_count_; ++i) {
    if (std::none_of(processes_.begin(), processes_.end(),
                     [i](const Process& process) { return process.slot == i; })) {
      return i;
    }
  }
  return -1;
}

void Supervisor::PrintTable(absl::string_view status) const {
  const std::string listen = absl::StrCat("ws://", options_.bind_address, ":", listeners_.port);
  std::string text = absl::StrFormat("\n  %-20s %-26s %-10s %s\n", "service", "listen address",
                                     "processes", "status");
  absl::StrAppendFormat(&text, "  %-20s %-26s %-10s %s\n", "websocket_service", listen,
                        absl::StrCat("1 + ", options_.workers), status);
  absl::StrAppendFormat(&text, "\n  channel server: %s\n", options_.channel);
  if (!options_.pages.empty()) {
    absl::StrAppendFormat(&text, "  pages:          http://%s:%d/ (%s)\n", options_.bind_address,
                          listeners_.port, options_.pages);
  }
  if (status == "running") {
    absl::StrAppendFormat(&text,
                          "\n  %-8s %-8s %-10s %-12s %-10s %-12s %-12s %-8s %-6s %-6s %-10s %s\n",
                          "worker", "pid", "state", "connections", "groups", "memberships",
                          "deliveries", "errors", "gaps", "slow", "recovered", "lost");
    for (const Process& process : processes_) {
      const SharedSlot& shared = slot(process);
      const SharedSlot::State state = shared.state;
      absl::StrAppendFormat(
          &text, "  %-8d %-8d %-10s %-12d %-10d %-12d %-12d %-8d %-6d %-6d %-10d %d\n",
          process.socket + 1, process.pid,
          state == SharedSlot::State::kReady      ? "ready"
          : state == SharedSlot::State::kStarting ? "starting"
                                                  : "draining",
          shared.connections.load(), shared.groups.load(), shared.memberships.load(),
          shared.deliveries.load(), shared.errors.load(), shared.gaps.load(),
          shared.slow_consumers.load(), shared.recoveries.load(), shared.recoveries_lost.load());
    }
  }
  absl::StrAppendFormat(
      &text,
      "\n  stop: Ctrl-C or kill %d    replace workers: kill -HUP %d    numbers: kill -USR1 %d\n\n",
      getpid(), getpid(), getpid());
  std::fputs(text.c_str(), stderr);
}

}  // namespace groupcast::service
