#include "services/metrics/admin_port.h"

#include <utility>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "services/common/address.h"
#include "services/common/flags.h"
#include "spdlog/spdlog.h"

ABSL_FLAG(std::string, admin_address, "127.0.0.1",
          "IP address of the admin port. Everybody who reaches it can read the metrics");

namespace groupcast::service {

absl::StatusOr<AdminPlace> ReadAdminPlace(int admin_port, int service_port) {
  AdminPlace place = {.address = absl::GetFlag(FLAGS_admin_address),
                      .port = admin_port,
                      .is_named = IsFlagNamed("admin_port")};
  if (admin_port < -1 || admin_port > 65'535) {
    return absl::InvalidArgumentError(
        absl::StrCat(FlagPlace("admin_port"), "=", admin_port, " is not a port; -1 is for none"));
  }
  if (absl::Status status = CheckListenAddress(place.address); !status.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(FlagPlace("admin_address"), ": ", status.message()));
  }
  if (service_port == 0 && !place.is_named) place.port = 0;
  return place;
}

absl::StatusOr<std::optional<AdminPort>> OpenAdminPort(const AdminPlace& place) {
  if (place.is_off()) return std::nullopt;
  absl::StatusOr<Listeners> listeners =
      OpenListeners(place.address, static_cast<uint16_t>(place.port), /*count=*/1);
  // Another service of this kind runs here, or a stranger. What observes a service does not stop
  // it.
  if (absl::IsAlreadyExists(listeners.status()) && !place.is_named) {
    spdlog::warn(
        "NO METRICS: {}. It is the default port, so the service goes on without /metrics, /healthz "
        "and /readyz; --admin_port=PORT gives it another port",
        std::string(listeners.status().message()));
    return std::nullopt;
  }
  if (!listeners.ok()) {
    return absl::Status(listeners.status().code(),
                        absl::StrCat(FlagPlace("admin_port"), ": ", listeners.status().message(),
                                     "; another port or -1 (none) helps"));
  }
  const bool is_loopback = IsLoopback(place.address);
  if (!is_loopback) {
    spdlog::warn("{}={}: everybody who reaches this address can read the metrics",
                 FlagPlace("admin_address"), place.address);
  }
  absl::StatusOr<OriginPolicy> hosts = OriginPolicy::Create({.is_loopback = is_loopback});
  if (!hosts.ok()) return hosts.status();
  return AdminPort{.listener = std::move(listeners->sockets.front()),
                   .port = listeners->port,
                   .hosts = *std::move(hosts)};
}

std::string MetricsNote(const AdminPlace& place, uint16_t port) {
  if (port == 0) return "";
  return absl::StrCat("metrics:        http://", HostPort(place.address, port), "/metrics");
}

}  // namespace groupcast::service
