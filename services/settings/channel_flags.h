#ifndef GROUPCAST_SERVICES_SETTINGS_CHANNEL_FLAGS_H_
#define GROUPCAST_SERVICES_SETTINGS_CHANNEL_FLAGS_H_

#include <memory>

#include "absl/status/statusor.h"
#include "services/channel/open_channel.h"
#include "services/channel/zmq/curve.h"

namespace groupcast::service {

// Reads where the channel is, from the flag --channel and those of the ports of its other links.
// kInvalidArgument: the message names the flag, or the field of the file, and what is allowed.
absl::StatusOr<ChannelUrl> ReadChannelUrl();

// Reads the keys of the links to the channel server. Null: they have none. Errors as above.
absl::StatusOr<std::shared_ptr<const CurveClientKeys>> ReadChannelKeys();

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_SETTINGS_CHANNEL_FLAGS_H_
