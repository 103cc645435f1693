#ifndef GROUPCAST_SERVICES_HTTP_GATEWAY_GATEWAY_CONFIGURATION_H_
#define GROUPCAST_SERVICES_HTTP_GATEWAY_GATEWAY_CONFIGURATION_H_

#include <string>

#include "absl/flags/declare.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/channel/open_channel.h"
#include "services/configuration/configuration_file.h"
#include "services/http_gateway/gateway_worker.h"

ABSL_DECLARE_FLAG(std::string, log_level);
ABSL_DECLARE_FLAG(absl::Duration, stall_timeout);

namespace groupcast::service {

// What SIGHUP can change.
struct GatewayConfiguration {
  GatewayOptions worker;
  ChannelUrl channel_url;
  ChannelOptions channel;
  std::string log_level;
};

// Reads the flags of the workers, and the rules and keys of `file`. `bind_address` is where the
// service listens; it stays.
// kInvalidArgument: the message names the flag, or the field of the file, and what is allowed.
absl::StatusOr<GatewayConfiguration> ReadGatewayConfiguration(const std::string& bind_address,
                                                              const ConfigurationFile& file);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_HTTP_GATEWAY_GATEWAY_CONFIGURATION_H_
