#include "services/process/supervisor.h"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/common/logging.h"
#include "services/process/ended_child.h"
#include "services/process/socket_loan.h"
#include "spdlog/spdlog.h"

namespace groupcast::service {
namespace {

// The index of a socket takes one byte in a message to a worker.
constexpr size_t kWorkersMax = 255;

// A worker that drains keeps its slot, while its successor and that one's may have theirs.
constexpr int kSlotsPerWorker = 4;

// How often it looks after its workers when no signal comes.
constexpr absl::Duration kPeriod = absl::Milliseconds(100);

// A worker that ends sooner than this has failed to start, as it were: its successor is held back.
constexpr absl::Duration kEarlyEnd = absl::Seconds(5);
constexpr absl::Duration kBackoffMin = absl::Milliseconds(100);
constexpr absl::Duration kBackoffMax = absl::Seconds(5);

// What a worker gets beyond its drain time before it is killed.
constexpr absl::Duration kDrainGrace = absl::Seconds(1);

// After a longer pause of the supervisor itself, it does not blame the workers.
constexpr absl::Duration kOwnStallMax = absl::Seconds(1);

// If the workers are not ready after this time, the table names the reason (waits_for).
constexpr absl::Duration kPatience = absl::Seconds(2);

absl::Duration BackoffAfter(int failures) {
  // The first early end may be an accident.
  if (failures <= 1) return absl::ZeroDuration();
  return std::min(kBackoffMax, kBackoffMin * (1 << std::min(failures - 2, 10)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Supervisor>> Supervisor::Create(SupervisorOptions options,
                                                               std::vector<WorkerKind> kinds,
                                                               Reload reload) {
  if (std::all_of(kinds.begin(), kinds.end(),
                  [](const WorkerKind& kind) { return kind.observes; })) {
    return absl::InvalidArgumentError("a pool needs a kind of workers that serve");
  }
  for (const WorkerKind& kind : kinds) {
    const size_t workers = kind.listeners.sockets.size();
    if (kind.name.empty() || kind.main == nullptr || workers < 1 || workers > kWorkersMax ||
        kind.counters.size() > SharedSlot::kCountersMax) {
      return absl::InvalidArgumentError(
          absl::StrCat("the kind of workers \"", kind.name, "\" is not well-formed"));
    }
  }
  std::unique_ptr<Supervisor> supervisor(
      new Supervisor(std::move(options), std::move(kinds), std::move(reload)));
  absl::StatusOr<std::unique_ptr<PoolMemory>> memory =
      PoolMemory::Create(static_cast<int>(supervisor->sockets_.size()), supervisor->slot_count_);
  if (!memory.ok()) return memory.status();
  supervisor->memory_ = *std::move(memory);
  supervisor->memory_->SetWaitsFor(supervisor->options_.waits_for());
  supervisor->view_.memory = supervisor->memory_.get();
  return supervisor;
}

Supervisor::Supervisor(SupervisorOptions options, std::vector<WorkerKind> kinds, Reload reload)
    : options_(std::move(options)),
      reload_(std::move(reload)),
      manager_(options_.service_manager == nullptr ? no_manager_ : *options_.service_manager),
      kinds_(std::move(kinds)) {
  for (size_t kind = 0; kind < kinds_.size(); ++kind) {
    for (size_t index = 0; index < kinds_[kind].listeners.sockets.size(); ++index) {
      sockets_.push_back({.kind = static_cast<int>(kind), .index = static_cast<int>(index)});
      view_.places.push_back({.number = static_cast<int>(index) + 1,
                              .columns = &kinds_[kind].counters,
                              .observes = kinds_[kind].observes});
    }
    if (!kinds_[kind].observes) ++serving_kinds_;
  }
  slot_count_ = SlotCount(static_cast<int>(sockets_.size()));
  sigemptyset(&signals_);
  for (const int signal : {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGUSR1}) sigaddset(&signals_, signal);
}

int Supervisor::SlotCount(int workers) { return workers * kSlotsPerWorker; }

Supervisor::~Supervisor() = default;

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
        PrintTable("running", /*with_workers=*/true);
        break;
      default:
        break;
    }
    Reap();
    CheckProcesses();
    KillOverdue();
    manager_.OnTurn(clock_.Now());
  }
  sigprocmask(SIG_SETMASK, &before, nullptr);
  return failure_;
}

absl::Status Supervisor::StartMissing() {
  for (int socket = 0; socket < static_cast<int>(sockets_.size()); ++socket) {
    if (Serving(socket) != nullptr || sockets_[socket].start_at > clock_.Now()) continue;
    if (absl::Status status = StartWorker(socket); !status.ok()) {
      if (!Observes(socket)) return status;
      spdlog::error("{}: {}", NameOf(socket), std::string(status.message()));
      sockets_[socket].start_at = clock_.Now() + kBackoffMax;
    }
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
  SharedSlot* const shared = memory_->Reset(free_slot, clock_.Now());
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) return ErrnoStatus("fork");
  if (pid == 0) {
    // The parent may have died before the first line was reached.
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent) _exit(1);
    manager_.Disown();
    // The worker gets only SIGTERM. Ctrl-C goes to the whole process group, and the supervisor
    // decides how to stop.
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGUSR1, SIG_IGN);
    sigset_t only_term;
    sigemptyset(&only_term);
    sigaddset(&only_term, SIGTERM);
    sigprocmask(SIG_SETMASK, &only_term, nullptr);
    WorkerKind::Parts parts{.number = sockets_[socket].index + 1,
                            .listener = std::move(listener(socket)),
                            .control = std::move(theirs),
                            .slot = shared,
                            .slot_number = free_slot,
                            .pool = &view_,
                            .configuration_is_new = configuration_is_new()};
    ours.Reset();
    for (WorkerKind& kind : kinds_) kind.listeners.sockets.clear();
    for (Process& other : processes_) other.control.Reset();
    _exit(kinds_[sockets_[socket].kind].main(std::move(parts)));
  }
  memory_->Begin(free_slot, socket, pid);
  processes_.push_back({.pid = pid,
                        .socket = socket,
                        .slot = free_slot,
                        .control = std::move(ours),
                        .started = clock_.Now(),
                        .drain_time = options_.drain_time(),
                        .configuration = configuration_});
  return absl::OkStatus();
}

void Supervisor::Reap() {
  while (const std::optional<EndedChild> child = FindEndedChild()) {
    const auto found =
        std::find_if(processes_.begin(), processes_.end(),
                     [&child](const Process& process) { return process.pid == child->pid; });
    if (found == processes_.end()) {
      ReapChild(*child);
      continue;
    }
    const Process process = std::move(*found);
    processes_.erase(found);
    // Readers take its CPU time from /proc until the memory has it. Reaped earlier, it would be
    // missing in between, and a counter would fall.
    memory_->End(process.slot, child->cpu_seconds);
    if (const WorkerKind& kind = kinds_[sockets_[process.socket].kind]; kind.on_end != nullptr) {
      kind.on_end(process.slot);
    }
    OnExit(process, ReapChild(*child));
  }
}

void Supervisor::OnExit(const Process& process, int status) {
  if (process.retiring || stopping_) return;
  if (WIFEXITED(status) && WEXITSTATUS(status) == kExitMisconfigured && configuration_is_new() &&
      !Observes(process.socket) && process.configuration == configuration_) {
    if (to_replace_.empty()) {
      failure_ = absl::FailedPreconditionError(slot(process).failure);
      BeginStop("misconfigured");
      return;
    }
    ReloadFailed(absl::StrCat(slot(process).failure, "; the old workers stay"));
    RollBack();
    if (Serving(process.socket) != nullptr) return;
  }
  Socket& socket = sockets_[process.socket];
  const absl::Time now = clock_.Now();
  socket.failures = now - process.started < kEarlyEnd ? socket.failures + 1 : 0;
  const absl::Duration backoff = BackoffAfter(socket.failures);
  socket.start_at = now + backoff;
  memory_->CountRestart(process.socket);
  spdlog::error(
      "{} (pid {}) {}; its successor starts {}", NameOf(process.socket), process.pid,
      ExitText(status),
      backoff == absl::ZeroDuration() ? "now" : absl::StrCat("in ", absl::FormatDuration(backoff)));
  if (backoff > absl::ZeroDuration() && Serving(process.socket) == nullptr) Lend(process.socket);
  // If the worker of a borrowed socket still does not run, another worker borrows the socket.
  for (const int borrowed : process.borrowed) {
    if (Serving(borrowed) == nullptr) Lend(borrowed);
  }
}

void Supervisor::CheckProcesses() {
  const absl::Time now = clock_.Now();
  // If the supervisor itself stood still, so did its workers (SIGSTOP of the group, a suspended
  // machine). They get time to show that they are alive.
  if (now - last_check_ > kOwnStallMax) judge_stalls_from_ = now + kOwnStallMax;
  last_check_ = now;
  for (Process& process : processes_) {
    const SharedSlot& shared = slot(process);
    const absl::Duration silent = now - absl::FromUnixMillis(shared.heartbeat_ms.load());
    if (silent > options_.stall_timeout && now >= judge_stalls_from_ &&
        process.kill_at == absl::InfiniteFuture()) {
      spdlog::error("{} (pid {}) has stalled for {}: killing it", NameOf(process.socket),
                    process.pid, absl::FormatDuration(silent));
      process.kill_at = now;
    }
    if (!process.ready_seen && shared.state == SharedSlot::State::kReady) {
      process.ready_seen = true;
      TakeBack(process.socket);
    }
  }
  if (stopping_) return RetireObservers();
  CheckReady();
  CheckWaits();
  ReplaceNext();
  CheckKept();
  CheckReloaded();
}

void Supervisor::CheckReady() {
  if (ready_told_) {
    if (options_.when_ready != nullptr) options_.when_ready(clock_.Now());
    return;
  }
  if (AllReady()) {
    ready_told_ = true;
    if (options_.when_ready != nullptr) options_.when_ready(clock_.Now());
    PrintTable("ready");
    manager_.Ready("ready");
  } else if (!waiting_told_ && clock_.Now() - began_ > kPatience) {
    waiting_told_ = true;
    const std::string status = absl::StrCat("waiting for ", options_.waits_for());
    PrintTable(status);
    manager_.Status(status);
  }
}

bool Supervisor::AllReady() {
  for (int socket = 0; socket < static_cast<int>(sockets_.size()); ++socket) {
    if (Observes(socket)) continue;
    const Process* const process = Serving(socket);
    if (process == nullptr || !process->ready_seen) return false;
  }
  return true;
}

// A reload ends when no worker is left to replace, with the new configuration or with the old one.
void Supervisor::CheckReloaded() {
  if (!reloading_told_ || !to_replace_.empty() || !AllReady()) return;
  reloading_told_ = false;
  manager_.Ready(reload_status_);
}

void Supervisor::CheckWaits() {
  size_t serving = 0;
  size_t waiting = 0;
  for (const Process& process : processes_) {
    if (Observes(process.socket)) continue;
    ++serving;
    if (!process.retiring && slot(process).waits) ++waiting;
  }
  const std::optional<std::string> line =
      wait_notice_.Observe(waiting, serving, options_.waits_for, clock_.Now());
  if (!line.has_value()) return;
  spdlog::warn("{}", *line);
  manager_.Status(*line);
}

void Supervisor::Lend(int socket) {
  for (Process& process : processes_) {
    if (process.retiring || process.socket == socket || !process.ready_seen) continue;
    if (sockets_[process.socket].kind != sockets_[socket].kind) continue;
    LendSocket(process.control.get(), sockets_[socket].index, listener(socket).get());
    process.borrowed.push_back(socket);
    spdlog::info("{} serves {}'s connections meanwhile", NameOf(process.socket), NameOf(socket));
    return;
  }
}

void Supervisor::TakeBack(int socket) {
  for (Process& process : processes_) {
    if (std::erase(process.borrowed, socket) == 0) continue;
    TakeSocketBack(process.control.get(), sockets_[socket].index);
  }
}

void Supervisor::Retire(Process* process) {
  if (process->retiring) return;
  process->retiring = true;
  process->kill_at = clock_.Now() + process->drain_time + kDrainGrace;
  kill(process->pid, SIGTERM);
  // It stops accepting also on the sockets that it was lent.
  for (const int socket : std::exchange(process->borrowed, {})) {
    if (!stopping_ && Serving(socket) == nullptr) Lend(socket);
  }
}

void Supervisor::KillOverdue() {
  for (Process& process : processes_) {
    if (process.kill_at > clock_.Now()) continue;
    // It may take a while until the kernel ends it.
    if (!std::exchange(process.kill_told, true) && process.retiring)
      spdlog::error("{} (pid {}) did not end in time: killing it", NameOf(process.socket),
                    process.pid);
    kill(process.pid, SIGKILL);
  }
}

void Supervisor::ReplaceAll() {
  if (stopping_) return;
  if (ready_told_) {
    reloading_told_ = true;
    reload_status_ = "ready, with the configuration of the last reload";
    manager_.Reloading("replacing the workers", clock_.Now());
  }
  if (absl::Status status = reload_.take_up(); !status.ok()) {
    ReloadFailed(
        absl::StrCat("the configuration is not usable, nothing changes: ", status.message()));
    return;
  }
  spdlog::info("SIGHUP: replacing {} workers",
               std::count_if(view_.places.begin(), view_.places.end(),
                             [](const PoolView::Place& place) { return !place.observes; }));
  ++configuration_;
  memory_->SetWaitsFor(options_.waits_for());
  // Successors of an earlier SIGHUP that are not ready may wait for ever: their configuration may
  // be what this one mends.
  for (Process& process : processes_) {
    if (IsUnreadySuccessor(process)) Retire(&process);
  }
  to_replace_.clear();
  for (const Process& process : processes_) {
    if (!process.retiring && !Observes(process.socket)) to_replace_.push_back(process.socket);
  }
}

bool Supervisor::IsUnreadySuccessor(const Process& process) {
  return !process.retiring && !process.ready_seen && Serving(process.socket) != &process;
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
        ReloadFailed(absl::StrCat(status.message(), "; the old workers stay"));
        RollBack();
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

void Supervisor::ReloadFailed(absl::string_view why) {
  spdlog::error("SIGHUP: {}", std::string(why));
  reload_status_ = absl::StrCat("ready; the last reload failed: ", why);
}

void Supervisor::RollBack() {
  to_replace_.clear();
  ++configuration_;
  reload_.roll_back();
  memory_->SetWaitsFor(options_.waits_for());
}

void Supervisor::CheckKept() {
  if (kept_ == configuration_ || !to_replace_.empty()) return;
  for (int socket = 0; socket < static_cast<int>(sockets_.size()); ++socket) {
    if (Observes(socket)) continue;
    const Process* const process = Serving(socket);
    if (process == nullptr || !process->ready_seen || process->configuration != configuration_) {
      return;
    }
  }
  kept_ = configuration_;
  reload_.keep();
}

void Supervisor::BeginStop(absl::string_view why) {
  const absl::Time now = clock_.Now();
  if (stopping_) {
    spdlog::warn("{} again: not waiting for connections any more", std::string(why));
    for (Process& process : processes_) process.kill_at = now;
    return;
  }
  stopping_ = true;
  memory_->SetStopping();
  spdlog::info("{}: stopping {} workers", std::string(why),
               std::count_if(processes_.begin(), processes_.end(),
                             [this](const Process& process) { return !Observes(process.socket); }));
  manager_.Stopping(failure_.ok() ? "draining" : failure_.message());
  // New connections are refused from here on, and the connections in the backlogs are reset.
  for (WorkerKind& kind : kinds_) kind.listeners.sockets.clear();
  for (Process& process : processes_) {
    if (!Observes(process.socket)) Retire(&process);
  }
}

void Supervisor::RetireObservers() {
  for (const Process& process : processes_) {
    if (!Observes(process.socket)) return;
  }
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

std::string Supervisor::NameOf(int socket) const {
  const std::string name = absl::StrCat("worker ", sockets_[socket].index + 1);
  const WorkerKind& kind = kinds_[sockets_[socket].kind];
  return serving_kinds_ == 1 && !kind.observes ? name : absl::StrCat(kind.name, " ", name);
}

void Supervisor::PrintTable(absl::string_view status, bool with_workers) const {
  PoolTable table{.service = options_.service,
                  .status = std::string(status),
                  .notes = options_.notes(),
                  .with_workers = with_workers,
                  .supervisor = getpid()};
  std::vector<size_t> places(kinds_.size());  // of the kinds in the table
  for (size_t i = 0; i < kinds_.size(); ++i) {
    const WorkerKind& kind = kinds_[i];
    if (kind.observes) continue;
    places[i] = table.kinds.size();
    table.kinds.push_back({.name = kind.name, .url = kind.url, .columns = kind.counters});
  }
  for (int socket = 0; socket < static_cast<int>(sockets_.size()); ++socket) {
    if (!Observes(socket)) ++table.kinds[places[sockets_[socket].kind]].processes;
  }
  for (const Process& process : processes_) {
    if (Observes(process.socket)) continue;
    const Socket& socket = sockets_[process.socket];
    const SharedSlot& shared = slot(process);
    PoolTable::Worker worker{
        .number = socket.index + 1, .pid = process.pid, .state = shared.state.load()};
    for (size_t i = 0; i < kinds_[socket.kind].counters.size(); ++i) {
      worker.counters.push_back(shared.counters[i].load());
    }
    table.kinds[places[socket.kind]].workers.push_back(std::move(worker));
  }
  // A reader of JSON wants one line at the start, and no table.
  if (log_format() == LogFormat::kJson && !with_workers) {
    return spdlog::info("{}", FormatPoolSummary(table));
  }
  PrintLines(FormatPoolTable(table));
}

}  // namespace groupcast::service
