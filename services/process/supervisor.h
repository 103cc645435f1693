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
#include "services/common/listener.h"
#include "services/common/posix.h"
#include "services/common/service_manager.h"
#include "services/process/pool_memory.h"
#include "services/process/pool_table.h"
#include "services/process/pool_view.h"
#include "services/process/shared_slot.h"
#include "services/process/wait_notice.h"

namespace groupcast::service {

// One kind of workers of a pool: one worker process for each listening socket.
struct WorkerKind {
  // A worker's inheritance. It owns both descriptors.
  struct Parts {
    int number = 0;  // within its kind, from 1; for its name in the log
    Fd listener;
    Fd control;  // the worker's end of socket_loan.h
    SharedSlot* slot = nullptr;
    int slot_number = 0;             // below Supervisor::SlotCount; no other live worker has it
    const PoolView* pool = nullptr;  // what all workers report; it outlives the worker
    // The service is starting, or reloads: an error of the configuration should be found. Otherwise
    // the configuration was usable before, and the worker should go on as far as it can.
    bool configuration_is_new = true;
  };

  std::string name;  // for the log and the table: "websocket"
  std::string url;   // for the table
  Listeners listeners;

  // Runs in the child, and returns the child's exit code: 0, or kExitMisconfigured with the reason
  // in the slot. Any other code is a failure that a successor may not have. So is a
  // misconfiguration without configuration_is_new.
  std::function<int(Parts)> main;

  // The columns of the slot's counters, in their order.
  std::vector<CounterColumn> counters;

  // It looks at the workers of the other kinds and serves no clients. So it is not in the table, a
  // reload does not replace it, it stays until the last of the others has drained, and no failure
  // of it stops the service.
  bool observes = false;

  // The worker with this slot_number has ended, its counters belong to its place, and nobody has
  // the slot yet. The kernel still has the process (a zombie). Null: nothing to do.
  std::function<void(int slot_number)> on_end;
};

struct SupervisorOptions {
  std::string service;  // the program's name, for the table

  // What workers wait for while they are not ready, or report it (SharedSlot::waits), and further
  // lines of the table. They are functions because a reload may change the answers. Observers find
  // the first in the memory (PoolMemory::SetWaitsFor).
  std::function<std::string()> waits_for = [] { return "its workers"; };
  std::function<std::vector<std::string>()> notes = [] { return std::vector<std::string>(); };

  // The supervisor calls it with the monotonic time in every turn, from the moment when all workers
  // have become ready. Null: no call.
  std::function<void(absl::Time)> when_ready;

  // The time for a worker to drain, at the worker's start. The supervisor kills a worker that takes
  // 1 s longer.
  std::function<absl::Duration()> drain_time = [] { return absl::Seconds(5); };

  // If a worker's loop does not turn for this time, the supervisor kills and replaces the worker.
  absl::Duration stall_timeout = absl::Seconds(10);

  // It hears of the pool's state, and that the supervisor's loop turns. Workers give it up. It must
  // outlive the supervisor. Null: nobody hears of it.
  ServiceManager* service_manager = nullptr;
};

// The parent of a pool of workers of one or more kinds. It forks a worker for each listening
// socket. It replaces a worker that ends with another of the same kind, and stops all workers at
// the end.
//
// It has one thread and makes plain system calls only, because a fork would break a thread, a lock
// or an event loop. It keeps all listening sockets, so the successor of a dead worker serves the
// connections that wait in its backlog. While the successor's start is delayed, the supervisor
// lends the socket to another worker of the same kind.
//
// Signals: SIGTERM and SIGINT drain and stop (a second one stops at once). SIGHUP replaces all
// workers one after the other. SIGUSR1 prints the table with the workers' numbers.
class Supervisor {
 public:
  // The effect of SIGHUP on the configuration of new workers.
  struct Reload {
    // Loads the new configuration. After an error it must not have changed anything, and the old
    // workers stay.
    std::function<absl::Status()> take_up;
    // All workers run with the configuration of the last take_up. The first configuration counts as
    // kept from the beginning.
    std::function<void()> keep = [] {};
    // Restores the configuration that was kept last: a worker could not work with the new one.
    std::function<void()> roll_back;
  };

  // kInvalidArgument: there is no kind that serves. Or a kind has no name, no main, not 1 to 255
  // sockets, or more than SharedSlot::kCountersMax counters.
  static absl::StatusOr<std::unique_ptr<Supervisor>> Create(SupervisorOptions options,
                                                            std::vector<WorkerKind> kinds,
                                                            Reload reload);
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  // The slots of a pool with this number of workers. A worker that drains keeps its slot while its
  // successor has another.
  static int SlotCount(int workers);

  // Runs until it is stopped. On return, no child is left. kFailedPrecondition: workers are
  // misconfigured.
  absl::Status Run();

 private:
  struct Process {
    pid_t pid = 0;
    int socket = 0;  // index in sockets_
    int slot = 0;
    Fd control;
    absl::Time started;
    absl::Duration drain_time;
    uint64_t configuration = 0;  // configuration_ at its start
    bool ready_seen = false;
    bool retiring = false;  // it drains, and gets no further successor
    absl::Time kill_at = absl::InfiniteFuture();
    bool kill_told = false;
    std::vector<int> borrowed;  // borrowed sockets: indexes in sockets_
  };
  // A listening socket of any kind, and the failures of its worker.
  struct Socket {
    int kind = 0;
    int index = 0;     // within its kind
    int failures = 0;  // early ends in a row
    absl::Time start_at = absl::InfinitePast();
  };

  Supervisor(SupervisorOptions options, std::vector<WorkerKind> kinds, Reload reload);

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
  void ReloadFailed(absl::string_view why);
  void RollBack();
  void CheckKept();
  void CheckReady();
  bool AllReady();
  void CheckReloaded();
  void CheckWaits();
  void BeginStop(absl::string_view why);
  // Ends the observers when they are alone.
  void RetireObservers();

  Process* Serving(int socket);
  int FreeSlot() const;
  Fd& listener(int socket) {
    return kinds_[sockets_[socket].kind].listeners.sockets[sockets_[socket].index];
  }
  // A reload's successor of `process` for the same socket, which is not ready yet.
  bool IsUnreadySuccessor(const Process& process);
  bool configuration_is_new() const { return !ready_told_ || !to_replace_.empty(); }
  bool Observes(int socket) const { return kinds_[sockets_[socket].kind].observes; }
  // The name of a socket's worker in the log: "worker 2", with several kinds "http worker 2".
  std::string NameOf(int socket) const;
  SharedSlot& slot(const Process& process) const { return memory_->slot(process.slot); }
  void PrintTable(absl::string_view status, bool with_workers = false) const;

  const SupervisorOptions options_;
  const Reload reload_;
  ServiceManager no_manager_;
  ServiceManager& manager_;
  std::vector<WorkerKind> kinds_;
  MonotonicClock clock_;
  sigset_t signals_;
  std::unique_ptr<PoolMemory> memory_;
  int slot_count_ = 0;
  std::vector<Process> processes_;
  std::vector<Socket> sockets_;  // their indexes are the places in memory_
  PoolView view_;
  size_t serving_kinds_ = 0;
  std::vector<int> to_replace_;  // sockets with workers that SIGHUP still has to replace
  uint64_t configuration_ = 0;   // grows with each that is taken up or restored
  uint64_t kept_ = 0;            // the last of them that all workers have run with
  bool ready_told_ = false;
  bool reloading_told_ = false;  // to the manager, which must learn of the end
  std::string reload_status_;    // for the manager, at the reload's end
  WaitNotice wait_notice_;
  bool waiting_told_ = false;
  bool stopping_ = false;
  absl::Time began_;
  absl::Time last_check_ = absl::InfiniteFuture();
  absl::Time judge_stalls_from_ = absl::InfinitePast();
  absl::Status failure_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_PROCESS_SUPERVISOR_H_
