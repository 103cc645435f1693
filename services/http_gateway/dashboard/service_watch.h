#ifndef GROUPCAST_SERVICES_HTTP_GATEWAY_DASHBOARD_SERVICE_WATCH_H_
#define GROUPCAST_SERVICES_HTTP_GATEWAY_DASHBOARD_SERVICE_WATCH_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/common/event_loop.h"
#include "services/http_gateway/dashboard/admin_fetch.h"

namespace groupcast::service {

// Reads a list of admin ports: "HOST:PORT" with commas between them. A host is an IP address, in
// brackets if it is IPv6, or localhost. kInvalidArgument: the message begins with `name`.
absl::StatusOr<std::vector<ServiceAddress>> ReadServiceAddresses(absl::string_view name,
                                                                 absl::string_view list);

// Adds a service, unless it is among them.
void AddService(const ServiceAddress& service, std::vector<ServiceAddress>* services);

struct ServiceWatchOptions {
  static constexpr size_t kServicesMax = 64;

  std::vector<ServiceAddress> services;
  // A service that has not answered after this time is not up.
  absl::Duration timeout = absl::Seconds(1);
  // The services are asked no more often than this.
  absl::Duration interval = absl::Seconds(1);
  // The metrics of one service, and those of all. Those above it are left out, and the answer says
  // so.
  size_t metrics_bytes_max = 1u << 20;
  size_t total_bytes_max = 16u << 20;
};

// Asks the admin ports of services how they are. All who ask at the same time share one round of
// questions, and its answer for a second. While nobody asks, no service is asked.
//
// The answer is JSON:
//
//   {"at":1792742400123,"services":[{"address":"127.0.0.1:9234","up":true,"ready":true,
//                                    "metrics":{…}}]}
//
// `at` is the time of the round in milliseconds since 1970. `metrics` is that of MetricsJson. A
// service that is not up, not ready or not understood has a `reason`, which is the end of a
// sentence.
//
// Not thread-safe.
class ServiceWatch {
 public:
  // `loop` must outlive it.
  ServiceWatch(ServiceWatchOptions options, EventLoop* loop);
  ~ServiceWatch();

  // Begins a round if the last answer is too old. Returns the answer, or null: OnAnswer has it
  // later.
  const std::string* Ask();
  // Called once after each round that Ask has begun, in a turn of the loop.
  void OnAnswer(std::function<void(const std::string& json)> take) { take_ = std::move(take); }

 private:
  struct Question {
    std::unique_ptr<AdminFetch> ready;
    std::unique_ptr<AdminFetch> metrics;
    bool is_done() const { return ready->is_done() && metrics->is_done(); }
  };

  void BeginRound();
  void EndRound();
  std::string Describe(const ServiceAddress& service, const Question& question,
                       size_t* bytes_left) const;

  const ServiceWatchOptions options_;
  EventLoop* const loop_;
  std::function<void(const std::string&)> take_;
  std::vector<Question> questions_;  // of the present round, as options_.services; empty: no round
  uint64_t round_ = 0;
  absl::Time began_ = absl::InfinitePast();  // the last round, by the loop's clock
  absl::Time asked_at_;                      // the same on the wall
  std::string answer_;
  // For work that the loop has of it when it is destroyed.
  std::shared_ptr<ServiceWatch*> self_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_HTTP_GATEWAY_DASHBOARD_SERVICE_WATCH_H_
