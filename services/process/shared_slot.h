#ifndef GROUPCAST_SERVICES_PROCESS_SHARED_SLOT_H_
#define GROUPCAST_SERVICES_PROCESS_SHARED_SLOT_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace groupcast::service {

// A worker's report to its supervisor, in memory that both share. The supervisor maps it before
// fork(2) and resets it before each fork. After the fork the worker is its only writer, except for
// `pid` and `place`. Lock-free atomics are address-free, so they work between processes.
struct SharedSlot {
  enum class State : uint32_t { kStarting, kReady, kDraining };

  static constexpr size_t kCountersMax = 160;

  // The supervisor's: the process of the slot, and its place in PoolMemory. Pid 0: the slot is
  // free.
  std::atomic<int32_t> pid{0};
  std::atomic<int32_t> place{-1};

  std::atomic<State> state{State::kStarting};
  std::atomic<bool> waits{false};        // for what its pool cannot do without (waits_for)
  std::atomic<int64_t> heartbeat_ms{0};  // CLOCK_MONOTONIC, at the last turn of the worker's loop
  // The columns of the worker's kind, in their order (WorkerKind::counters).
  std::array<std::atomic<uint64_t>, kCountersMax> counters{};

  // The reason why the worker ends as misconfigured. It is written before the worker exits with
  // kExitMisconfigured.
  char failure[512] = {};

  void SetFailure(absl::string_view why) {
    const size_t size = why.copy(failure, sizeof(failure) - 1);
    failure[size] = '\0';
  }

  static_assert(std::atomic<uint64_t>::is_always_lock_free);
};

// The exit code of a misconfigured worker. Its successor would fail in the same way until the
// configuration changes (EX_CONFIG of sysexits.h).
inline constexpr int kExitMisconfigured = 78;

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_PROCESS_SHARED_SLOT_H_
