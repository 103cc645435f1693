#ifndef GROUPCAST_SERVICES_CHANNEL_WIRE_H_
#define GROUPCAST_SERVICES_CHANNEL_WIRE_H_

// The frames between workers and the channel server. docs/channel_wire.md is the specification.
//
// The channel server patches five numbers of a publication in place to turn it into a message. It
// neither copies nor parses the publication. Both have this layout, in one ZeroMQ frame, with
// little-endian integers:
//
//   group id | NUL | version u8 | kind u8 | flags u8 | zero u8 | publisher u64 | number u64 |
//   epoch u64 | offset u64 | previous u64 | key 16 bytes, if flagged | body
//
// A control frame is: version u8 | kind u8 | zero u16 | body. Bodies are the protobuf messages of
// proto/wire.proto.

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "google/protobuf/message_lite.h"
#include "services/channel/fingerprint.h"
#include "services/channel/position.h"

namespace groupcast::service {

// The sender and the reader of a frame must use the same version. A reader refuses another version,
// and its error names that version.
inline constexpr uint8_t kWireVersion = 1;

// Zero on the wire: a sender without an id.
enum class PublisherId : uint64_t {};

enum class LiveKind : uint8_t {
  kPublication = 1,
  kMessage = 2,
  // No body. `epoch` and `offset` are the group's head, and `previous` is its floor. `publisher` is
  // the nonce of the subscription that the announcement answers. `number` is the newest offset of
  // all groups that the server has handed out.
  kAnnouncement = 3,
  // Has only the number of a publication. The server must not publish a publication with this
  // number any more.
  kVoid = 4,
};

enum class ControlKind : uint8_t {
  kHello = 1,
  kHelloReply = 2,
  kAcknowledgement = 3,
  kFetchHistory = 4,
  kHistory = 5,
  kCompareHeads = 6,
  kHeads = 7,
  kDigest = 8,
  kPresence = 9,
};

// The fixed header of a live frame, with the integers in the machine's form.
struct LiveHeader {
  LiveKind kind{};
  PublisherId publisher{};
  uint64_t number = 0;
  Epoch epoch{};
  // Of a publication: the publisher's first number without a result. The publisher will not ask for
  // the results of lower numbers.
  uint64_t offset = 0;
  uint64_t previous = 0;
  Fingerprint key;  // empty: the frame has none
};

inline constexpr size_t kLiveHeaderBytes = 4 + 5 * 8;  // without a key
inline constexpr size_t kKeyBytes = 16;
inline constexpr size_t kControlHeaderBytes = 4;

// The most bytes of a publication's body besides the message in it: protobuf's tags, the time at
// which it was sent, a session, its sender (kFromBytesMax). The server takes no larger body.
inline constexpr size_t kContentOverheadBytes = 96 + 4 + 320;

// The parts of a live frame. The views point into the frame.
struct LiveFrame {
  absl::string_view group_id;
  LiveHeader header;
  absl::string_view body;
};

// kInvalidArgument: an invalid group id, too few bytes, or an unknown version or kind. The message
// names the reason.
absl::StatusOr<LiveFrame> ParseLiveFrame(absl::string_view frame);

// A whole frame is this prefix and the body. The next two functions write the prefix into the
// buffer of the frame:
inline size_t LiveFramePrefixBytes(absl::string_view group_id, const Fingerprint& key = {}) {
  return group_id.size() + 1 + kLiveHeaderBytes + (key.empty() ? 0 : kKeyBytes);
}
void WriteLiveFramePrefix(absl::string_view group_id, const LiveHeader& header, char* to);
// LiveFramePrefix returns the prefix alone:
std::string LiveFramePrefix(absl::string_view group_id, const LiveHeader& header);

// Writes the number into the publication in `frame`. WriteLiveFramePrefix must have written the
// prefix of `frame`.
void PatchNumber(absl::Span<char> frame, size_t group_id_bytes, uint64_t number,
                 uint64_t first_unacknowledged);

// Turns the publication in `frame` into a message. ParseLiveFrame must have accepted `frame`.
void PatchIntoMessage(absl::Span<char> frame, size_t group_id_bytes, const Position& position,
                      uint64_t previous);

// The topic of a group's subscribers: the group id and NUL. Topics match by prefix, and the NUL
// keeps group "12" apart from "123".
std::string TopicOf(absl::string_view group_id);

// The topic that gives a subscriber the proof that its subscription works. The subscriber
// subscribes to it after the group's topic, with a nonce of its own. The announcement that answers
// the subscription begins with this topic, and has the nonce as publisher.
std::string ProofTopicOf(absl::string_view group_id, PublisherId nonce);

struct Topic {
  absl::string_view group_id;
  PublisherId nonce{};  // zero: the topic of the group itself
};

// kInvalidArgument: neither a group's topic nor a proof topic.
absl::StatusOr<Topic> ParseTopic(absl::string_view topic);

std::string ControlFrame(ControlKind kind, const google::protobuf::MessageLite& body);

struct ControlView {
  ControlKind kind{};
  absl::string_view body;
};

// kInvalidArgument: too few bytes, or an unknown version. The reader should ignore an unknown kind.
absl::StatusOr<ControlView> ParseControlFrame(absl::string_view frame);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_WIRE_H_
