#ifndef GROUPCAST_SERVICES_HTTP_GATEWAY_ANSWER_H_
#define GROUPCAST_SERVICES_HTTP_GATEWAY_ANSWER_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "services/channel/position.h"
#include "services/http_gateway/problem.h"

namespace groupcast::service {

// An event of the protocol that a member was sent, as an HTTP client gets it. The commands of this
// service have numbers as their ids.
struct Answer {
  enum class Kind : uint8_t {
    kReply,  // to a command
    kError,  // of a command, or of something that the member had
    kEvent,  // any other
  };
  Kind kind = Kind::kEvent;
  std::optional<uint64_t> id;  // of the command
  std::string json;            // kReply: the reply without `event` and `id`; kEvent: all of it
  std::string name;            // kEvent: of the event
  Problem problem;             // kError
};

// Reads an event of services/protocol/event.h. A text that is none is an error `internal`.
Answer ReadAnswer(absl::string_view event);

// The position in a reply to a join or a send. nullopt: it has none.
std::optional<Position> ReadPosition(absl::string_view reply);

// The fields of a problem that an item of a list has, without braces.
std::string ProblemFields(const Problem& problem);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_HTTP_GATEWAY_ANSWER_H_
