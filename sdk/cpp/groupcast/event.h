#ifndef SDK_CPP_GROUPCAST_EVENT_H_
#define SDK_CPP_GROUPCAST_EVENT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "sdk/cpp/groupcast/command.h"
#include "sdk/cpp/groupcast/status.h"
#include "sdk/cpp/groupcast/types.h"

// What the server says to this client: the parsed form of each event's frame.
namespace groupcast {

struct WelcomeEvent {};

struct ReplyEvent {
  std::optional<CommandId> id;  // Not set if it is none of this client's ids.
  std::optional<Position> position;
};

struct ErrorEvent {
  std::optional<CommandId> id;
  ServerError error;
};

struct MessageEvent {
  Message message;  // Without its epoch: the event has none.
};

struct GapEvent {
  Gap gap;
};

struct ClosingEvent {
  absl::Duration reconnect_after;
};

// An event of a newer server: to be ignored.
struct UnknownEvent {};

using Event = std::variant<WelcomeEvent, ReplyEvent, ErrorEvent, MessageEvent, GapEvent,
                           ClosingEvent, UnknownEvent>;

// kInternal: `frame` is not an event as the protocol describes it.
absl::StatusOr<Event> ParseEvent(absl::string_view frame);

}  // namespace groupcast

#endif  // SDK_CPP_GROUPCAST_EVENT_H_
