#ifndef GROUPCAST_SERVICES_PROCESS_SHARED_SLOT_H_
#define GROUPCAST_SERVICES_PROCESS_SHARED_SLOT_H_

#include <atomic>
#include <cstdint>
#include <cstring>

#include "absl/strings/string_view.h"

namespace groupcast::service {

// What a worker tells its supervisor, in memory that both share: mapped before fork(2). One writer,
// the worker; the supervisor resets it before it forks. Lock-free atomics are address-free, so they
// work between processes.
struct SharedSlot {
  enum class State : uint32_t { kStarting, kReady, kDraining };

  std::atomic<State> state{State::kStarting};
  std::atomic<int64_t> heartbeat_ms{0};  // CLOCK_MONOTONIC, when its loop turned last
  std::atomic<uint64_t> connections{0};
  std::atomic<uint64_t> groups{0};
  std::atomic<uint64_t> memberships{0};
  std::atomic<uint64_t> commands{0};
  std::atomic<uint64_t> errors{0};
  std::atomic<uint64_t> messages{0};
  std::atomic<uint64_t> deliveries{0};
  std::atomic<uint64_t> gaps{0};
  std::atomic<uint64_t> recoveries{0};
  std::atomic<uint64_t> recoveries_lost{0};
  std::atomic<uint64_t> slow_consumers{0};

  // Why the worker ends as misconfigured; written before it exits with kExitMisconfigured.
  char failure[512] = {};

  void SetFailure(absl::string_view why) {
    const size_t size = why.copy(failure, sizeof(failure) - 1);
    failure[size] = '\0';
  }

  static_assert(std::atomic<uint64_t>::is_always_lock_free);
};

// A worker that exits so would fail again: the configuration must be changed (EX_CONFIG of
// sysexits.h).
inline constexpr int kExitMisconfigured = 78;

// One byte of command, one of the socket's index; the socket itself comes along with kAdopt
// (SCM_RIGHTS).
enum class SocketCommand : uint8_t {
  kAdopt = 'a',    // accept on this socket too, whose worker is away
  kRelease = 'r',  // its worker is back
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_PROCESS_SHARED_SLOT_H_
