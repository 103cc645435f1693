#ifndef GROUPCAST_SERVICES_PROCESS_POOL_LINK_H_
#define GROUPCAST_SERVICES_PROCESS_POOL_LINK_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/common/event_loop.h"
#include "services/common/logging.h"
#include "services/common/posix.h"
#include "services/common/token_bucket.h"

namespace groupcast::service {

// A worker's half of the pool. It accepts connections on the worker's own listening socket and on
// the sockets that the supervisor lends it. It tells the worker when to drain.
//
// It leaves the last descriptors of the process free: a worker that is full of connections must
// still be able to reach its channel. Connections wait in the kernel until others end. Those over
// the rate of accepts wait there too.
//
// Not thread-safe: it lives on its worker's loop, and makes its callbacks only from there.
class PoolLink {
 public:
  struct Callbacks {
    // A connection: a socket that does not block, and is closed on exec. The callback must not call
    // StopAccepting.
    std::function<void(Fd)> on_accepted;
    // SIGTERM has come. It may come again.
    std::function<void()> on_drain;
  };

  // `loop` must outlive it. `listener` is a listening socket; `control` is the worker's end of
  // socket_loan.h. `accept_rate` is for all sockets together; zero per second is no limit. SIGTERM
  // must be blocked.
  static absl::StatusOr<std::unique_ptr<PoolLink>> Create(EventLoop* loop, Fd listener, Fd control,
                                                          Callbacks callbacks,
                                                          const TokenRate& accept_rate = {});
  ~PoolLink();
  PoolLink(const PoolLink&) = delete;
  PoolLink& operator=(const PoolLink&) = delete;

  // The number of descriptors that stay free under a limit of open files.
  static int64_t Reserve(int64_t limit) { return std::min<int64_t>(limit / 4, 64); }

  // Accepts again on sockets that it stopped because the process had no free descriptors, or
  // because of the rate. The worker calls it on each tick.
  void RetryAccepts();

  // How often the rate has made connections wait.
  uint64_t accept_pauses() const { return accept_pauses_; }

  // Closes all listening sockets of this worker, and takes no further ones.
  void StopAccepting();

 private:
  class Acceptor;
  class Watch;

  PoolLink(EventLoop* loop, Callbacks callbacks, const TokenRate& accept_rate);
  absl::Status Start(Fd listener, Fd control);
  absl::Status Accept(int index, Fd socket);
  void OnSignal();
  void OnControl();
  bool MayAccept() const;
  void CountAccept();

  EventLoop* const loop_;
  const Callbacks callbacks_;
  const TokenRate accept_rate_;
  TokenBucket accept_tokens_;
  uint64_t accept_pauses_ = 0;
  LogLimit pause_log_limit_{absl::Minutes(1)};
  bool stopped_ = false;
  std::unique_ptr<Watch> signals_;
  std::unique_ptr<Watch> control_;
  std::map<int, std::unique_ptr<Acceptor>> acceptors_;  // by socket index; -1 is the worker's own
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_PROCESS_POOL_LINK_H_
