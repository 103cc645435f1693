#include "services/http_gateway/event_stream.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/protocol/event.h"

namespace groupcast::service {
namespace {

constexpr size_t kEpochDigits = 16;
// Offsets are below it (docs/protocol.md).
constexpr uint64_t kOffsetEnd = uint64_t{1} << 53;

std::string PositionText(const Position& position) {
  return absl::StrCat(EpochText(position.epoch), "-", position.offset);
}

bool ReadOffset(absl::string_view text, uint64_t* offset) {
  return !text.empty() && std::all_of(text.begin(), text.end(), absl::ascii_isdigit) &&
         absl::SimpleAtoi(text, offset) && *offset < kOffsetEnd;
}

bool ReadEpoch(absl::string_view text, Epoch* epoch) {
  uint64_t number = 0;
  if (text.size() != kEpochDigits || !std::all_of(text.begin(), text.end(), absl::ascii_isxdigit) ||
      !absl::SimpleHexAtoi(text, &number)) {
    return false;
  }
  *epoch = Epoch{number};
  return true;
}

// A group id has no line ends (GroupIdDefect), so it can stand in a comment.
std::string Comment(absl::string_view group_id, const Position& position) {
  return absl::StrCat(":", PositionText(position), " ", group_id, "\n");
}

SharedBytes MessageEventBlock(absl::string_view before, const Message& message,
                              absl::string_view after) {
  const MessageEventWriter event(message);
  constexpr absl::string_view kData = "data: ";
  const size_t size = before.size() + kData.size() + event.bytes() + after.size();
  return SharedBytes::Make(size, [&](char* to) {
    to = std::copy(before.begin(), before.end(), to);
    to = std::copy(kData.begin(), kData.end(), to);
    event.Write(to);
    std::copy(after.begin(), after.end(), to + event.bytes());
  });
}

}  // namespace

std::string EventId(const std::vector<Position>& positions) {
  std::string id;
  Epoch last{};
  for (const Position& position : positions) {
    const bool repeats = !id.empty() && position.epoch == last;
    absl::StrAppend(&id, id.empty() ? "" : ",",
                    repeats ? absl::StrCat(position.offset) : PositionText(position));
    last = position.epoch;
  }
  return id;
}

std::optional<std::vector<Position>> ReadEventId(absl::string_view id, size_t groups) {
  std::vector<Position> positions;
  std::optional<Epoch> epoch;
  for (const absl::string_view item : absl::StrSplit(id, ',')) {
    absl::string_view offset = item;
    if (absl::StrContains(item, '-')) {
      const std::pair<absl::string_view, absl::string_view> parts =
          absl::StrSplit(item, absl::MaxSplits('-', 1));
      if (!ReadEpoch(parts.first, &epoch.emplace())) return std::nullopt;
      offset = parts.second;
    }
    Position position;
    if (!epoch.has_value() || positions.size() == groups || !ReadOffset(offset, &position.offset)) {
      return std::nullopt;
    }
    position.epoch = *epoch;
    positions.push_back(position);
  }
  if (positions.size() != groups) return std::nullopt;
  return positions;
}

std::string StreamEvent(absl::string_view name, absl::string_view id, absl::string_view json) {
  return absl::StrCat("event: ", name, "\n", id.empty() ? "" : absl::StrCat("id: ", id, "\n"),
                      "data: ", json, "\n\n");
}

SharedBytes GroupStreamEncoding::EncodeMessage(const Message& message) const {
  return MessageEventBlock(
      absl::StrCat("id: ", PositionText({message.epoch, message.offset}), "\n"), message, "\n\n");
}

SharedBytes GroupStreamEncoding::EncodeExcluded(absl::string_view group_id,
                                                const Position& position, uint64_t previous) const {
  return SharedBytes::Join({"id: ", PositionText(position), "\ndata: ",
                            ExcludedEvent(group_id, position.offset, previous), "\n\n"});
}

SharedBytes GroupStreamEncoding::EncodeGap(absl::string_view group_id, const Gap& gap) const {
  return SharedBytes::Copy(StreamEvent("gap", PositionText(gap.to), GapEvent(group_id, gap)));
}

SharedBytes GroupStreamEncoding::EncodeEvent(absl::string_view head, absl::string_view rest) const {
  return SharedBytes::Join({head, rest});
}

SharedBytes GroupsStreamEncoding::EncodeMessage(const Message& message) const {
  return MessageEventBlock(Comment(message.group_id, {message.epoch, message.offset}), message,
                           "\n");
}

SharedBytes GroupsStreamEncoding::EncodeExcluded(absl::string_view group_id,
                                                 const Position& position,
                                                 uint64_t previous) const {
  return SharedBytes::Join({Comment(group_id, position),
                            "data: ", ExcludedEvent(group_id, position.offset, previous), "\n"});
}

SharedBytes GroupsStreamEncoding::EncodeGap(absl::string_view group_id, const Gap& gap) const {
  return SharedBytes::Join(
      {Comment(group_id, gap.to), "event: gap\ndata: ", GapEvent(group_id, gap), "\n"});
}

SharedBytes GroupsStreamEncoding::EncodeEvent(absl::string_view head,
                                              absl::string_view rest) const {
  return SharedBytes::Join({head, rest});
}

std::optional<StreamMove> ReadMove(absl::string_view bytes) {
  if (bytes.empty() || bytes.front() != ':') return std::nullopt;
  const absl::string_view line = bytes.substr(1, bytes.find('\n') - 1);
  const size_t dash = line.find('-');
  const size_t space = line.find(' ');
  StreamMove move;
  if (dash == absl::string_view::npos || space == absl::string_view::npos || space < dash ||
      !ReadEpoch(line.substr(0, dash), &move.position.epoch) ||
      !ReadOffset(line.substr(dash + 1, space - dash - 1), &move.position.offset)) {
    return std::nullopt;
  }
  move.group_id = line.substr(space + 1);
  return move;
}

}  // namespace groupcast::service
