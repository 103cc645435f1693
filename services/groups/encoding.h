#ifndef GROUPCAST_SERVICES_GROUPS_ENCODING_H_
#define GROUPCAST_SERVICES_GROUPS_ENCODING_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "services/channel/channel.h"
#include "services/common/shared_bytes.h"

namespace groupcast::service {

// An encoding's place in arrays. The encodings of one process have different slots; a process with
// one encoding uses kFirst.
enum class EncodingSlot : uint8_t { kFirst, kSecond, kThird, kFourth };
inline constexpr size_t kEncodingSlots = 4;

// The step from an event of a group to the bytes that a connection writes, for one kind of members.
// A front end implements it once for each kind of its members, for example for the WebSocket frames
// of bare members.
//
// What an encoding returns depends on its arguments alone. One object serves all members of its
// kind in a worker, and outlives them.
class Encoding {
 public:
  EncodingSlot slot() const { return slot_; }

  // Each returns the bytes for one member's connection, or null: such members get nothing. The
  // bytes depend only on the arguments, so members of one kind can share them.

  // A message of a group.
  virtual SharedBytes EncodeMessage(const Message& message) const = 0;

  // The content of a message within the bytes that EncodeMessage has made of it, as it is; empty if
  // they do not have it so. A message then need not keep a copy of its content.
  virtual absl::string_view ContentIn(const SharedBytes&) const { return {}; }

  // The place of a message that excludes the member's session.
  virtual SharedBytes EncodeExcluded(absl::string_view group_id, const Position& position,
                                     uint64_t previous) const = 0;

  // Lost messages of a group.
  virtual SharedBytes EncodeGap(absl::string_view group_id, const Gap& gap) const = 0;

  // Whether such members get member_joined and member_left, by EncodeEvent.
  virtual bool has_member_events() const { return false; }

  // A reply, an error or another event for one member only. `head` and `rest` together are the JSON
  // of an event from event.h.
  virtual SharedBytes EncodeEvent(absl::string_view head, absl::string_view rest) const = 0;

 protected:
  explicit constexpr Encoding(EncodingSlot slot) : slot_(slot) {}
  ~Encoding() = default;

 private:
  const EncodingSlot slot_;
};

// One block for each encoding of the process. Each begins as null.
class BlockPerEncoding {
 public:
  SharedBytes& Of(const Encoding& encoding) {
    return blocks_[static_cast<size_t>(encoding.slot())];
  }
  size_t bytes() const {
    size_t bytes = 0;
    for (const SharedBytes& block : blocks_) bytes += block ? block.size() : 0;
    return bytes;
  }

 private:
  std::array<SharedBytes, kEncodingSlots> blocks_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_GROUPS_ENCODING_H_
