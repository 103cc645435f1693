#ifndef GROUPCAST_SERVICES_GROUPS_PLAIN_ENCODINGS_H_
#define GROUPCAST_SERVICES_GROUPS_PLAIN_ENCODINGS_H_

#include "services/groups/encoding.h"
#include "services/protocol/event.h"

namespace groupcast::service {

// The protocol's texts without any framing, for tests.

// Messages as the client sent them, and nothing for excluded messages and gaps.
class PlainBareEncoding final : public Encoding {
 public:
  constexpr PlainBareEncoding() : Encoding(EncodingSlot::kFirst) {}

  SharedBytes EncodeMessage(const Message& message) const override {
    return SharedBytes::Copy(message.content.data);
  }
  absl::string_view ContentIn(const SharedBytes& message) const override { return message.bytes(); }
  SharedBytes EncodeExcluded(absl::string_view, const Position&, uint64_t) const override {
    return {};
  }
  SharedBytes EncodeGap(absl::string_view, const Gap&) const override { return {}; }
  SharedBytes EncodeEvent(absl::string_view head, absl::string_view rest) const override {
    return SharedBytes::Join({head, rest});
  }
};

// An event for everything.
class PlainV1Encoding final : public Encoding {
 public:
  constexpr PlainV1Encoding() : Encoding(EncodingSlot::kSecond) {}

  SharedBytes EncodeMessage(const Message& message) const override {
    return SharedBytes::Copy(MessageEvent(message));
  }
  SharedBytes EncodeExcluded(absl::string_view group_id, const Position& position,
                             uint64_t previous) const override {
    return SharedBytes::Copy(ExcludedEvent(group_id, position.offset, previous));
  }
  SharedBytes EncodeGap(absl::string_view group_id, const Gap& gap) const override {
    return SharedBytes::Copy(GapEvent(group_id, gap));
  }
  bool has_member_events() const override { return true; }
  SharedBytes EncodeEvent(absl::string_view head, absl::string_view rest) const override {
    return SharedBytes::Join({head, rest});
  }
};

inline constexpr PlainBareEncoding kPlainBareEncoding;
inline constexpr PlainV1Encoding kPlainV1Encoding;

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_GROUPS_PLAIN_ENCODINGS_H_
