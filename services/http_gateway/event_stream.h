#ifndef GROUPCAST_SERVICES_HTTP_GATEWAY_EVENT_STREAM_H_
#define GROUPCAST_SERVICES_HTTP_GATEWAY_EVENT_STREAM_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "services/groups/encoding.h"

namespace groupcast::service {

// The bytes of Server-Sent Events (the section of that name in WHATWG HTML). An event has the JSON
// of the protocol's event as its data. Its id is the position of the stream, so that a client that
// comes back with Last-Event-ID gets what it missed.

// The id of a stream's state: the positions of its groups, in the order of its request. Each is
// EPOCH-OFFSET, and the epoch is left out where it is that of the position before:
// "00000000000000aa-12,17".
std::string EventId(const std::vector<Position>& positions);
// nullopt: it is not the id of a stream of `groups` groups.
std::optional<std::vector<Position>> ReadEventId(absl::string_view id, size_t groups);

// An event. `id` may be empty: the event has none.
std::string StreamEvent(absl::string_view name, absl::string_view id, absl::string_view json);

// The messages of streams with one group: whole events with their ids, so that all members share
// them. What is not a message or a gap stays the JSON of its event (Answer).
class GroupStreamEncoding final : public Encoding {
 public:
  constexpr GroupStreamEncoding() : Encoding(EncodingSlot::kFirst) {}

  SharedBytes EncodeMessage(const Message& message) const override;
  SharedBytes EncodeExcluded(absl::string_view group_id, const Position& position,
                             uint64_t previous) const override;
  SharedBytes EncodeGap(absl::string_view group_id, const Gap& gap) const override;
  bool has_member_events() const override { return true; }
  SharedBytes EncodeEvent(absl::string_view head, absl::string_view rest) const override;
};

// The messages of streams with several groups. Each stream has ids of its own, so an event ends
// before its id. It begins with a comment that says what moves the stream: ":EPOCH-OFFSET GROUP".
class GroupsStreamEncoding final : public Encoding {
 public:
  constexpr GroupsStreamEncoding() : Encoding(EncodingSlot::kSecond) {}

  SharedBytes EncodeMessage(const Message& message) const override;
  SharedBytes EncodeExcluded(absl::string_view group_id, const Position& position,
                             uint64_t previous) const override;
  SharedBytes EncodeGap(absl::string_view group_id, const Gap& gap) const override;
  bool has_member_events() const override { return true; }
  SharedBytes EncodeEvent(absl::string_view head, absl::string_view rest) const override;
};

// What an event of GroupsStreamEncoding moves.
struct StreamMove {
  absl::string_view group_id;
  Position position;
};
// nullopt: the bytes are the JSON of an event.
std::optional<StreamMove> ReadMove(absl::string_view bytes);

inline constexpr GroupStreamEncoding kGroupStreamEncoding;
inline constexpr GroupsStreamEncoding kGroupsStreamEncoding;

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_HTTP_GATEWAY_EVENT_STREAM_H_
