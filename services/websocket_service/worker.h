#ifndef GROUPCAST_SERVICES_WEBSOCKET_SERVICE_WORKER_H_
#define GROUPCAST_SERVICES_WEBSOCKET_SERVICE_WORKER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/channel/channel.h"
#include "services/common/clock.h"
#include "services/common/event_loop.h"
#include "services/common/heap_trim.h"
#include "services/common/logging.h"
#include "services/common/posix.h"
#include "services/common/token_bucket.h"
#include "services/connections/deadline_list.h"
#include "services/connections/flush_queue.h"
#include "services/connections/outbox_budget.h"
#include "services/connections/unfinished_pool.h"
#include "services/groups/group_service.h"
#include "services/groups/user_limits.h"
#include "services/http/origin_policy.h"
#include "services/http/pages.h"
#include "services/process/pool_counts.h"
#include "services/process/pool_link.h"
#include "services/process/shared_slot.h"
#include "services/websocket_service/connection/deflation.h"
#include "services/websocket_service/connection/handshake_gate.h"
#include "services/websocket_service/connection/limit.h"
#include "services/websocket_service/connection/read_gate.h"
#include "services/websocket_service/connection/session.h"
#include "services/websocket_service/http/refusal_log.h"
#include "services/websocket_service/proxy/forwarded.h"
#include "services/websocket_service/tls/certificate_watch.h"
#include "services/websocket_service/tls/tls_context.h"
#include "services/websocket_service/tls/tls_stream.h"
#include "services/worker_metrics/close_counts.h"
#include "services/worker_metrics/worker_timing.h"

namespace groupcast::service {

struct WorkerOptions {
  SessionOptions session;
  GroupServiceOptions groups;

  // The time from accept to the end of the handshake. After it, the worker drops the connection.
  absl::Duration handshake_timeout = absl::Seconds(10);
  // If a connection is silent for ping_interval, the worker sends a ping. If it stays silent for
  // pong_timeout after that, the worker closes it with 4002.
  absl::Duration ping_interval = absl::Seconds(25);
  absl::Duration pong_timeout = absl::Seconds(10);
  // The time over which a draining worker spreads the closing of its connections, and for which it
  // waits for the results of their sends.
  absl::Duration drain_time = absl::Seconds(5);

  // Above it, the worker answers a handshake with 503.
  size_t connections_max = 100'000;
  // Connections of one address to all workers of the service. Above it, the answer is 429. Zero is
  // no limit.
  uint32_t connections_per_address_max = 0;
  // New connections of this worker. Those over it wait in the kernel. Zero per second is no limit.
  TokenRate accept_rate;
  // The memory of all outboxes together. Over it, the worker closes consumers with 4001, as
  // OutboxBudget chooses them.
  size_t outbox_total_bytes_max = 1u << 30;
  // Clients may have permessage-deflate; texts of at least deflate_threshold_bytes are compressed.
  bool deflates = false;
  size_t deflate_threshold_bytes = 256;
  // The bound of the bytes of unfinished messages of all connections. Over it, the worker closes
  // connections with 1009, as UnfinishedPool chooses them.
  size_t unfinished_bytes_max = 64u << 20;
  // The bound of the bytes of commands that wait, and of the input behind them, of all connections.
  // While they have so many, the worker reads from no connection (ReadGate).
  size_t held_bytes_max = 64u << 20;

  // The proxies whose words about clients' addresses count.
  ProxyPolicy proxies;
  // Null: connections are plain. The worker takes up changed files by itself.
  std::shared_ptr<const TlsContext> tls;
  // TLS handshakes that may be under way. Further ones wait (HandshakeGate).
  size_t tls_handshakes_max = 512;

  // The web pages that may connect, and the hosts that requests may name.
  OriginPolicy origins;
  // Null: the worker serves no pages.
  std::shared_ptr<const Pages> pages;
};

// The memory that a worker shares with the others of its pool.
struct WorkerShare {
  SharedSlot* slot = nullptr;
  // Null: nothing is counted by address.
  PoolCounts* addresses = nullptr;
  // Null: nothing is counted by user.
  PoolCounts* user_connections = nullptr;
  PoolCounts* user_groups = nullptr;
  int table = 0;  // the worker's own, in each of them
};

// The counts of a pool, for its users.
class PoolUserCounts final : public UserCounts {
 public:
  PoolUserCounts(PoolCounts* counts, int table) : counts_(counts), table_(table) {}

  bool AddBelow(uint32_t max, uint64_t user) override {
    return counts_->AddBelow(max, user, table_);
  }
  void Remove(uint64_t user) override { counts_->Remove(user, table_); }

 private:
  PoolCounts* const counts_;
  const int table_;
};

// One process of the pool. It accepts connections and serves them, on one thread and without locks.
// Create it after fork(2).
class Worker final : private SessionHost {
 public:
  using ChannelFactory =
      std::function<absl::StatusOr<std::unique_ptr<Channel>>(EventLoop*, ChannelListener*)>;

  // With a limit for addresses, connections_max may not be above it.
  static constexpr size_t kConnectionsMaxWithAddresses = 110'000;

  // `listener` is a listening socket. `control` is the worker's end of socket_loan.h. The memory of
  // `share` must outlive the worker.
  static absl::StatusOr<std::unique_ptr<Worker>> Create(const WorkerOptions& options,
                                                        const ChannelFactory& make_channel,
                                                        Fd listener, Fd control,
                                                        const WorkerShare& share);
  ~Worker();

  // Serves until SIGTERM, then drains. SIGTERM must be blocked. kFailedPrecondition: misconfigured.
  absl::Status Run();

 private:
  Worker(const WorkerOptions& options, const WorkerShare& share, std::unique_ptr<EventLoop> loop);
  absl::Status Start(const ChannelFactory& make_channel, Fd listener, Fd control);

  const SessionOptions& session_options() const override { return options_.session; }
  HttpContext http_context() const override;
  const ProxyPolicy* proxies() const override {
    return options_.proxies.trusted.empty() ? nullptr : &options_.proxies;
  }
  Deflation* deflation() override { return deflation_.get(); }
  const std::shared_ptr<const TlsContext>& tls() const override { return certificate_.context(); }
  bool MayShakeHands(Session* session) override;
  TlsStream::Progress ShakeHands(TlsStream* tls) override;
  void OnTlsHandshakeEnds(Session* session) override;
  void OnAddress(Session* session) override;
  void OnRefusal(const HttpAnswer& answer, Session* session) override;
  void OnOpen(Session* session, absl::string_view token) override;
  bool OnText(Session* session, absl::string_view text) override;
  bool AllMayRead() const override;
  bool MayReadSmall(bool unseen) const override;
  bool MayRead(Session* session, size_t unfinished_bytes, size_t unseen_bytes) override;
  void WaitForTurn(Session* session, size_t unfinished_bytes) override;
  void WaitForRate(Session* session) override;
  void OnLimit(Limit limit) override { limits_.Add(limit); }
  void OnReadEnds(Session* session) override;
  void OnActivity(Session* session, size_t bytes) override;
  void OnSent(size_t bytes) override { sent_bytes_ += bytes; }
  void OnClose(CloseCode code) override { closes_.Add(code); }
  void OnClosing(Session* session) override;
  void OnTouched(Session* session, TrafficClass traffic_class) override;
  void OnUnfinished(Session* session, size_t bytes) override;
  void OnHeld(int64_t change, bool small) override;

  void OnAccepted(Fd socket);
  // Counts the session under its address. False: there are too many refused ones already.
  bool CountAddress(Session* session);
  void ReadOverRate();
  int64_t OutboxMemory() const;
  // Closes consumers if all outboxes together are over their bound.
  void RelieveOutboxes();
  absl::Time FlushTouched();
  size_t Flush(Session* session);
  void Destroy(Session* session);
  void Tick();
  void CheckDeadlines();
  // Loads the certificate anew if its files have changed. A draining worker needs none.
  void CheckCertificate() {
    if (!draining_) certificate_.Check(loop_->now());
  }
  // Begins the time of a turn for TLS handshakes, and goes on with those that have waited. Returns
  // whether there are more.
  bool ShakeWaitingHands();
  // Returns whether there are more to read.
  bool ReadWaiting();
  void Report();
  void BeginDrain();
  // Closes the connections whose commands are answered, of those that read no more commands.
  void FinishAnswered();
  void SayGoodbye(Session* session);
  void DrainSome();
  void EndDrain();

  const WorkerOptions options_;
  const WorkerShare share_;
  MonotonicClock clock_;
  const CalendarClock calendar_;
  std::unique_ptr<EventLoop> loop_;
  WorkerTiming timing_;
  PoolUserCounts user_connections_;
  PoolUserCounts user_groups_;
  GroupService groups_;
  std::unique_ptr<Channel> channel_;
  std::unique_ptr<PoolLink> pool_;

  std::unique_ptr<Deflation> deflation_;  // null: no client has permessage-deflate
  // Before the sessions, which leave them when they are destroyed.
  UnfinishedPool unfinished_;
  ReadGate gate_;
  HandshakeGate handshakes_;
  std::vector<std::unique_ptr<Session>> sessions_;
  FlushQueue touched_;
  uint64_t messages_before_round_ = 0;
  size_t open_count_ = 0;
  uint64_t slow_consumers_ = 0;
  uint64_t received_bytes_ = 0;
  uint64_t sent_bytes_ = 0;
  CloseCounts closes_;
  size_t over_address_limit_ = 0;  // sessions that wait to be told so
  LimitCounts limits_;
  OutboxBudget outbox_budget_;
  const int64_t memory_before_;  // of blocks that the worker found at its start, such as pages
  bool rate_timer_is_set_ = false;
  LogLimit outbox_log_limit_;
  LogLimit unfinished_log_limit_;
  HeapTrim heap_trim_;
  DeadlineList handshaking_;
  DeadlineList silent_;     // since their last input
  DeadlineList pinged_;     // since their ping
  DeadlineList finishing_;  // they read no more commands, since the last look at them
  DeadlineList closing_;

  bool draining_ = false;
  absl::Time drain_began_;
  size_t drain_total_ = 0;
  bool gave_up_ = false;  // the drain time is over
  CertificateWatch certificate_;
  RefusalLog refusal_log_;
  absl::Status failure_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_WEBSOCKET_SERVICE_WORKER_H_
