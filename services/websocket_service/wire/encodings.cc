#include "services/websocket_service/wire/encodings.h"

#include <utility>

#include "services/protocol/event.h"
#include "services/websocket_service/wire/frame.h"

namespace groupcast::service {

SharedBytes BareEncoding::EncodeMessage(const Message& message) const {
  return MakeFrame(Opcode::kText, message.content.data);
}

absl::string_view BareEncoding::ContentIn(const SharedBytes& message) const {
  return FramePayload(message);
}

SharedBytes BareEncoding::EncodeExcluded(absl::string_view, const Position&, uint64_t) const {
  return {};
}

SharedBytes BareEncoding::EncodeGap(absl::string_view, const Gap&) const { return {}; }

SharedBytes BareEncoding::EncodeEvent(absl::string_view head, absl::string_view rest) const {
  return MakeFrame(Opcode::kText, head, rest);
}

SharedBytes V1Encoding::EncodeMessage(const Message& message) const {
  const MessageEventWriter event(message);
  return MakeFrame(Opcode::kText, event.bytes(), [&](char* to) { event.Write(to); });
}

SharedBytes V1Encoding::EncodeExcluded(absl::string_view group_id, const Position& position,
                                       uint64_t previous) const {
  return MakeFrame(Opcode::kText, ExcludedEvent(group_id, position.offset, previous));
}

SharedBytes V1Encoding::EncodeGap(absl::string_view group_id, const Gap& gap) const {
  return MakeFrame(Opcode::kText, GapEvent(group_id, gap));
}

SharedBytes V1Encoding::EncodeEvent(absl::string_view head, absl::string_view rest) const {
  return MakeFrame(Opcode::kText, head, rest);
}

SharedBytes DeflatedEncoding::EncodeMessage(const Message& message) const {
  return Deflate(plain_->EncodeMessage(message));
}

SharedBytes DeflatedEncoding::EncodeExcluded(absl::string_view group_id, const Position& position,
                                             uint64_t previous) const {
  return Deflate(plain_->EncodeExcluded(group_id, position, previous));
}

SharedBytes DeflatedEncoding::EncodeGap(absl::string_view group_id, const Gap& gap) const {
  return Deflate(plain_->EncodeGap(group_id, gap));
}

SharedBytes DeflatedEncoding::EncodeEvent(absl::string_view head, absl::string_view rest) const {
  SharedBytes frame = plain_->EncodeEvent(head, rest);
  // Readers of a history share `rest`, and each would cost a compression of all of it.
  return rest.empty() ? Deflate(std::move(frame)) : frame;
}

SharedBytes DeflatedEncoding::Deflate(SharedBytes frame) const {
  if (!frame) return frame;
  const absl::string_view text = FramePayload(frame);
  if (text.size() < threshold_bytes_) return frame;
  const absl::string_view payload = deflater_->Deflate(text);
  return payload.size() < text.size() ? MakeDeflatedFrame(payload) : frame;
}

}  // namespace groupcast::service
