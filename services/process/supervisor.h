#ifndef GROUPCAST_SERVICES_PROCESS_SUPERVISOR_H_
#define GROUPCAST_SERVICES_PROCESS_SUPERVISOR_H_

#include <sys/types.h>

#include <csignal>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/common/clock.h"
#include "services/common/posix.h"
#include "services/process/listener.h"
#include "services/process/shared_slot.h"

namespace groupcast::service {

struct SupervisorOptions {
  int workers = 1;
  std::string bind_address = "127.0.0.1";
  std::string channel;     // for the table
  std::string pages;       // for the table; empty: none are served
  std::string ready_file;  // empty: none

  // How long workers may take to drain; those that take longer are killed a little later.
  absl::Duration drain_time = absl::Seconds(5);

  // A worker whose loop has not turned for so long is killed and replaced.
  absl::Duration stall_timeout = absl::Seconds(10);
};

// The parent of the pool: it forks a worker for each listening socket, replaces those that end, and
// stops them all.
//
// It has one thread and makes plain system calls only: nothing here has a thread, a lock or an
// event loop that a fork would tear apart. It keeps all listening sockets, so that connections
// which wait in the backlog of a worker that died are served by its successor; while that one is
// held back, another worker is lent the socket.
//
// Signals: SIGTERM and SIGINT drain and stop (a second one stops at once), SIGHUP replaces all
// workers one after the other, SIGUSR1 prints the table.
class Supervisor {
 public:
  // What a worker is born with. It owns both descriptors.
  struct WorkerParts {
    int number = 0;  // from 1, for its name in the log
    Fd listener;
    Fd control;
    SharedSlot* slot = nullptr;
  };
  // Runs in the child and returns its exit code: 0, or kExitMisconfigured with the reason in the
  // slot.
  using WorkerMain = std::function<int(WorkerParts)>;

  // What SIGHUP does to the configuration with which workers are born.
  struct Reload {
    // Takes up the new one. On an error it must not have changed anything; the old workers stay.
    std::function<absl::Status()> take_up;
    // Goes back to the one before: with the new one, a worker could not work.
    std::function<void()> roll_back;
  };

  static absl::StatusOr<std::unique_ptr<Supervisor>> Create(const SupervisorOptions& options,
                                                            Listeners listeners,
                                                            WorkerMain worker_main, Reload reload);
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  // Runs until stopped, with no child left. kFailedPrecondition: workers are misconfigured.
  absl::Status Run();

 private:
  struct Process {
    pid_t pid = 0;
    int socket = 0;  // index of its listening socket
    int slot = 0;
    Fd control;
    absl::Time started;
    bool ready_seen = false;
    bool retiring = false;  // it was told to drain; nobody is to replace it
    absl::Time kill_at = absl::InfiniteFuture();
    std::vector<int> borrowed;  // sockets that it was lent
  };
  struct Socket {
    int failures = 0;  // ends in a row that came early
    absl::Time start_at = absl::InfinitePast();
  };

  Supervisor(const SupervisorOptions& options, Listeners listeners, WorkerMain worker_main,
             Reload reload);

  absl::Status StartMissing();
  absl::Status StartWorker(int socket);
  void Reap();
  void OnExit(const Process& process, int status);
  void CheckProcesses();
  void Lend(int socket);
  void TakeBack(int socket);
  void Retire(Process* process);
  void KillOverdue();
  void ReplaceAll();
  void ReplaceNext();
  void CheckReady();
  void BeginStop(absl::string_view why);

  Process* Serving(int socket);
  int FreeSlot() const;
  SharedSlot& slot(const Process& process) const { return slots_[process.slot]; }
  void PrintTable(absl::string_view status) const;

  const SupervisorOptions options_;
  const WorkerMain worker_main_;
  const Reload reload_;
  Listeners listeners_;
  MonotonicClock clock_;
  sigset_t signals_;
  SharedSlot* slots_ = nullptr;
  int slot_count_ = 0;
  std::vector<Process> processes_;
  std::vector<Socket> sockets_;
  std::vector<int> to_replace_;  // sockets whose workers are to make way, on SIGHUP
  bool ready_told_ = false;
  bool waiting_told_ = false;
  bool stopping_ = false;
  absl::Time began_;
  absl::Time last_check_ = absl::InfiniteFuture();
  absl::Time judge_stalls_from_ = absl::InfinitePast();
  absl::Status failure_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_PROCESS_SUPERVISOR_H_
