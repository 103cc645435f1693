#include "services/process/admin_worker.h"

#include <sys/prctl.h>

#include <csignal>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/common/clock.h"
#include "services/common/logging.h"
#include "services/common/version.h"
#include "services/metrics/admin_server.h"
#include "services/metrics/families.h"
#include "services/process/pool_metrics.h"
#include "spdlog/spdlog.h"

namespace groupcast::service {
namespace {

std::string MetricsText(const AdminWorkerOptions& options, const PoolView& pool) {
  Families families;
  families.AddGauge("groupcast_build_info", "1, with the version of the service.",
                    {{"service", options.service}, {"version", kVersion}}, 1);
  AddPoolMetrics(pool, MonotonicClock().Now(), &families);
  return families.Text();
}

int RunAdmin(const AdminWorkerOptions& options, const OriginPolicy& hosts,
             WorkerKind::Parts parts) {
  // For ps(1): it serves no clients.
  prctl(PR_SET_NAME, "groupcast_admin");
  // It has nothing to drain.
  sigset_t term;
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  sigprocmask(SIG_UNBLOCK, &term, nullptr);
  const absl::Status logging =
      InitLogging(options.log_level(), log_format(), absl::StrCat(options.service, " admin"));
  static_cast<void>(logging);  // the service has checked the level

  const PoolView& pool = *parts.pool;
  absl::StatusOr<std::unique_ptr<AdminServer>> server = AdminServer::Create(
      std::move(parts.listener), hosts,
      {.metrics = [&] { return MetricsText(options, pool); },
       .why_not_ready =
           [&] { return WhyNotReady(pool.memory->Read(), pool, MonotonicClock().Now()); },
       .on_tick =
           [slot = parts.slot] {
             slot->heartbeat_ms = absl::ToUnixMillis(MonotonicClock().Now());
             slot->state = SharedSlot::State::kReady;
           }});
  if (!server.ok()) {
    spdlog::error("{}", std::string(server.status().message()));
    return 1;
  }
  (*server)->Run();
  return 0;
}

}  // namespace

WorkerKind AdminKind(AdminPort port, AdminWorkerOptions options) {
  WorkerKind kind;
  kind.name = "admin";
  kind.listeners.port = port.port;
  kind.listeners.sockets.push_back(std::move(port.listener));
  kind.main = [options = std::move(options), hosts = std::move(port.hosts)](
                  WorkerKind::Parts parts) { return RunAdmin(options, hosts, std::move(parts)); };
  kind.observes = true;
  return kind;
}

}  // namespace groupcast::service
