#ifndef GROUPCAST_SERVICES_GROUPS_ENCODED_MESSAGE_H_
#define GROUPCAST_SERVICES_GROUPS_ENCODED_MESSAGE_H_

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "services/channel/channel.h"
#include "services/groups/member.h"
#include "services/websocket_service/wire/frame.h"

namespace groupcast::service {

// A message of a group with the frames that members get of it: each is made when somebody needs it
// first, and shared by all it goes to.
class EncodedMessage {
 public:
  EncodedMessage(uint64_t offset, uint64_t previous, const Content& content);

  uint64_t offset() const { return offset_; }
  uint64_t previous() const { return previous_; }

  // What `member` of the group gets in this message's place. Null: nothing, which is what bare
  // members get of a message that excludes their session.
  SharedBytes FrameFor(absl::string_view group_id, Member* member);

  // What it takes in memory, with the frames made so far.
  size_t bytes() const;

 private:
  uint64_t offset_;
  uint64_t previous_;
  Content::Kind kind_;
  int64_t sent_at_ms_;
  Fingerprint excluded_session_;
  SharedBytes bare_;  // always there: its payload is the message's data
  SharedBytes v1_;
  SharedBytes excluded_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_GROUPS_ENCODED_MESSAGE_H_
