#ifndef GROUPCAST_SERVICES_WEBSOCKET_SERVICE_EVENT_H_
#define GROUPCAST_SERVICES_WEBSOCKET_SERVICE_EVENT_H_

// The JSON of the events that the service sends; docs/protocol.md specifies each.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/channel/channel.h"
#include "services/websocket_service/error.h"
#include "services/websocket_service/frame.h"

namespace groupcast::service {

struct WelcomeLimits {
  size_t message_bytes = 0;
  size_t groups = 0;
  size_t frame_bytes = 0;
};

std::string WelcomeEvent(uint64_t connection_id, absl::Duration ping_interval,
                         const WelcomeLimits& limits);

// `id` is the JSON of the command's id, as everywhere below.
std::string PongReply(absl::string_view id);
std::string LeaveReply(absl::string_view id, absl::string_view group_id);
// The reply to add_group, and to send_to_group with one group.
std::string PositionReply(absl::string_view id, absl::string_view group_id,
                          const Position& position);

// What became of one group of a send_to_group with group_ids.
struct SendResult {
  std::string group_id;
  Position position;
  std::string error;  // empty: it has a position
  ErrorCode code{};
};
std::string ResultsReply(absl::string_view id, const std::vector<SendResult>& results);

std::string ErrorEvent(const CommandError& error);

std::string MessageEvent(const Message& message);

// `from` is null in the event after a change of epoch.
std::string GapEvent(absl::string_view group_id, Epoch epoch, bool new_epoch, uint64_t from,
                     uint64_t to);

std::string ClosingEvent(CloseCode code, absl::string_view reason, absl::Duration reconnect_after);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_WEBSOCKET_SERVICE_EVENT_H_
