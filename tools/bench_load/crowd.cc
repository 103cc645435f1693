#include "tools/bench_load/crowd.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <new>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/common/posix.h"
#include "tools/bench_load/swarm.h"

namespace groupcast::bench {
namespace {

// How often processes look whether they are to end, and the parent whether they have joined.
constexpr int64_t kLookEveryNs = 20'000'000;

// All processes together, so that no listener's queue overflows.
constexpr uint32_t kHandshakesAtOnce = 1'024;

size_t RoundUpToPage(size_t bytes) {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return (bytes + page - 1) / page * page;
}

}  // namespace

// What the processes share. The parent writes the head, and each process its own part.
struct Crowd::Shared {
  enum class State : int { kJoining, kJoined, kFailed, kFinished };

  struct alignas(64) Part {
    std::atomic<State> state{State::kJoining};
    std::atomic<int64_t> has{0};
    // Valid once it has finished, as the error is once it has failed.
    Result result;
    char error[256] = {};
  };

  std::atomic<uint32_t> sent{0};
  std::atomic<bool> measuring{false};
  std::atomic<bool> finish{false};

  Part* part(uint32_t process) {
    return reinterpret_cast<Part*>(reinterpret_cast<char*>(this) + RoundUpToPage(sizeof(Shared)) +
                                   process * RoundUpToPage(sizeof(Part)));
  }
  static size_t Bytes(uint32_t processes) {
    return RoundUpToPage(sizeof(Shared)) + processes * RoundUpToPage(sizeof(Part));
  }
};

// One process of the crowd, whose connections are those from `first` on.
class Crowd::Reader final : private Swarm::Listener {
 public:
  Reader(const Options& options, uint32_t first, uint32_t count, uint32_t processes, Shared* shared,
         Shared::Part* part)
      : shared_(*shared),
        part_(*part),
        stream_(options.stream),
        check_(options.stream + 1),
        swarm_({.port = options.port,
                .dialect = options.dialect,
                .connections = count,
                .first_number = options.first_number + first,
                .first_group = [&options,
                                first](uint32_t number) { return options.group(first + number); },
                .handshakes_at_once = std::max(kHandshakesAtOnce / processes, 1u),
                .patience = options.patience}) {
    for (uint32_t number = 0; number < count; ++number) {
      joins_.push_back({number, options.group(first + number)});
      check_.AddMember({options.stream, 1});
    }
  }

  void Run() {
    absl::Status status = swarm_.Open();
    if (status.ok()) status = swarm_.Join(joins_);
    if (status.ok()) part_.state = Shared::State::kJoined;
    while (status.ok() && !shared_.finish) {
      swarm_.Poll(MonotonicNs() + kLookEveryNs, this);
      status = swarm_.status();
      if (swarm_.closed() > 0) {
        status.Update(absl::UnavailableError("the server closed a connection of the crowd"));
      }
    }
    if (!status.ok()) {
      const std::string text(status.message());
      std::strncpy(part_.error, text.c_str(), sizeof(part_.error) - 1);
      part_.state = Shared::State::kFailed;
      return;
    }
    CatchUp();
    part_.result.counts = check_.Finish();
    part_.state = Shared::State::kFinished;
  }

 private:
  void OnMessage(uint32_t connection, const Stamp& stamp, int64_t now_ns) override {
    CatchUp();
    const DeliveryCheck::Verdict verdict = check_.Receive(connection, stamp);
    if (shared_.measuring.load(std::memory_order_relaxed)) {
      ++part_.result.deliveries;
      part_.result.latency.Record(now_ns - stamp.sent_ns);
    }
    if (verdict == DeliveryCheck::Verdict::kDoubled || verdict == DeliveryCheck::Verdict::kStray) {
      return;
    }
    // Nobody else writes it.
    part_.has.store(++has_, std::memory_order_release);
  }

  // The check learns what has been sent; it was told here before it left.
  void CatchUp() {
    const uint32_t sent = shared_.sent.load(std::memory_order_acquire);
    for (; known_ < sent; ++known_) check_.Send(stream_);
  }

  Shared& shared_;
  Shared::Part& part_;
  const uint32_t stream_;
  DeliveryCheck check_;
  Swarm swarm_;
  std::vector<Swarm::Joining> joins_;
  uint32_t known_ = 0;
  int64_t has_ = 0;
};

Crowd::Crowd(const Options& options)
    : options_(options),
      process_count_((options.connections + options.connections_per_process - 1) /
                     options.connections_per_process) {}

Crowd::~Crowd() {
  for (const pid_t pid : processes_) kill(pid, SIGKILL);
  for (const pid_t pid : processes_) waitpid(pid, nullptr, 0);
  if (shared_ != nullptr) munmap(shared_, Shared::Bytes(process_count_));
}

absl::StatusOr<std::unique_ptr<Crowd>> Crowd::Start(const Options& options) {
  std::unique_ptr<Crowd> crowd(new Crowd(options));
  absl::Status status = crowd->Fork();
  if (status.ok()) status = crowd->WaitUntilJoined();
  if (!status.ok()) return status;
  return crowd;
}

absl::Status Crowd::Fork() {
  void* memory = mmap(nullptr, Shared::Bytes(process_count_), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return service::ErrnoStatus("mmap");
  shared_ = new (memory) Shared;
  const pid_t parent = getpid();
  for (uint32_t process = 0; process < process_count_; ++process) {
    Shared::Part* part = new (shared_->part(process)) Shared::Part;
    const auto bound = [&](uint32_t i) {
      return static_cast<uint32_t>(uint64_t{options_.connections} * i / process_count_);
    };
    const pid_t pid = fork();
    if (pid < 0) return service::ErrnoStatus("fork");
    if (pid > 0) {
      processes_.push_back(pid);
      continue;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == parent) {
      Reader(options_, bound(process), bound(process + 1) - bound(process), process_count_, shared_,
             part)
          .Run();
    }
    _exit(0);
  }
  return absl::OkStatus();
}

absl::Status Crowd::WaitUntilJoined() {
  const auto joined = [this] {
    for (uint32_t process = 0; process < process_count_; ++process) {
      if (shared_->part(process)->state == Shared::State::kJoining) return false;
    }
    return true;
  };
  // The processes themselves lose patience.
  while (!joined() && status().ok()) {
    const timespec pause{.tv_sec = 0, .tv_nsec = kLookEveryNs};
    nanosleep(&pause, nullptr);
  }
  return status();
}

uint32_t Crowd::Send() { return shared_->sent.fetch_add(1, std::memory_order_release); }

void Crowd::Measure() { shared_->measuring = true; }

int64_t Crowd::Has() const {
  int64_t has = 0;
  for (uint32_t process = 0; process < process_count_; ++process) {
    has += shared_->part(process)->has.load(std::memory_order_acquire);
  }
  return has;
}

absl::Status Crowd::status() const {
  for (uint32_t process = 0; process < process_count_; ++process) {
    const Shared::Part& part = *shared_->part(process);
    if (part.state == Shared::State::kFailed) {
      return absl::UnavailableError(absl::StrCat("in the crowd: ", part.error));
    }
    siginfo_t end{};
    if (part.state != Shared::State::kFinished &&
        waitid(P_PID, static_cast<id_t>(processes_[process]), &end, WEXITED | WNOHANG | WNOWAIT) ==
            0 &&
        end.si_pid != 0) {
      // It may have said why since.
      return absl::UnavailableError(absl::StrCat("a process of the crowd has ended ", part.error));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Crowd::Result> Crowd::Finish() {
  shared_->finish = true;
  Result all;
  for (const pid_t pid : std::exchange(processes_, {})) waitpid(pid, nullptr, 0);
  for (uint32_t process = 0; process < process_count_; ++process) {
    const Shared::Part& part = *shared_->part(process);
    if (part.state != Shared::State::kFinished) {
      return absl::UnavailableError(absl::StrCat("in the crowd: ", part.error));
    }
    all.counts += part.result.counts;
    all.deliveries += part.result.deliveries;
    all.latency.Add(part.result.latency);
  }
  return all;
}

}  // namespace groupcast::bench
