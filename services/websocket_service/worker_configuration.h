#ifndef GROUPCAST_SERVICES_WEBSOCKET_SERVICE_WORKER_CONFIGURATION_H_
#define GROUPCAST_SERVICES_WEBSOCKET_SERVICE_WORKER_CONFIGURATION_H_

#include <memory>
#include <string>

#include "absl/flags/declare.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/channel/open_channel.h"
#include "services/configuration/configuration_file.h"
#include "services/websocket_service/tls/tls_context.h"
#include "services/websocket_service/worker.h"

// The flags of workers are in the .cc. The supervisor needs these two of them.
ABSL_DECLARE_FLAG(std::string, log_level);
ABSL_DECLARE_FLAG(absl::Duration, stall_timeout);

namespace groupcast::service {

// All that a worker is started with. SIGHUP makes a new one.
struct WorkerConfiguration {
  WorkerOptions worker;
  ChannelUrl channel_url;
  ChannelOptions channel;
  std::string pages;  // directory
  std::string log_level;
};

// What SIGHUP keeps of the configuration before.
struct KeptConfiguration {
  std::string bind_address;  // what the listeners have: the flag may have changed since
  TicketKeys tickets;
  // In use; it may have expired. Null: at the start, or the service is plain.
  std::shared_ptr<const TlsContext> tls;
};

// Reads it from the flags as they are now and the group rules of `file`, and checks all of it.
// kInvalidArgument: the message names the flag, or the field of the file, and what is allowed.
absl::StatusOr<WorkerConfiguration> ReadWorkerConfiguration(const KeptConfiguration& kept,
                                                            const ConfigurationFile& file);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_WEBSOCKET_SERVICE_WORKER_CONFIGURATION_H_
