#include "services/groups/encoded_message.h"

namespace groupcast::service {

EncodedMessage::EncodedMessage(const Position& position, uint64_t previous, const Content& content)
    : position_(position),
      previous_(previous),
      kind_(content.kind),
      sent_at_ms_(content.sent_at_ms),
      excluded_session_(content.excluded_session),
      data_(content.data),
      from_(content.from.empty() ? SharedBytes() : SharedBytes::Copy(content.from)) {}

void EncodedMessage::Keep() {
  if (kept_) return;
  kept_ = SharedBytes::Copy(data_);
  copied_bytes_ = data_.size();
  data_ = kept_.bytes();
}

const SharedBytes& EncodedMessage::For(absl::string_view group_id, Member* member) {
  const Encoding& encoding = member->encoding();
  if (!excluded_session_.empty() && member->session() == excluded_session_) {
    SharedBytes& place = excluded_.Of(encoding);
    if (!place) place = encoding.EncodeExcluded(group_id, position_, previous_);
    return place;
  }
  SharedBytes& message = messages_.Of(encoding);
  if (!message) {
    message =
        encoding.EncodeMessage({.group_id = group_id,
                                .epoch = position_.epoch,
                                .offset = position_.offset,
                                .previous = previous_,
                                .content = {.kind = kind_,
                                            .data = data_,
                                            .sent_at_ms = sent_at_ms_,
                                            .from = from_ ? from_.bytes() : absl::string_view()}});
    if (const absl::string_view content = encoding.ContentIn(message); !kept_ && !content.empty()) {
      kept_ = message;
      data_ = content;
    }
  }
  return message;
}

size_t EncodedMessage::bytes() const {
  return sizeof(*this) + copied_bytes_ + (from_ ? from_.size() : 0) + messages_.bytes() +
         excluded_.bytes();
}

}  // namespace groupcast::service
