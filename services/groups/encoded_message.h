#ifndef GROUPCAST_SERVICES_GROUPS_ENCODED_MESSAGE_H_
#define GROUPCAST_SERVICES_GROUPS_ENCODED_MESSAGE_H_

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "services/channel/channel.h"
#include "services/common/shared_bytes.h"
#include "services/groups/encoding.h"
#include "services/groups/member.h"

namespace groupcast::service {

// A message of a group, with the blocks of bytes for its members. Each encoding builds its block
// when a member first needs it. All other members with this encoding share the block.
class EncodedMessage {
 public:
  // The content must stay valid until Keep.
  EncodedMessage(const Position& position, uint64_t previous, const Content& content);

  // Keeps the content for encodings that are needed later: in a block that has it, or as a copy.
  void Keep();

  uint64_t offset() const { return position_.offset; }
  uint64_t previous() const { return previous_; }

  // Returns the bytes that `member` of the group gets for this message. Null: nothing. The
  // reference is valid until the message is moved.
  const SharedBytes& For(absl::string_view group_id, Member* member);

  // The memory that it uses, with the blocks so far.
  size_t bytes() const;

 private:
  Position position_;
  uint64_t previous_;
  Content::Kind kind_;
  int64_t sent_at_ms_;
  Fingerprint excluded_session_;
  absl::string_view data_;  // of the content
  SharedBytes from_;        // of the content; null: none
  SharedBytes kept_;        // data_ is in it; null: data_ is still the creator's
  size_t copied_bytes_ = 0;
  BlockPerEncoding messages_;
  BlockPerEncoding excluded_;  // for members of the excluded session
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_GROUPS_ENCODED_MESSAGE_H_
