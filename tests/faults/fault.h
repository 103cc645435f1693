#ifndef GROUPCAST_TESTS_FAULTS_FAULT_H_
#define GROUPCAST_TESTS_FAULTS_FAULT_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <iterator>
#include <numeric>
#include <random>

namespace groupcast::tests {

enum class Fault {
  kKillWorker,  // SIGKILL; the supervisor starts another
  kStopWorker,  // SIGSTOP, and SIGCONT after up to 5 s
  kKillServer,  // SIGKILL of the channel server, and a new start within 2 s
  kStopServer,  // SIGSTOP of it, and SIGCONT after up to 5 s
  kCutLink,     // a connection between a worker and the channel server is closed
  kResetLink,   // the same with a RST
  kStallLink,   // its bytes stop for up to 5 s
  kCutClient,   // a client's connection is closed or reset
  kReload,      // SIGHUP of the WebSocket service: each worker drains and has a successor
  // The same for the HTTP gateway.
  kKillGatewayWorker,
  kStopGatewayWorker,
  kKillGateway,  // SIGKILL of the supervisor; all workers follow. A new start within 2 s
  kCutGatewayLink,
  kResetGatewayLink,
  kStallGatewayLink,
  kCutGatewayClient,  // a publisher's or a stream's
  kReloadGateway,
};

struct FaultKind {
  Fault fault;
  const char* name;
  double weight;  // how often it happens, beside the others
};
inline constexpr FaultKind kFaults[] = {
    {Fault::kKillWorker, "worker killed", 3},
    {Fault::kStopWorker, "worker stopped", 2},
    {Fault::kKillServer, "server killed", 3},
    {Fault::kStopServer, "server stopped", 1},
    {Fault::kCutLink, "link cut", 3},
    {Fault::kResetLink, "link reset", 3},
    {Fault::kStallLink, "link stalled", 2},
    {Fault::kCutClient, "client cut", 4},
    {Fault::kReload, "service reloaded", 1},
    {Fault::kKillGatewayWorker, "gateway worker killed", 3},
    {Fault::kStopGatewayWorker, "gateway worker stopped", 2},
    {Fault::kKillGateway, "gateway killed", 1},
    {Fault::kCutGatewayLink, "gateway link cut", 2},
    {Fault::kResetGatewayLink, "gateway link reset", 2},
    {Fault::kStallGatewayLink, "gateway link stalled", 2},
    {Fault::kCutGatewayClient, "gateway client cut", 4},
    {Fault::kReloadGateway, "gateway reloaded", 1},
};
inline constexpr size_t kFaultKinds = std::size(kFaults);

// Which faults happen, and how often each has happened: first each kind once, so that a short run
// has seen all, and then as their weights say.
class FaultMix {
 public:
  // By the place in kFaults.
  using Counts = std::array<int64_t, kFaultKinds>;

  explicit FaultMix(std::mt19937_64* random);

  // The next fault: a place in kFaults. Done follows.
  size_t Next();
  // False: there was nothing that it could be done to. It comes again later, if it has not happened
  // yet.
  void Done(size_t kind, bool has_happened);

  const Counts& counts() const { return counts_; }
  int64_t FaultsInAll() const {
    return std::accumulate(counts_.begin(), counts_.end(), int64_t{0});
  }

 private:
  std::mt19937_64* const random_;
  std::deque<size_t> first_kinds_;  // that have not happened yet
  Counts counts_ = {};
};

}  // namespace groupcast::tests

#endif  // GROUPCAST_TESTS_FAULTS_FAULT_H_
