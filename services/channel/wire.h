#ifndef GROUPCAST_SERVICES_CHANNEL_WIRE_H_
#define GROUPCAST_SERVICES_CHANNEL_WIRE_H_

// The frames between workers and the channel server; docs/channel_wire.md is the specification.
//
// A publication becomes a message by patching five numbers in place, so that the server neither
// copies nor parses it: both have this layout, in one ZeroMQ frame, integers little-endian:
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

// Sender and reader of one frame must agree on it. A reader refuses other versions by name.
inline constexpr uint8_t kWireVersion = 1;

// Zero on the wire is a sender without an id.
enum class PublisherId : uint64_t {};

enum class LiveKind : uint8_t {
  kPublication = 1,
  kMessage = 2,
  // No body; epoch and offset are the group's head, previous its floor, publisher the nonce of the
  // subscription that it answers. Number is the newest offset that was handed out, of any group.
  kAnnouncement = 3,
  // Takes a publication's number and nothing else: what had it is not to be done any more.
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
};

// The fixed header of a live frame in its machine form.
struct LiveHeader {
  LiveKind kind{};
  PublisherId publisher{};
  uint64_t number = 0;
  Epoch epoch{};
  // Of a publication: the publisher's first number without an answer. What became of those before
  // it, it will not ask.
  uint64_t offset = 0;
  uint64_t previous = 0;
  Fingerprint key;  // not empty: of publications and messages that have one
};

inline constexpr size_t kLiveHeaderBytes = 4 + 5 * 8;  // without a key
inline constexpr size_t kKeyBytes = 16;
inline constexpr size_t kControlHeaderBytes = 4;

// A live frame taken apart; the views point into the frame.
struct LiveFrame {
  absl::string_view group_id;
  LiveHeader header;
  absl::string_view body;
};

// kInvalidArgument: no group id that is one, too short, an unknown version or kind. The sentence
// says which.
absl::StatusOr<LiveFrame> ParseLiveFrame(absl::string_view frame);

// A whole frame is this prefix and the body. Written where the frame is being built:
inline size_t LiveFramePrefixBytes(absl::string_view group_id, const Fingerprint& key = {}) {
  return group_id.size() + 1 + kLiveHeaderBytes + (key.empty() ? 0 : kKeyBytes);
}
void WriteLiveFramePrefix(absl::string_view group_id, const LiveHeader& header, char* to);
// or by itself:
std::string LiveFramePrefix(absl::string_view group_id, const LiveHeader& header);

// Numbers the publication in `frame`, which must have been made by WriteLiveFramePrefix.
void PatchNumber(absl::Span<char> frame, size_t group_id_bytes, uint64_t number,
                 uint64_t first_unacknowledged);

// Makes the publication in `frame` a message. `frame` must have been accepted by ParseLiveFrame.
void PatchIntoMessage(absl::Span<char> frame, size_t group_id_bytes, const Position& position,
                      uint64_t previous);

// What subscribers of a group subscribe to: its id and NUL. Topics match by prefix, and the NUL
// keeps group "12" apart from "123".
std::string TopicOf(absl::string_view group_id);

// A subscriber that wants proof that its subscription is in force subscribes to this as well, after
// the group's topic, with a nonce of its own: it is how the announcement begins that answers it,
// with the nonce as publisher.
std::string ProofTopicOf(absl::string_view group_id, PublisherId nonce);

struct Topic {
  absl::string_view group_id;
  PublisherId nonce{};  // zero: the topic of the group itself
};

// kInvalidArgument: neither of the two.
absl::StatusOr<Topic> ParseTopic(absl::string_view topic);

std::string ControlFrame(ControlKind kind, const google::protobuf::MessageLite& body);

struct ControlView {
  ControlKind kind{};
  absl::string_view body;
};

// kInvalidArgument: too short or an unknown version. An unknown kind is for the reader to ignore.
absl::StatusOr<ControlView> ParseControlFrame(absl::string_view frame);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_WIRE_H_
