#include "services/channel/wire.h"

#include <bit>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "services/channel/group_id.h"

namespace groupcast::service {
namespace {

static_assert(std::endian::native == std::endian::little,
              "the wire is little-endian and integers are copied as they are");

// Offsets of the header's fields from the byte after NUL.
constexpr size_t kVersionAt = 0;
constexpr size_t kKindAt = 1;
constexpr size_t kFlagsAt = 2;
constexpr size_t kPublisherAt = 4;
constexpr size_t kNumberAt = 12;
constexpr size_t kEpochAt = 20;
constexpr size_t kOffsetAt = 28;
constexpr size_t kPreviousAt = 36;

constexpr uint8_t kKeyedFlag = 1;

uint64_t Load(const char* from) {
  uint64_t value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

void Store(char* to, uint64_t value) { std::memcpy(to, &value, sizeof(value)); }

absl::Status WrongVersion(uint8_t version) {
  return absl::InvalidArgumentError(
      absl::StrCat("wire version ", version, ", this side speaks ", kWireVersion));
}

}  // namespace

absl::StatusOr<LiveFrame> ParseLiveFrame(absl::string_view frame) {
  const absl::string_view front = frame.substr(0, kGroupIdBytesMax + 1);
  const size_t end = front.find('\0');
  if (end == absl::string_view::npos) return absl::InvalidArgumentError("no NUL ends the group id");
  LiveFrame parsed;
  parsed.group_id = frame.substr(0, end);
  if (const absl::string_view defect = GroupIdDefect(parsed.group_id); !defect.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("group_id ", defect));
  }
  frame.remove_prefix(end + 1);
  if (frame.size() < kLiveHeaderBytes) return absl::InvalidArgumentError("header cut short");
  const char* header = frame.data();
  const uint8_t version = header[kVersionAt];
  if (version != kWireVersion) return WrongVersion(version);
  parsed.header.kind = static_cast<LiveKind>(header[kKindAt]);
  if (parsed.header.kind < LiveKind::kPublication || parsed.header.kind > LiveKind::kVoid) {
    return absl::InvalidArgumentError(
        absl::StrCat("unknown kind ", static_cast<int>(parsed.header.kind)));
  }
  const uint8_t flags = header[kFlagsAt];
  if ((flags & ~kKeyedFlag) != 0) {
    return absl::InvalidArgumentError(absl::StrCat("unknown flags ", static_cast<int>(flags)));
  }
  parsed.header.publisher = PublisherId{Load(header + kPublisherAt)};
  parsed.header.number = Load(header + kNumberAt);
  parsed.header.epoch = Epoch{Load(header + kEpochAt)};
  parsed.header.offset = Load(header + kOffsetAt);
  parsed.header.previous = Load(header + kPreviousAt);
  parsed.body = frame.substr(kLiveHeaderBytes);
  if ((flags & kKeyedFlag) != 0) {
    if (parsed.body.size() < kKeyBytes) return absl::InvalidArgumentError("key cut short");
    parsed.header.key = {Load(parsed.body.data()), Load(parsed.body.data() + 8)};
    if (parsed.header.key.empty()) return absl::InvalidArgumentError("an empty key");
    parsed.body.remove_prefix(kKeyBytes);
  }
  return parsed;
}

void WriteLiveFramePrefix(absl::string_view group_id, const LiveHeader& header, char* to) {
  std::memcpy(to, group_id.data(), group_id.size());
  char* at = to + group_id.size();
  *at++ = '\0';
  std::memset(at, 0, kPublisherAt);
  at[kVersionAt] = static_cast<char>(kWireVersion);
  at[kKindAt] = static_cast<char>(header.kind);
  Store(at + kPublisherAt, static_cast<uint64_t>(header.publisher));
  Store(at + kNumberAt, header.number);
  Store(at + kEpochAt, static_cast<uint64_t>(header.epoch));
  Store(at + kOffsetAt, header.offset);
  Store(at + kPreviousAt, header.previous);
  if (header.key.empty()) return;
  at[kFlagsAt] = static_cast<char>(kKeyedFlag);
  Store(at + kLiveHeaderBytes, header.key.high);
  Store(at + kLiveHeaderBytes + 8, header.key.low);
}

std::string LiveFramePrefix(absl::string_view group_id, const LiveHeader& header) {
  std::string prefix(LiveFramePrefixBytes(group_id, header.key), '\0');
  WriteLiveFramePrefix(group_id, header, prefix.data());
  return prefix;
}

void PatchNumber(absl::Span<char> frame, size_t group_id_bytes, uint64_t number,
                 uint64_t first_unacknowledged) {
  char* at = frame.data() + group_id_bytes + 1;
  Store(at + kNumberAt, number);
  Store(at + kOffsetAt, first_unacknowledged);
}

void PatchIntoMessage(absl::Span<char> frame, size_t group_id_bytes, const Position& position,
                      uint64_t previous) {
  char* at = frame.data() + group_id_bytes + 1;
  at[kKindAt] = static_cast<char>(LiveKind::kMessage);
  Store(at + kEpochAt, static_cast<uint64_t>(position.epoch));
  Store(at + kOffsetAt, position.offset);
  Store(at + kPreviousAt, previous);
}

std::string TopicOf(absl::string_view group_id) {
  return absl::StrCat(group_id, absl::string_view("\0", 1));
}

std::string ProofTopicOf(absl::string_view group_id, PublisherId nonce) {
  std::string topic =
      LiveFramePrefix(group_id, {.kind = LiveKind::kAnnouncement, .publisher = nonce});
  topic.resize(group_id.size() + 1 + kNumberAt);
  return topic;
}

absl::StatusOr<Topic> ParseTopic(absl::string_view topic) {
  const size_t end = topic.find('\0');
  if (end == absl::string_view::npos) return absl::InvalidArgumentError("no NUL ends the group id");
  Topic parsed{.group_id = topic.substr(0, end)};
  if (const absl::string_view defect = GroupIdDefect(parsed.group_id); !defect.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("group_id ", defect));
  }
  if (topic.size() == end + 1) return parsed;
  if (topic.size() == end + 1 + kNumberAt) {
    parsed.nonce = PublisherId{Load(topic.data() + end + 1 + kPublisherAt)};
    const bool is_proof = topic == ProofTopicOf(parsed.group_id, parsed.nonce);
    if (is_proof && parsed.nonce != PublisherId{}) return parsed;
  }
  return absl::InvalidArgumentError("something else follows the group id");
}

std::string ControlFrame(ControlKind kind, const google::protobuf::MessageLite& body) {
  std::string frame(kControlHeaderBytes, '\0');
  frame[0] = static_cast<char>(kWireVersion);
  frame[1] = static_cast<char>(kind);
  body.AppendToString(&frame);
  return frame;
}

absl::StatusOr<ControlView> ParseControlFrame(absl::string_view frame) {
  if (frame.size() < kControlHeaderBytes) return absl::InvalidArgumentError("header cut short");
  const uint8_t version = frame[0];
  if (version != kWireVersion) return WrongVersion(version);
  return ControlView{.kind = static_cast<ControlKind>(frame[1]),
                     .body = frame.substr(kControlHeaderBytes)};
}

}  // namespace groupcast::service
