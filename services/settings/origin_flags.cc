#include "services/settings/origin_flags.h"

#include "absl/flags/flag.h"
#include "services/common/address.h"
#include "services/common/flags.h"

ABSL_FLAG(std::string, allowed_origins, "",
          "origins of web pages that may connect, with commas between them, such as "
          "https://app.example:8443 or https://*.example.com; * allows all. Pages of this machine, "
          "and of the host that they connect to, need no entry");
ABSL_FLAG(bool, allow_null_origin, true,
          "whether pages without an origin may connect: files that a person opens, and sandboxed "
          "frames of any page");
ABSL_FLAG(std::string, allowed_hosts, "",
          "hosts that requests may name, with commas between them, such as app.example or "
          "*.example.com; * allows all. Addresses and localhost need no entry. Without entries, a "
          "service on a loopback address allows no others, and any other service allows all");

namespace groupcast::service {

absl::StatusOr<OriginPolicy> ReadOrigins(const std::string& bind_address) {
  return OriginPolicy::Create(
      {.allowed_origins = {FlagPlace("allowed_origins"), absl::GetFlag(FLAGS_allowed_origins)},
       .allowed_hosts = {FlagPlace("allowed_hosts"), absl::GetFlag(FLAGS_allowed_hosts)},
       .allow_null_origin = absl::GetFlag(FLAGS_allow_null_origin),
       .is_loopback = IsLoopback(bind_address)});
}

}  // namespace groupcast::service
