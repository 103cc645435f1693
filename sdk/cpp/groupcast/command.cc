#include "groupcast/command.h"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>
#include <boost/json/value.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace groupcast {
namespace {

namespace json = boost::json;

constexpr size_t kGroupIdBytesMax = 128;

// The server lets brackets nest 64 deep, and the command around the message is the first.
constexpr size_t kMessageDepthMax = 63;

constexpr size_t kEpochDigits = 16;
constexpr uint64_t kOffsetMax = (uint64_t{1} << 53) - 1;
constexpr size_t kSessionIdBytesMax = 64;
constexpr size_t kTokenBytesMax = 8 * 1024;

std::string Quote(absl::string_view text) {
  return json::serialize(json::string_view(text.data(), text.size()));
}

void AppendSince(std::string* frame, const Position& since) {
  absl::StrAppend(frame, R"(,"since":{"epoch":)", Quote(since.epoch), R"(,"offset":)", since.offset,
                  "}");
}

boost::system::error_code Parse(absl::string_view text) {
  json::parse_options options;
  options.max_depth = kMessageDepthMax;
  boost::system::error_code error;
  json::parse(json::string_view(text.data(), text.size()), error, {}, options);
  return error;
}

// U+0000 to U+001F and U+007F to U+009F, in valid UTF-8.
bool HasControlCharacter(absl::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 || byte == 0x7F) return true;
    if (byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0) {
      return true;
    }
  }
  return false;
}

}  // namespace

absl::Status CheckGroupId(absl::string_view group_id) {
  if (group_id.empty() || group_id.size() > kGroupIdBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat("a group id has 1 to ", kGroupIdBytesMax,
                                                   " bytes, this one ", group_id.size()));
  }
  if (!EncodeText(group_id).ok()) return absl::InvalidArgumentError("the group id is not UTF-8");
  if (HasControlCharacter(group_id)) {
    return absl::InvalidArgumentError("the group id has a control character");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> EncodeText(absl::string_view text) {
  std::string quoted = Quote(text);
  // The serializer copies bytes as they are; the parser is what knows UTF-8.
  if (Parse(quoted)) return absl::InvalidArgumentError("the text is not UTF-8");
  return quoted;
}

absl::Status CheckJson(absl::string_view json) {
  if (const auto error = Parse(json)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the message is not a JSON value: ", error.message()));
  }
  return absl::OkStatus();
}

absl::Status CheckPosition(const Position& position) {
  if (position.epoch.size() != kEpochDigits ||
      !std::all_of(position.epoch.begin(), position.epoch.end(), absl::ascii_isxdigit)) {
    return absl::InvalidArgumentError("an epoch is 16 hexadecimal digits");
  }
  if (position.offset > kOffsetMax) return absl::InvalidArgumentError("an offset is below 2^53");
  return absl::OkStatus();
}

absl::Status CheckSessionId(absl::string_view session_id) {
  const auto allowed = [](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '_' || c == '-';
  };
  if (session_id.empty() || session_id.size() > kSessionIdBytesMax ||
      !std::all_of(session_id.begin(), session_id.end(), allowed)) {
    return absl::InvalidArgumentError(
        absl::StrCat("a session id is 1 to ", kSessionIdBytesMax, " of A-Z, a-z, 0-9, _ and -"));
  }
  return absl::OkStatus();
}

absl::Status CheckToken(absl::string_view token) {
  if (token.size() > kTokenBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("a token has up to ", kTokenBytesMax, " bytes, this one ", token.size()));
  }
  // What a header may list. Anything else could be taken for another header.
  const auto allowed = [](unsigned char c) {
    return absl::ascii_isalnum(c) || absl::StrContains("-._~+/=!#$%&'*^`|", c);
  };
  if (!std::all_of(token.begin(), token.end(), allowed)) {
    return absl::InvalidArgumentError("the token has a character that no token has");
  }
  return absl::OkStatus();
}

std::string AddGroupFrame(absl::string_view group_id, const JoinOptions& options, bool presence,
                          CommandId id) {
  std::string frame = absl::StrCat(R"({"cmd":"add_group","group_id":)", Quote(group_id));
  if (options.since.has_value()) AppendSince(&frame, *options.since);
  if (options.history > 0) absl::StrAppend(&frame, R"(,"history":)", options.history);
  if (presence) absl::StrAppend(&frame, R"(,"presence":true)");
  absl::StrAppend(&frame, R"(,"id":)", static_cast<uint64_t>(id), "}");
  return frame;
}

std::string LeaveGroupFrame(absl::string_view group_id, CommandId id) {
  return absl::StrCat(R"({"cmd":"leave_group","group_id":)", Quote(group_id), R"(,"id":)",
                      static_cast<uint64_t>(id), "}");
}

std::string SendToGroupFrame(absl::string_view group_id, absl::string_view message_json,
                             const SendOptions& options, const SendKey& key) {
  const uint64_t id = static_cast<uint64_t>(key.id);
  return absl::StrCat(R"({"cmd":"send_to_group","group_id":)", Quote(group_id), R"(,"message":)",
                      message_json, options.exclude_self ? R"(,"exclude_self":true)" : "",
                      R"(,"key":")", key.prefix, id, R"(","id":)", id, "}");
}

std::string GroupHistoryFrame(absl::string_view group_id, const HistoryOptions& options,
                              CommandId id) {
  std::string frame = absl::StrCat(R"({"cmd":"group_history","group_id":)", Quote(group_id));
  if (options.since.has_value()) AppendSince(&frame, *options.since);
  absl::StrAppend(&frame, R"(,"limit":)", options.limit, R"(,"id":)", static_cast<uint64_t>(id),
                  "}");
  return frame;
}

std::string GroupMembersFrame(absl::string_view group_id, const MembersOptions& options,
                              CommandId id) {
  std::string frame = absl::StrCat(R"({"cmd":"group_members","group_id":)", Quote(group_id));
  if (options.count_only) {
    absl::StrAppend(&frame, R"(,"count_only":true)");
  } else {
    absl::StrAppend(&frame, R"(,"limit":)", options.limit);
    if (!options.after.empty()) absl::StrAppend(&frame, R"(,"after":)", Quote(options.after));
  }
  absl::StrAppend(&frame, R"(,"id":)", static_cast<uint64_t>(id), "}");
  return frame;
}

std::string PingFrame(CommandId id) {
  return absl::StrCat(R"({"cmd":"ping","id":)", static_cast<uint64_t>(id), "}");
}

std::string AuthenticateFrame(absl::string_view token, CommandId id) {
  return absl::StrCat(R"({"cmd":"authenticate","token":)", Quote(token), R"(,"id":)",
                      static_cast<uint64_t>(id), "}");
}

}  // namespace groupcast
