#ifndef GROUPCAST_SERVICES_PROTOCOL_EVENT_H_
#define GROUPCAST_SERVICES_PROTOCOL_EVENT_H_

// The JSON of the events that services send to clients. docs/protocol.md specifies each.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/channel/channel.h"
#include "services/protocol/close_code.h"
#include "services/protocol/error.h"

namespace groupcast::service {

struct WelcomeLimits {
  size_t message_bytes = 0;
  size_t groups = 0;
  size_t frame_bytes = 0;
  size_t key_bytes = 0;
  absl::Duration key_window;
};

// `user`: of the connection's token; empty: it has none.
std::string WelcomeEvent(uint64_t connection_id, absl::Duration ping_interval,
                         const WelcomeLimits& limits, absl::string_view user = {});

// `id` is the JSON of the command's id, in all functions below.
std::string PongReply(absl::string_view id);
// `expires` is the end of the token's validity; InfiniteFuture: it has none.
std::string AuthenticateReply(absl::string_view id, absl::string_view user, absl::Time expires);
std::string LeaveReply(absl::string_view id, absl::string_view group_id);
// The reply to add_group, and to send_to_group with one group. `recovered` is for an add_group with
// `since`.
std::string PositionReply(absl::string_view id, absl::string_view group_id,
                          const Position& position, std::optional<bool> recovered = std::nullopt);

// The result for one group of a send_to_group with group_ids.
struct SendResult {
  std::string group_id;
  Position position;
  std::string error;  // empty: it has a position
  ErrorCode code{};
};
std::string ResultsReply(absl::string_view id, const std::vector<SendResult>& results);

// The reply to group_history in two parts, so that readers with other ids can share the second, for
// clients of session `reader` that have seen the messages up to `since`. It has the newest messages
// of `history` that fit into `bytes_max`, and at least one.
std::string HistoryReplyHead(absl::string_view id);
std::string HistoryReplyBody(absl::string_view group_id, const std::optional<Position>& since,
                             const History& history, const Fingerprint& reader, size_t bytes_max);

// A member in a page and in events.
struct MemberFields {
  uint64_t connection_id = 0;
  absl::string_view user;  // empty: none
  absl::string_view info;  // JSON; empty: none
  int64_t since_ms = 0;    // since 1970 UTC
};

// Writes the reply to group_members: a page of members, in the order of their connection ids.
class MembersReplyWriter {
 public:
  // `count`: of all members of the group.
  MembersReplyWriter(absl::string_view id, absl::string_view group_id, size_t count);

  // The members are left out if the client asked for their number only.
  void BeginMembers();
  void Add(const MemberFields& member);
  size_t bytes() const { return json_.size(); }
  // `next`: the last member of the page, if there are more.
  std::string Finish(std::optional<uint64_t> next);

 private:
  std::string json_;
  bool has_members_ = false;
  bool has_one_ = false;
};

std::string MemberJoinedEvent(absl::string_view group_id, const MemberFields& member);
std::string MemberLeftEvent(absl::string_view group_id, const MemberFields& member);

std::string ErrorEvent(const CommandError& error);

// The JSON of the field `from` of a message (Content::from). `user`: empty if it has none.
std::string SenderJson(absl::string_view user, uint64_t connection_id);

std::string MessageEvent(const Message& message);
// The same for a buffer of the right size, so that the event is written only once.
class MessageEventWriter {
 public:
  // The message must outlive it.
  explicit MessageEventWriter(const Message& message);

  size_t bytes() const { return around_.size() + content_bytes_; }
  void Write(char* to) const;

 private:
  const Content& content_;
  const size_t content_bytes_;
  std::string around_;  // before the content, and after it
  size_t before_bytes_;
};

// The place of a message that excludes the member's session.
std::string ExcludedEvent(absl::string_view group_id, uint64_t offset, uint64_t previous);

std::string GapEvent(absl::string_view group_id, const Gap& gap);

// `reconnect_after` does not count if the code forbids the client to connect again.
std::string ClosingEvent(CloseCode code, absl::string_view reason, absl::Duration reconnect_after);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_PROTOCOL_EVENT_H_
