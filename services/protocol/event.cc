#include "services/protocol/event.h"

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

void AppendContent(const Content& content, std::string* json) {
  absl::StrAppend(json, kMessageField);
  if (content.kind == Content::Kind::kText) {
    AppendJsonString(content.data, json);
  } else {
    absl::StrAppend(json, content.data);
  }
}

void AppendMessageFields(uint64_t offset, uint64_t previous, const Content& content,
                         std::string* json) {
  AppendContent(content, json);
  *json += ',';
  AppendPlace(offset, previous, json);
  absl::StrAppend(json, ",\"sent_at\":", content.sent_at_ms);
}

// A message in a reply to group_history: `{`, its content unless it is excluded, `end`.
struct HistoryItem {
  HistoryItem(const History::Entry& its_entry, const Fingerprint& reader)
      : entry(&its_entry),
        excluded(!entry->excluded_session.empty() && entry->excluded_session == reader) {
    if (!excluded) end = ",";
    AppendPlace(entry->offset, entry->previous, &end);
    end += excluded ? ",\"excluded\":true}" : absl::StrCat(",\"sent_at\":", entry->sent_at_ms, "}");
  }

  size_t bytes() const { return 1 + (excluded ? 0 : ContentBytes(Of(*entry))) + end.size(); }
  void Append(std::string* json) const {
    *json += '{';
    if (!excluded) AppendContent(Of(*entry), json);
    *json += end;
  }

  static Content Of(const History::Entry& entry) {
    return {.kind = entry.kind, .data = entry.data};
  }

  const History::Entry* entry;
  bool excluded;
  std::string end;
};

const char* JsonBool(bool value) { return value ? "true" : "false"; }

}  // namespace

std::string WelcomeEvent(uint64_t connection_id, absl::Duration ping_interval,
                         const WelcomeLimits& limits) {
  return absl::StrFormat(R"({"event":"welcome","connection_id":"%016x","ping_interval_ms":%d,)"
                         R"("limits":{"message_bytes":%d,"groups":%d,"frame_bytes":%d,)"
                         R"("key_bytes":%d,"key_window_ms":%d}})",
                         connection_id, absl::ToInt64Milliseconds(ping_interval),
                         limits.message_bytes, limits.groups, limits.frame_bytes, limits.key_bytes,
                         absl::ToInt64Milliseconds(limits.key_window));
}

std::string PongReply(absl::string_view id) {
  return absl::StrCat(R"({"event":"reply","id":)", id, R"(,"pong":true})");
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
  for (auto item = items.rbegin(); item != items.rend(); ++item) {
    if (item != items.rbegin()) json += ',';
    item->Append(&json);
  }
  json += "]}";
  return json;
}

std::string ErrorEvent(const CommandError& error) {
  std::string json = R"({"event":"error")";
  if (!error.id.empty()) absl::StrAppend(&json, ",\"id\":", error.id);
  if (!error.cmd.empty()) absl::StrAppend(&json, ",\"cmd\":\"", error.cmd, "\"");
  absl::StrAppend(&json, ",", ErrorFields(error.code, error.message), "}");
  return json;
}

std::string MessageEvent(const Message& message) {
  std::string json = R"({"event":"message","group_id":)";
  json.reserve(message.content.data.size() + message.group_id.size() + 128);
  AppendJsonString(message.group_id, &json);
  json += ',';
  AppendMessageFields(message.offset, message.previous, message.content, &json);
  json += '}';
  return json;
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
  return absl::StrCat(R"({"event":"closing","code":)", static_cast<int>(code), R"(,"reason":)",
                      Quoted(reason), R"(,"reconnect_after_ms":)",
                      absl::ToInt64Milliseconds(reconnect_after), "}");
}

}  // namespace groupcast::service
