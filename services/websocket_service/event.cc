#include "services/websocket_service/event.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "services/websocket_service/json.h"

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

}  // namespace

std::string WelcomeEvent(uint64_t connection_id, absl::Duration ping_interval,
                         const WelcomeLimits& limits) {
  return absl::StrFormat(R"({"event":"welcome","connection_id":"%016x","ping_interval_ms":%d,)"
                         R"("limits":{"message_bytes":%d,"groups":%d,"frame_bytes":%d}})",
                         connection_id, absl::ToInt64Milliseconds(ping_interval),
                         limits.message_bytes, limits.groups, limits.frame_bytes);
}

std::string PongReply(absl::string_view id) {
  return absl::StrCat(R"({"event":"reply","id":)", id, R"(,"pong":true})");
}

std::string LeaveReply(absl::string_view id, absl::string_view group_id) {
  return absl::StrCat(R"({"event":"reply","id":)", id, R"(,"group_id":)", Quoted(group_id), "}");
}

std::string PositionReply(absl::string_view id, absl::string_view group_id,
                          const Position& position) {
  return absl::StrCat(R"({"event":"reply","id":)", id, R"(,"group_id":)", Quoted(group_id), ",",
                      PositionFields(position), "}");
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
  json += ",\"message\":";
  if (message.content.kind == Content::Kind::kText) {
    AppendJsonString(message.content.data, &json);
  } else {
    absl::StrAppend(&json, message.content.data);
  }
  absl::StrAppend(&json, ",\"offset\":", message.offset, ",\"previous\":", message.previous,
                  ",\"sent_at\":", message.content.sent_at_ms, "}");
  return json;
}

std::string GapEvent(absl::string_view group_id, Epoch epoch, bool new_epoch, uint64_t from,
                     uint64_t to) {
  return absl::StrCat(R"({"event":"gap","group_id":)", Quoted(group_id), R"(,"epoch":")",
                      EpochText(epoch), R"(","from":)",
                      new_epoch ? std::string("null") : absl::StrCat(from), ",\"to\":", to, "}");
}

std::string ClosingEvent(CloseCode code, absl::string_view reason, absl::Duration reconnect_after) {
  return absl::StrCat(R"({"event":"closing","code":)", static_cast<int>(code), R"(,"reason":)",
                      Quoted(reason), R"(,"reconnect_after_ms":)",
                      absl::ToInt64Milliseconds(reconnect_after), "}");
}

}  // namespace groupcast::service
