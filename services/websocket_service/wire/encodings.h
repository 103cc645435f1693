#ifndef GROUPCAST_SERVICES_WEBSOCKET_SERVICE_WIRE_ENCODINGS_H_
#define GROUPCAST_SERVICES_WEBSOCKET_SERVICE_WIRE_ENCODINGS_H_

#include "absl/strings/string_view.h"
#include "services/common/shared_bytes.h"
#include "services/groups/encoding.h"
#include "services/websocket_service/wire/deflate.h"

namespace groupcast::service {

// The two modes of docs/protocol.md, as WebSocket text frames.

// For members without a subprotocol. They get each message as the client sent it, and nothing for
// excluded messages and gaps. Replies and errors are events, as for v1 members.
class BareEncoding final : public Encoding {
 public:
  constexpr BareEncoding() : Encoding(EncodingSlot::kFirst) {}

  SharedBytes EncodeMessage(const Message& message) const override;
  absl::string_view ContentIn(const SharedBytes& message) const override;
  SharedBytes EncodeExcluded(absl::string_view group_id, const Position& position,
                             uint64_t previous) const override;
  SharedBytes EncodeGap(absl::string_view group_id, const Gap& gap) const override;
  SharedBytes EncodeEvent(absl::string_view head, absl::string_view rest) const override;
};

// For members with the subprotocol groupcast.v1.json. They get an event for everything.
class V1Encoding final : public Encoding {
 public:
  constexpr V1Encoding() : Encoding(EncodingSlot::kSecond) {}

  SharedBytes EncodeMessage(const Message& message) const override;
  SharedBytes EncodeExcluded(absl::string_view group_id, const Position& position,
                             uint64_t previous) const override;
  SharedBytes EncodeGap(absl::string_view group_id, const Gap& gap) const override;
  bool has_member_events() const override { return true; }
  SharedBytes EncodeEvent(absl::string_view head, absl::string_view rest) const override;
};

inline constexpr BareEncoding kBareEncoding;
inline constexpr V1Encoding kV1Encoding;

// One of the two modes for members with permessage-deflate. It compresses each frame once, for all
// of them. A text of less than `threshold_bytes`, or one that would not become smaller, goes as it
// is. Not thread-safe.
class DeflatedEncoding final : public Encoding {
 public:
  // `plain` and `deflater` must outlive it. `slot` differs from that of every other encoding.
  DeflatedEncoding(const Encoding* plain, EncodingSlot slot, Deflater* deflater,
                   size_t threshold_bytes)
      : Encoding(slot), plain_(plain), deflater_(deflater), threshold_bytes_(threshold_bytes) {}

  SharedBytes EncodeMessage(const Message& message) const override;
  SharedBytes EncodeExcluded(absl::string_view group_id, const Position& position,
                             uint64_t previous) const override;
  SharedBytes EncodeGap(absl::string_view group_id, const Gap& gap) const override;
  SharedBytes EncodeEvent(absl::string_view head, absl::string_view rest) const override;

 private:
  SharedBytes Deflate(SharedBytes frame) const;

  const Encoding* const plain_;
  Deflater* const deflater_;
  const size_t threshold_bytes_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_WEBSOCKET_SERVICE_WIRE_ENCODINGS_H_
