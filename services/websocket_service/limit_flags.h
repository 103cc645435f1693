#ifndef GROUPCAST_SERVICES_WEBSOCKET_SERVICE_LIMIT_FLAGS_H_
#define GROUPCAST_SERVICES_WEBSOCKET_SERVICE_LIMIT_FLAGS_H_

#include "absl/status/status.h"
#include "services/channel/open_channel.h"
#include "services/websocket_service/worker.h"

namespace groupcast::service {

// Sets the limits of a worker from their flags: sizes, numbers, rates and times.
// kInvalidArgument: the message names the flag, or the field of the file, and what is allowed.
absl::Status ReadLimits(WorkerOptions* worker, ChannelOptions* channel);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_WEBSOCKET_SERVICE_LIMIT_FLAGS_H_
