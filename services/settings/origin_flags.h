#ifndef GROUPCAST_SERVICES_SETTINGS_ORIGIN_FLAGS_H_
#define GROUPCAST_SERVICES_SETTINGS_ORIGIN_FLAGS_H_

#include <string>

#include "absl/status/statusor.h"
#include "services/http/origin_policy.h"

namespace groupcast::service {

// Reads which web pages may use a service that listens on `bind_address`, and under which names.
// kInvalidArgument: the message names the flag, or the field of the file, and the wrong entry.
absl::StatusOr<OriginPolicy> ReadOrigins(const std::string& bind_address);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_SETTINGS_ORIGIN_FLAGS_H_
