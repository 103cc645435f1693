#include "services/groups/encoded_message.h"

#include "services/protocol/event.h"

namespace groupcast::service {

EncodedMessage::EncodedMessage(uint64_t offset, uint64_t previous, const Content& content)
    : offset_(offset),
      previous_(previous),
      kind_(content.kind),
      sent_at_ms_(content.sent_at_ms),
      excluded_session_(content.excluded_session),
      bare_(MakeFrame(Opcode::kText, content.data)) {}

SharedBytes EncodedMessage::FrameFor(absl::string_view group_id, Member* member) {
  const bool is_excluded = !excluded_session_.empty() && member->session() == excluded_session_;
  if (!member->v1()) return is_excluded ? SharedBytes() : bare_;
  if (is_excluded) {
    if (!excluded_) {
      excluded_ = MakeFrame(Opcode::kText, ExcludedEvent(group_id, offset_, previous_));
    }
    return excluded_;
  }
  if (!v1_) {
    v1_ = MakeFrame(
        Opcode::kText,
        MessageEvent(
            {.group_id = group_id,
             .offset = offset_,
             .previous = previous_,
             .content = {.kind = kind_, .data = FramePayload(bare_), .sent_at_ms = sent_at_ms_}}));
  }
  return v1_;
}

size_t EncodedMessage::bytes() const {
  size_t bytes = sizeof(*this);
  for (const SharedBytes* frame : {&bare_, &v1_, &excluded_}) bytes += *frame ? frame->size() : 0;
  return bytes;
}

}  // namespace groupcast::service
