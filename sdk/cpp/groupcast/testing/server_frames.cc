#include "groupcast/testing/server_frames.h"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "groupcast/json_scanner.h"

namespace groupcast {
namespace {

namespace json = boost::json;

// As deep as a message may be, and the command around it.
constexpr size_t kDepthMax = 64;

// Takes the fields out of a command. A field of another type makes it invalid.
class Fields {
 public:
  explicit Fields(const json::object& object) : object_(object) {}

  void Get(absl::string_view name, std::string* to) {
    const json::value* value = Find(name);
    if (value == nullptr) return;
    if (!value->is_string()) return Refuse(name);
    *to = std::string(value->get_string().data(), value->get_string().size());
  }

  void Get(absl::string_view name, bool* to) {
    const json::value* value = Find(name);
    if (value == nullptr) return;
    if (!value->is_bool()) return Refuse(name);
    *to = value->get_bool();
  }

  void Get(absl::string_view name, std::optional<uint64_t>* to) {
    const json::value* value = Find(name);
    if (value == nullptr) return;
    if (!value->is_int64() || value->get_int64() < 0) return Refuse(name);
    *to = static_cast<uint64_t>(value->get_int64());
  }

  void Get(absl::string_view name, std::optional<Position>* to) {
    const json::value* value = Find(name);
    if (value == nullptr) return;
    if (!value->is_object()) return Refuse(name);
    Fields fields(value->get_object());
    Position position;
    std::optional<uint64_t> offset;
    fields.Get("epoch", &position.epoch);
    fields.Get("offset", &offset);
    if (!fields.error().empty() || !offset.has_value()) return Refuse(name);
    position.offset = *offset;
    *to = position;
  }

  // The field that is wrong; empty if none is.
  const std::string& error() const { return error_; }

 private:
  const json::value* Find(absl::string_view name) const {
    return object_.if_contains({name.data(), name.size()});
  }
  void Refuse(absl::string_view name) { error_ = std::string(name); }

  const json::object& object_;
  std::string error_;
};

}  // namespace

absl::StatusOr<ReceivedCommand> ParseCommand(absl::string_view frame) {
  json::parse_options options;
  options.max_depth = kDepthMax;
  boost::system::error_code error;
  const json::value value = json::parse({frame.data(), frame.size()}, error, {}, options);
  if (error || !value.is_object()) {
    return absl::InvalidArgumentError(absl::StrCat("not a command: ", frame));
  }
  ReceivedCommand command;
  Fields fields(value.get_object());
  std::optional<uint64_t> id;
  fields.Get("cmd", &command.cmd);
  fields.Get("group_id", &command.group_id);
  fields.Get("id", &id);
  fields.Get("key", &command.key);
  fields.Get("exclude_self", &command.exclude_self);
  fields.Get("since", &command.since);
  fields.Get("history", &command.history);
  fields.Get("limit", &command.limit);
  fields.Get("presence", &command.presence);
  fields.Get("count_only", &command.count_only);
  fields.Get("after", &command.after);
  fields.Get("token", &command.token);
  if (!fields.error().empty() || command.cmd.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("a command without a valid \"",
                                                   command.cmd.empty() ? "cmd" : fields.error(),
                                                   "\": ", frame));
  }
  command.id = id.value_or(0);
  command.message = CompactJson(JsonScanner(frame).Find("message"));
  return command;
}

std::string CompactJson(absl::string_view json) {
  std::string compact;
  bool quoted = false;
  for (size_t i = 0; i < json.size(); ++i) {
    if (json[i] == '"') quoted = !quoted;
    if (quoted && json[i] == '\\') compact += json[i++];
    if (quoted || !absl::ascii_isspace(json[i])) compact += json[i];
  }
  return compact;
}

std::string QuoteJson(absl::string_view text) {
  return json::serialize(json::string_view(text.data(), text.size()));
}

std::optional<std::string> UnquoteJson(absl::string_view text) {
  boost::system::error_code error;
  const json::value value = json::parse({text.data(), text.size()}, error);
  if (error || !value.is_string()) return std::nullopt;
  return std::string(value.get_string().data(), value.get_string().size());
}

std::string WelcomeFrame(absl::string_view connection_id) {
  return absl::StrCat(R"({"event":"welcome","connection_id":)", QuoteJson(connection_id),
                      R"(,"ping_interval_ms":25000,"limits":{"message_bytes":65536,"groups":128,)"
                      R"("frame_bytes":1048576,"key_bytes":64,"key_window_ms":120000}})");
}

std::string PositionReplyFrame(uint64_t id, absl::string_view group_id, const Position& position,
                               std::optional<bool> recovered) {
  std::string frame =
      absl::StrCat(R"({"event":"reply","id":)", id, R"(,"group_id":)", QuoteJson(group_id),
                   R"(,"epoch":)", QuoteJson(position.epoch), R"(,"offset":)", position.offset);
  if (recovered.has_value()) {
    absl::StrAppend(&frame, R"(,"recovered":)", *recovered ? "true" : "false");
  }
  return absl::StrCat(frame, "}");
}

std::string ErrorFrame(uint64_t id, absl::string_view word, bool retry) {
  return absl::StrCat(R"({"event":"error",)", id == 0 ? "" : absl::StrCat(R"("id":)", id, ","),
                      R"("code":)", QuoteJson(word), R"(,"message":"as scripted","retry":)",
                      retry ? "true" : "false", "}");
}

std::string MessageFields(absl::string_view json, uint64_t previous, uint64_t offset,
                          int64_t sent_at_ms) {
  return absl::StrCat(R"("message":)", json, R"(,"offset":)", offset, R"(,"previous":)", previous,
                      R"(,"sent_at":)", sent_at_ms);
}

std::string ExcludedFields(uint64_t previous, uint64_t offset) {
  return absl::StrCat(R"("offset":)", offset, R"(,"previous":)", previous, R"(,"excluded":true)");
}

std::string MessageFrame(absl::string_view group_id, absl::string_view fields) {
  return absl::StrCat(R"({"event":"message","group_id":)", QuoteJson(group_id), ",", fields, "}");
}

}  // namespace groupcast
