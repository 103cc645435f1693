#include "services/protocol/event.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "services/protocol/json.h"

namespace groupcast::service {
namespace {

std::string Quoted(absl::string_view text) {
  std::string json;
  AppendJsonString(text, &json);
  return json;
}

std::string PositionFields(const Position& position) {
  return absl::StrCat("\"epoch\":\"", EpochText(position.epoch), "\",\"offset\":", position.offset);
}

std::string ErrorFields(ErrorCode code, absl::string_view message) {
  return absl::StrCat("\"code\":\"", ErrorWord(code), "\",\"message\":", Quoted(message),
                      ",\"retry\":", MayWorkLater(code) ? "true" : "false");
}

// `"offset":…,"previous":…`, the end that all messages have.
void AppendPlace(uint64_t offset, uint64_t previous, std::string* json) {
  absl::StrAppend(json, "\"offset\":", offset, ",\"previous\":", previous);
}

// `"message":…`, and its size.
constexpr absl::string_view kMessageField = "\"message\":";

size_t ContentBytes(const Content& content) {
  return kMessageField.size() + (content.kind == Content::Kind::kText
                                     ? JsonStringBytes(content.data)
                                     : content.data.size());
}

// Returns the end of what it has written.
char* WriteContent(const Content& content, char* to) {
  to = std::copy(kMessageField.begin(), kMessageField.end(), to);
  if (content.kind == Content::Kind::kText) return WriteJsonString(content.data, to);
  return std::copy(content.data.begin(), content.data.end(), to);
}

// A message in a reply to group_history: `{`, its content unless it is excluded, `end`.
struct HistoryItem {
  HistoryItem(const History::Entry& its_entry, const Fingerprint& reader)
      : entry(&its_entry),
        excluded(!entry->excluded_session.empty() && entry->excluded_session == reader) {
    if (!excluded) end = ",";
    AppendPlace(entry->offset, entry->previous, &end);
    if (excluded) {
      end += ",\"excluded\":true}";
      return;
    }
    if (!entry->from.empty()) absl::StrAppend(&end, ",\"from\":", entry->from);
    absl::StrAppend(&end, ",\"sent_at\":", entry->sent_at_ms, "}");
  }

  size_t bytes() const { return 1 + (excluded ? 0 : ContentBytes(Of(*entry))) + end.size(); }
  // Returns the end of what it has written.
  char* Write(char* to) const {
    *to++ = '{';
    if (!excluded) to = WriteContent(Of(*entry), to);
    return std::copy(end.begin(), end.end(), to);
  }

  static Content Of(const History::Entry& entry) {
    return {.kind = entry.kind, .data = entry.data};
  }

  const History::Entry* entry;
  bool excluded;
  std::string end;
};

std::string MemberJson(const MemberFields& member, bool with_details) {
  std::string json = absl::StrFormat("\"connection_id\":\"%016x\"", member.connection_id);
  if (!member.user.empty()) absl::StrAppend(&json, ",\"user\":", Quoted(member.user));
  if (!with_details) return json;
  if (!member.info.empty()) absl::StrAppend(&json, ",\"info\":", member.info);
  absl::StrAppend(&json, ",\"since\":", member.since_ms);
  return json;
}

const char* JsonBool(bool value) { return value ? "true" : "false"; }

}  // namespace

std::string WelcomeEvent(uint64_t connection_id, absl::Duration ping_interval,
                         const WelcomeLimits& limits, absl::string_view user) {
  return absl::StrFormat(
      R"({"event":"welcome","connection_id":"%016x",%s"ping_interval_ms":%d,)"
      R"("limits":{"message_bytes":%d,"groups":%d,"frame_bytes":%d,)"
      R"("key_bytes":%d,"key_window_ms":%d}})",
      connection_id, user.empty() ? "" : absl::StrCat("\"user\":", Quoted(user), ","),
      absl::ToInt64Milliseconds(ping_interval), limits.message_bytes, limits.groups,
      limits.frame_bytes, limits.key_bytes, absl::ToInt64Milliseconds(limits.key_window));
}

std::string PongReply(absl::string_view id) {
  return absl::StrCat(R"({"event":"reply","id":)", id, R"(,"pong":true})");
}

std::string AuthenticateReply(absl::string_view id, absl::string_view user, absl::Time expires) {
  std::string json = absl::StrCat(R"({"event":"reply","id":)", id);
  if (!user.empty()) absl::StrAppend(&json, ",\"user\":", Quoted(user));
  if (expires != absl::InfiniteFuture()) {
    absl::StrAppend(&json, ",\"expires_at\":", absl::ToUnixMillis(expires));
  }
  json += '}';
  return json;
}

std::string LeaveReply(absl::string_view id, absl::string_view group_id) {
  return absl::StrCat(R"({"event":"reply","id":)", id, R"(,"group_id":)", Quoted(group_id), "}");
}

std::string PositionReply(absl::string_view id, absl::string_view group_id,
                          const Position& position, std::optional<bool> recovered) {
  return absl::StrCat(
      R"({"event":"reply","id":)", id, R"(,"group_id":)", Quoted(group_id), ",",
      PositionFields(position),
      recovered.has_value() ? absl::StrCat(",\"recovered\":", JsonBool(*recovered)) : "", "}");
}

std::string ResultsReply(absl::string_view id, const std::vector<SendResult>& results) {
  std::string json = absl::StrCat(R"({"event":"reply","id":)", id, R"(,"results":[)");
  const char* separator = "";
  for (const SendResult& result : results) {
    absl::StrAppend(&json, separator, R"({"group_id":)", Quoted(result.group_id), ",",
                    result.error.empty() ? PositionFields(result.position)
                                         : ErrorFields(result.code, result.error),
                    "}");
    separator = ",";
  }
  json += "]}";
  return json;
}

std::string HistoryReplyHead(absl::string_view id) {
  return absl::StrCat(R"({"event":"reply","id":)", id);
}

std::string HistoryReplyBody(absl::string_view group_id, const std::optional<Position>& since,
                             const History& history, const Fingerprint& reader, size_t bytes_max) {
  // From the newest, as far as there is room. An item that has none costs no writing.
  std::vector<HistoryItem> items;
  size_t bytes = 0;
  uint64_t begin = history.head.offset;  // before the first that is in the reply
  for (auto entry = history.messages.rbegin(); entry != history.messages.rend(); ++entry) {
    HistoryItem item(*entry, reader);
    const size_t item_bytes = item.bytes();
    if (!items.empty() && bytes + item_bytes > bytes_max) break;
    bytes += item_bytes + 1;
    begin = entry->previous;
    items.push_back(std::move(item));
  }
  std::string json =
      absl::StrCat(",\"group_id\":", Quoted(group_id), ",", PositionFields(history.head));
  json.reserve(json.size() + bytes + 64);
  if (since.has_value()) {
    const bool recovered = since->epoch == history.head.epoch && since->offset >= begin &&
                           since->offset >= history.floor && since->offset <= history.head.offset;
    absl::StrAppend(&json, ",\"recovered\":", JsonBool(recovered));
  }
  json += ",\"messages\":[";
  // `bytes` counts a comma for each item, and so one too many.
  const size_t begin_bytes = json.size();
  json.resize(begin_bytes + bytes - (items.empty() ? 0 : 1));
  char* to = json.data() + begin_bytes;
  for (auto item = items.rbegin(); item != items.rend(); ++item) {
    if (item != items.rbegin()) *to++ = ',';
    to = item->Write(to);
  }
  json += "]}";
  return json;
}

MembersReplyWriter::MembersReplyWriter(absl::string_view id, absl::string_view group_id,
                                       size_t count)
    : json_(absl::StrCat("{\"event\":\"reply\",\"id\":", id, ",\"group_id\":", Quoted(group_id),
                         ",\"count\":", count)) {}

void MembersReplyWriter::BeginMembers() {
  json_ += ",\"members\":[";
  has_members_ = true;
}

void MembersReplyWriter::Add(const MemberFields& member) {
  absl::StrAppend(&json_, std::exchange(has_one_, true) ? ",{" : "{",
                  MemberJson(member, /*with_details=*/true), "}");
}

std::string MembersReplyWriter::Finish(std::optional<uint64_t> next) {
  if (has_members_) json_ += "]";
  if (next.has_value()) absl::StrAppendFormat(&json_, ",\"next\":\"%016x\"", *next);
  json_ += "}";
  return std::move(json_);
}

std::string MemberJoinedEvent(absl::string_view group_id, const MemberFields& member) {
  return absl::StrCat("{\"event\":\"member_joined\",\"group_id\":", Quoted(group_id), ",",
                      MemberJson(member, /*with_details=*/true), "}");
}

std::string MemberLeftEvent(absl::string_view group_id, const MemberFields& member) {
  return absl::StrCat("{\"event\":\"member_left\",\"group_id\":", Quoted(group_id), ",",
                      MemberJson(member, /*with_details=*/false), "}");
}

std::string ErrorEvent(const CommandError& error) {
  std::string json = R"({"event":"error")";
  if (!error.id.empty()) absl::StrAppend(&json, ",\"id\":", error.id);
  if (!error.cmd.empty()) absl::StrAppend(&json, ",\"cmd\":\"", error.cmd, "\"");
  if (!error.group_id.empty()) {
    absl::StrAppend(&json, ",\"group_id\":", Quoted(error.group_id));
  }
  absl::StrAppend(&json, ",", ErrorFields(error.code, error.message), "}");
  return json;
}

std::string SenderJson(absl::string_view user, uint64_t connection_id) {
  return absl::StrCat("{", user.empty() ? "" : absl::StrCat("\"user\":", Quoted(user), ","),
                      "\"connection_id\":\"", absl::Hex(connection_id, absl::kZeroPad16), "\"}");
}

std::string MessageEvent(const Message& message) {
  const MessageEventWriter writer(message);
  std::string json(writer.bytes(), '\0');
  writer.Write(json.data());
  return json;
}

MessageEventWriter::MessageEventWriter(const Message& message)
    : content_(message.content),
      content_bytes_(ContentBytes(content_)),
      around_(R"({"event":"message","group_id":)") {
  around_.reserve(around_.size() + message.group_id.size() + 120);
  AppendJsonString(message.group_id, &around_);
  around_ += ',';
  before_bytes_ = around_.size();
  around_ += ',';
  AppendPlace(message.offset, message.previous, &around_);
  if (!content_.from.empty()) absl::StrAppend(&around_, ",\"from\":", content_.from);
  absl::StrAppend(&around_, ",\"sent_at\":", content_.sent_at_ms, "}");
}

void MessageEventWriter::Write(char* to) const {
  std::memcpy(to, around_.data(), before_bytes_);
  to = WriteContent(content_, to + before_bytes_);
  std::memcpy(to, around_.data() + before_bytes_, around_.size() - before_bytes_);
}

std::string ExcludedEvent(absl::string_view group_id, uint64_t offset, uint64_t previous) {
  std::string json = absl::StrCat(R"({"event":"message","group_id":)", Quoted(group_id), ",");
  AppendPlace(offset, previous, &json);
  json += ",\"excluded\":true}";
  return json;
}

std::string GapEvent(absl::string_view group_id, const Gap& gap) {
  return absl::StrCat(R"({"event":"gap","group_id":)", Quoted(group_id), R"(,"epoch":")",
                      EpochText(gap.to.epoch), R"(","from":)",
                      gap.new_epoch ? std::string("null") : absl::StrCat(gap.from),
                      ",\"to\":", gap.to.offset, "}");
}

std::string ClosingEvent(CloseCode code, absl::string_view reason, absl::Duration reconnect_after) {
  std::string event = absl::StrCat(R"({"event":"closing","code":)", static_cast<int>(code),
                                   R"(,"reason":)", Quoted(reason));
  if (MayReconnect(code)) {
    absl::StrAppend(&event, R"(,"reconnect_after_ms":)",
                    absl::ToInt64Milliseconds(reconnect_after));
  }
  return event + "}";
}

}  // namespace groupcast::service
