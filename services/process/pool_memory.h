#ifndef GROUPCAST_SERVICES_PROCESS_POOL_MEMORY_H_
#define GROUPCAST_SERVICES_PROCESS_POOL_MEMORY_H_

#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/process/shared_slot.h"

namespace groupcast::service {

// The memory that a supervisor shares with its workers: the slot of each process, and what it
// remembers of each place. A place is a worker's number within its kind: its processes follow each
// other, and their counters add up.
//
// The supervisor is the only writer, except that a process writes its own slot. Any process of the
// pool may read it at any time (Read).
class PoolMemory {
 public:
  using Counters = std::array<uint64_t, SharedSlot::kCountersMax>;

  // The bytes of `waits_for` that the memory keeps. The rest is cut.
  static constexpr size_t kWaitsForMax = 1'024;

  // A living process, as its slot says.
  struct Process {
    pid_t pid = 0;
    SharedSlot::State state{};
    bool waits = false;
    absl::Time last_turn;  // of its loop; monotonic
    Counters counters{};
  };
  struct Place {
    // The sums of the counters of the processes that have ended. They mean nothing for counters
    // that do not only grow.
    Counters ended{};
    double ended_cpu_seconds = 0;
    uint64_t restarts = 0;  // successors of processes that ended by themselves
    std::vector<Process> processes;
  };
  struct Contents {
    bool stopping = false;
    std::string waits_for;  // as SetWaitsFor has it
    std::vector<Place> places;
    // Grows with each start and end of a process, and with SetWaitsFor.
    uint64_t version = 0;
  };

  // Maps the memory. Call it before the fork.
  static absl::StatusOr<std::unique_ptr<PoolMemory>> Create(int places, int slots);
  ~PoolMemory();
  PoolMemory(const PoolMemory&) = delete;
  PoolMemory& operator=(const PoolMemory&) = delete;

  SharedSlot& slot(int slot) const { return slots_[slot]; }

  // For the supervisor. Before the fork: a fresh slot.
  SharedSlot* Reset(int slot, absl::Time now);
  // After the fork: the slot is that of a living process.
  void Begin(int slot, int place, pid_t pid);
  // The process has ended: its counters become part of its place, and the slot is free.
  void End(int slot, double cpu_seconds);
  void CountRestart(int place);
  // What workers wait for while they are not ready. A reload may change it, and a process that was
  // forked before would not know.
  void SetWaitsFor(absl::string_view waits_for);
  void SetStopping() { header_->stopping.store(true, std::memory_order_relaxed); }

  // A picture without a process that is counted twice, or not at all.
  Contents Read() const;
  // As in Contents.
  uint64_t version() const { return header_->version.load(std::memory_order_acquire); }

 private:
  struct Header {
    // Odd while the supervisor changes which processes there are, or what they wait for. A reader
    // reads again if it has changed.
    std::atomic<uint64_t> version;
    std::atomic<bool> stopping;
    std::atomic<size_t> waits_for_size;
    std::array<std::atomic<char>, kWaitsForMax> waits_for;
  };
  struct SharedPlace {
    std::array<std::atomic<uint64_t>, SharedSlot::kCountersMax> ended;
    std::atomic<uint64_t> ended_cpu_us;
    std::atomic<uint64_t> restarts;
  };
  class Change;

  PoolMemory(char* memory, size_t bytes, int places, int slots);
  static size_t SlotsAt(int places);

  char* const memory_;
  const size_t bytes_;
  const int place_count_;
  const int slot_count_;
  Header* const header_;
  SharedPlace* const places_;
  SharedSlot* const slots_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_PROCESS_POOL_MEMORY_H_
