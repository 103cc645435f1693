#include "tools/groupcast/message_text.h"

#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>

#include "absl/strings/str_cat.h"
#include "tools/groupcast/position_text.h"

namespace groupcast::cli {

std::string MessageLine(const Message& message) {
  return absl::StrCat(message.text.has_value() ? *message.text : message.json, "\n");
}

std::string JsonString(absl::string_view text) {
  return boost::json::serialize(boost::json::string_view(text.data(), text.size()));
}

namespace {

std::string FromField(const std::optional<Sender>& from) {
  if (!from.has_value()) return "";
  return absl::StrCat(",\"from\":{\"connection_id\":", JsonString(from->connection_id),
                      from->user.empty() ? "" : ",\"user\":",
                      from->user.empty() ? "" : JsonString(from->user), "}");
}

}  // namespace

std::string MessageJson(const Message& message) {
  // The message itself stays byte for byte: its numbers may have more digits than a double.
  return absl::StrCat("{\"group_id\":", JsonString(message.group_id), ",\"message\":", message.json,
                      ",\"offset\":", message.offset, ",\"previous\":", message.previous,
                      ",\"epoch\":", JsonString(message.epoch), FromField(message.from),
                      ",\"sent_at\":", absl::ToUnixMillis(message.sent_at),
                      ",\"position\":", JsonString(PositionText(message.position())), "}\n");
}

}  // namespace groupcast::cli
