#ifndef GROUPCAST_SERVICES_HTTP_GATEWAY_GATEWAY_WORKER_H_
#define GROUPCAST_SERVICES_HTTP_GATEWAY_GATEWAY_WORKER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/channel/channel.h"
#include "services/common/clock.h"
#include "services/common/event_loop.h"
#include "services/common/heap_trim.h"
#include "services/common/logging.h"
#include "services/common/posix.h"
#include "services/connections/deadline_list.h"
#include "services/connections/flush_queue.h"
#include "services/connections/outbox_budget.h"
#include "services/connections/unfinished_pool.h"
#include "services/groups/group_service.h"
#include "services/http/origin_policy.h"
#include "services/http/pages.h"
#include "services/http_gateway/api_keys.h"
#include "services/http_gateway/connection.h"
#include "services/http_gateway/dashboard/service_watch.h"
#include "services/http_gateway/problem.h"
#include "services/process/pool_link.h"
#include "services/process/pool_table.h"
#include "services/process/shared_slot.h"
#include "services/worker_metrics/close_counts.h"
#include "services/worker_metrics/worker_timing.h"

namespace groupcast::service {

struct GatewayOptions {
  ConnectionOptions connection;
  GroupServiceOptions groups;
  OriginPolicy origins;
  // Must not be null.
  std::shared_ptr<const ApiKeys> api_keys = std::make_shared<const ApiKeys>();
  // Requests about groups need an API key or a token.
  bool needs_credentials = false;
  // The admin ports of the services that the dashboard shows.
  std::vector<ServiceAddress> services;
  // The files of the dashboard. Null: there is none.
  std::shared_ptr<const Pages> dashboard;
  // The service knows no credentials and is for this machine alone: who calls it directly may also
  // list all groups, and end connections.
  bool anyone_manages = false;

  // From the first byte of a request to its last, and for the peer to take an answer.
  absl::Duration request_timeout = absl::Seconds(30);
  // A connection without a request is closed after this time.
  absl::Duration idle_timeout = absl::Seconds(75);
  // How often a stream without messages gets a comment.
  absl::Duration heartbeat_interval = absl::Seconds(25);
  // The time over which a draining worker spreads the end of its streams, and for which it waits
  // for the answers of requests.
  absl::Duration drain_time = absl::Seconds(5);

  // Above it, the answer is 503.
  size_t connections_max = 20'000;
  // The memory of what waits to be written, of all connections. Over it, the worker closes the
  // worst consumers, as OutboxBudget chooses them.
  size_t outbox_total_bytes_max = 1u << 30;
  // The bytes of unfinished requests, and those of requests that wait for the channel. Over the
  // first, the worker closes connections as UnfinishedPool chooses them. Over the second, a request
  // is answered with 503.
  size_t unfinished_bytes_max = 64u << 20;
};

// One process of the gateway's pool. It accepts connections and serves them, on one thread and
// without locks. Create it after fork(2).
class GatewayWorker final : private ConnectionHost {
 public:
  using ChannelFactory =
      std::function<absl::StatusOr<std::unique_ptr<Channel>>(EventLoop*, ChannelListener*)>;

  // The columns of the counters in its slot.
  static std::vector<CounterColumn> Counters();

  // `listener` is a listening socket. `control` is the worker's end of socket_loan.h. `slot` must
  // outlive the worker.
  static absl::StatusOr<std::unique_ptr<GatewayWorker>> Create(const GatewayOptions& options,
                                                               const ChannelFactory& make_channel,
                                                               Fd listener, Fd control,
                                                               SharedSlot* slot);
  ~GatewayWorker();

  // Serves until SIGTERM, then drains. SIGTERM must be blocked. kFailedPrecondition: misconfigured.
  absl::Status Run();

 private:
  GatewayWorker(const GatewayOptions& options, SharedSlot* slot, std::unique_ptr<EventLoop> loop);
  absl::Status Start(const ChannelFactory& make_channel, Fd listener, Fd control);

  const ConnectionOptions& options() const override { return options_.connection; }
  GroupService& groups() override { return groups_; }
  Door door() const override {
    return {.origins = &options_.origins,
            .api_keys = options_.api_keys.get(),
            .needs_credentials = options_.needs_credentials,
            .knows_tokens = options_.groups.access.policy->tokens() != nullptr,
            .anyone_manages = options_.anyone_manages};
  }
  const ApiKeys& api_keys() const override { return *options_.api_keys; }
  absl::string_view why_not_ready() const override;
  bool is_draining() const override { return draining_; }
  bool is_surplus(const Connection& connection) const override {
    return connection.place >= options_.connections_max;
  }
  absl::string_view date() const override { return date_; }
  const Pages* dashboard() const override { return options_.dashboard.get(); }
  const std::string* AskServices(Connection* connection) override;
  void OnEndAsked(absl::string_view line, bool was_asked) override;
  void OnRequest(bool refused) override { ++(refused ? refused_ : requests_); }
  void OnError(absl::string_view code) override;
  void OnStream(int change) override { streams_ += change; }
  void OnStreamEnd(CloseCode code) override { closes_.Add(code); }
  void OnReceived(size_t bytes) override { received_bytes_ += bytes; }
  void OnSent(size_t bytes) override { sent_bytes_ += bytes; }
  void OnIdle(Connection* connection) override { idle_.Append(connection, loop_->now()); }
  void OnReading(Connection* connection) override { reading_.Append(connection, loop_->now()); }
  void OnAnswering(Connection* connection) override {
    static_cast<DeadlineNode*>(connection)->Unlink();
  }
  void OnWriting(Connection* connection) override { writing_.Append(connection, loop_->now()); }
  void OnStreaming(Connection* connection) override { streaming_.Append(connection, loop_->now()); }
  void OnClosing(Connection* connection) override { closing_.Append(connection, loop_->now()); }
  void OnTouched(Connection* connection, TrafficClass traffic_class) override {
    touched_.Add(connection, traffic_class);
  }
  bool MayHold(size_t bytes) const override;
  void OnHeld(int64_t change) override { held_bytes_ += change; }
  void OnUnfinished(Connection* connection, size_t bytes) override;

  void OnAccepted(Fd socket);
  void RelieveOutboxes();
  absl::Time FlushTouched();
  size_t Flush(Connection* connection);
  void Destroy(Connection* connection);
  void Tick();
  void CheckDeadlines();
  void Report();
  void BeginDrain();
  void DrainSome();
  void EndDrain();

  const GatewayOptions options_;
  SharedSlot* const slot_;
  MonotonicClock clock_;
  const CalendarClock calendar_;
  std::unique_ptr<EventLoop> loop_;
  WorkerTiming timing_;
  GroupService groups_;
  std::unique_ptr<Channel> channel_;
  std::unique_ptr<PoolLink> pool_;
  ServiceWatch services_;
  absl::flat_hash_set<Connection*> asking_;  // for the answer of services_

  // Before the connections, which leave them when they are destroyed.
  UnfinishedPool unfinished_;
  std::vector<std::unique_ptr<Connection>> connections_;
  FlushQueue touched_;
  uint64_t messages_before_round_ = 0;
  OutboxBudget outbox_budget_;
  HeapTrim heap_trim_;
  std::string date_;  // for answers, to the second
  int64_t held_bytes_ = 0;
  int64_t streams_ = 0;
  uint64_t requests_ = 0;
  uint64_t refused_ = 0;
  std::array<uint64_t, std::size(kOwnCodes)> own_errors_ = {};  // by the code
  uint64_t slow_consumers_ = 0;
  uint64_t received_bytes_ = 0;
  uint64_t sent_bytes_ = 0;
  CloseCounts closes_;
  uint64_t timeouts_ = 0;
  uint64_t over_connections_ = 0;
  uint64_t over_unfinished_ = 0;
  uint64_t over_outboxes_ = 0;
  LogLimit limit_log_;
  LogLimit refused_ends_log_;
  DeadlineList idle_;       // since they wait for a request
  DeadlineList reading_;    // since a request began
  DeadlineList writing_;    // since an answer was built
  DeadlineList streaming_;  // since the last heartbeat
  DeadlineList closing_;

  bool draining_ = false;
  absl::Time drain_began_;
  int64_t drain_streams_ = 0;
  bool gave_up_ = false;  // the drain time is over
  absl::Status failure_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_HTTP_GATEWAY_GATEWAY_WORKER_H_
