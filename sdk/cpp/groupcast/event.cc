#include "groupcast/event.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "groupcast/json_scanner.h"

namespace groupcast {
namespace {

namespace json = boost::json;

// A message nests 63 deep at most; the rest is for fields that a newer server may add.
constexpr size_t kDepthMax = 80;

constexpr uint64_t kNumberMax = (uint64_t{1} << 53) - 1;

absl::Status Malformed(absl::string_view what) {
  return absl::InternalError(absl::StrCat("the server sent ", what));
}

absl::Status Malformed(absl::string_view event, absl::string_view field) {
  return Malformed(absl::StrCat("an event \"", event, "\" without a valid \"", field, "\""));
}

std::optional<std::string> GetString(const json::object& object, absl::string_view name) {
  const json::value* value = object.if_contains({name.data(), name.size()});
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return std::string(value->get_string().data(), value->get_string().size());
}

// All numbers of the protocol are below 2^53, so the parser has them as int64.
std::optional<uint64_t> GetNumber(const json::object& object, absl::string_view name) {
  const json::value* value = object.if_contains({name.data(), name.size()});
  if (value == nullptr || !value->is_int64() || value->get_int64() < 0) return std::nullopt;
  return static_cast<uint64_t>(value->get_int64());
}

std::optional<CommandId> GetId(const json::object& object) {
  const std::optional<uint64_t> id = GetNumber(object, "id");
  if (!id.has_value()) return std::nullopt;
  return CommandId{*id};
}

bool GetFlag(const json::object& object, absl::string_view name) {
  const json::value* value = object.if_contains({name.data(), name.size()});
  return value != nullptr && value->is_bool() && value->get_bool();
}

std::optional<Sender> GetSender(const json::object& object) {
  const json::value* from = object.if_contains("from");
  if (from == nullptr || !from->is_object()) return std::nullopt;
  std::optional<std::string> connection_id = GetString(from->get_object(), "connection_id");
  if (!connection_id.has_value()) return std::nullopt;
  return Sender{*std::move(connection_id), GetString(from->get_object(), "user").value_or("")};
}

// Everything of a message but its group. `bytes` are those of `object`; `event` is what has it.
absl::StatusOr<MessageEvent> ParseMessageFields(const json::object& object, absl::string_view bytes,
                                                absl::string_view event) {
  const std::optional<uint64_t> offset = GetNumber(object, "offset");
  if (!offset.has_value()) return Malformed(event, "offset");
  const std::optional<uint64_t> previous = GetNumber(object, "previous");
  if (!previous.has_value()) return Malformed(event, "previous");
  MessageEvent parsed;
  parsed.message.offset = *offset;
  parsed.message.previous = *previous;
  parsed.excluded = GetFlag(object, "excluded");
  if (parsed.excluded) return parsed;

  const std::optional<uint64_t> sent_at = GetNumber(object, "sent_at");
  if (!sent_at.has_value()) return Malformed(event, "sent_at");
  const json::value* value = object.if_contains("message");
  if (value == nullptr) return Malformed(event, "message");
  parsed.message.sent_at = absl::FromUnixMillis(static_cast<int64_t>(*sent_at));
  parsed.message.json = std::string(JsonScanner(bytes).Find("message"));
  if (parsed.message.json.empty()) parsed.message.json = json::serialize(*value);
  parsed.message.text = GetString(object, "message");
  parsed.message.from = GetSender(object);
  return parsed;
}

// `bytes` are those of `object`; `event` is what has it.
absl::StatusOr<Member> ParseMember(const json::object& object, absl::string_view bytes,
                                   absl::string_view event) {
  std::optional<std::string> connection_id = GetString(object, "connection_id");
  if (!connection_id.has_value()) return Malformed(event, "connection_id");
  Member member;
  member.connection_id = *std::move(connection_id);
  member.user = GetString(object, "user").value_or("");
  if (const json::value* info = object.if_contains("info")) {
    member.info_json = std::string(JsonScanner(bytes).Find("info"));
    if (member.info_json.empty()) member.info_json = json::serialize(*info);
  }
  const uint64_t since = std::min(GetNumber(object, "since").value_or(0), kNumberMax);
  member.since = absl::FromUnixMillis(static_cast<int64_t>(since));
  return member;
}

// The objects of the list `name` in a reply, which `parse` takes one by one, with the bytes of
// each.
template <typename T, typename Parse>
absl::StatusOr<std::vector<T>> ParseList(const json::object& reply, absl::string_view frame,
                                         absl::string_view name, Parse parse) {
  // Parsed once more, because a frame may name two fields so, and write one of the names in
  // escapes.
  std::string bytes(JsonScanner(frame).Find(name));
  if (bytes.empty()) bytes = json::serialize(reply.at({name.data(), name.size()}));
  json::parse_options options;
  options.max_depth = kDepthMax;
  boost::system::error_code error;
  const json::value value = json::parse(bytes, error, {}, options);
  if (error || !value.is_array()) return Malformed("reply", name);
  const json::array& array = value.get_array();
  const std::vector<absl::string_view> elements = JsonScanner(bytes).Elements();
  std::vector<T> list;
  list.reserve(array.size());
  for (size_t i = 0; i < array.size(); ++i) {
    if (!array[i].is_object()) return Malformed("reply", name);
    absl::StatusOr<T> element = parse(array[i].get_object(), elements[i], "reply");
    if (!element.ok()) return element.status();
    list.push_back(*std::move(element));
  }
  return list;
}

absl::StatusOr<Event> ParseReply(const json::object& object, absl::string_view frame) {
  ReplyEvent reply;
  reply.id = GetId(object);
  std::optional<std::string> epoch = GetString(object, "epoch");
  const std::optional<uint64_t> offset = GetNumber(object, "offset");
  if (epoch.has_value() && offset.has_value()) {
    reply.position = Position{*std::move(epoch), *offset};
  }
  reply.pong = GetFlag(object, "pong");
  if (object.contains("recovered")) reply.recovered = GetFlag(object, "recovered");
  if (object.contains("messages")) {
    auto messages = ParseList<MessageEvent>(object, frame, "messages", ParseMessageFields);
    if (!messages.ok()) return messages.status();
    reply.messages = *std::move(messages);
  }
  reply.count = GetNumber(object, "count");
  reply.next = GetString(object, "next");
  if (object.contains("members")) {
    auto members = ParseList<Member>(object, frame, "members", ParseMember);
    if (!members.ok()) return members.status();
    reply.members = *std::move(members);
  }
  return reply;
}

absl::StatusOr<Event> ParseError(const json::object& object) {
  std::optional<std::string> word = GetString(object, "code");
  if (!word.has_value()) return Malformed("error", "code");
  ErrorEvent event;
  event.id = GetId(object);
  event.error.word = *std::move(word);
  event.error.message = GetString(object, "message").value_or("");
  event.error.retry = GetFlag(object, "retry");
  event.cmd = GetString(object, "cmd").value_or("");
  if (!object.contains("id") && event.cmd == "add_group") {
    event.lost_group = GetString(object, "group_id");
  }
  return event;
}

absl::StatusOr<Event> ParseMessage(const json::object& object, absl::string_view frame) {
  std::optional<std::string> group_id = GetString(object, "group_id");
  if (!group_id.has_value()) return Malformed("message", "group_id");
  absl::StatusOr<MessageEvent> event = ParseMessageFields(object, frame, "message");
  if (!event.ok()) return event.status();
  event->message.group_id = *std::move(group_id);
  return *std::move(event);
}

absl::StatusOr<Event> ParseGap(const json::object& object) {
  std::optional<std::string> group_id = GetString(object, "group_id");
  if (!group_id.has_value()) return Malformed("gap", "group_id");
  std::optional<std::string> epoch = GetString(object, "epoch");
  if (!epoch.has_value()) return Malformed("gap", "epoch");
  const std::optional<uint64_t> to = GetNumber(object, "to");
  if (!to.has_value()) return Malformed("gap", "to");
  return GapEvent{Gap{*std::move(group_id), *std::move(epoch), GetNumber(object, "from"), *to}};
}

absl::StatusOr<Event> ParseMemberEvent(const json::object& object, absl::string_view frame,
                                       absl::string_view name) {
  std::optional<std::string> group_id = GetString(object, "group_id");
  if (!group_id.has_value()) return Malformed(name, "group_id");
  absl::StatusOr<Member> member = ParseMember(object, frame, name);
  if (!member.ok()) return member.status();
  return MemberEvent{*std::move(group_id), name == "member_joined", *std::move(member)};
}

absl::StatusOr<Event> ParseClosing(const json::object& object) {
  const std::optional<uint64_t> after = GetNumber(object, "reconnect_after_ms");
  if (!after.has_value()) return ClosingEvent{};
  return ClosingEvent{absl::Milliseconds(static_cast<int64_t>(std::min(*after, kNumberMax)))};
}

}  // namespace

absl::StatusOr<Event> ParseEvent(absl::string_view frame) {
  json::parse_options options;
  options.max_depth = kDepthMax;
  boost::system::error_code error;
  const json::value value =
      json::parse(json::string_view(frame.data(), frame.size()), error, {}, options);
  if (error) return Malformed(absl::StrCat("a frame that is not JSON: ", error.message()));
  if (!value.is_object()) return Malformed("a frame that is not a JSON object");
  const json::object& object = value.get_object();
  const std::optional<std::string> name = GetString(object, "event");
  if (!name.has_value()) return Malformed("a frame without a field \"event\"");

  if (*name == "message") return ParseMessage(object, frame);
  if (*name == "reply") return ParseReply(object, frame);
  if (*name == "error") return ParseError(object);
  if (*name == "gap") return ParseGap(object);
  if (*name == "member_joined" || *name == "member_left") {
    return ParseMemberEvent(object, frame, *name);
  }
  if (*name == "welcome") return WelcomeEvent{};
  if (*name == "closing") return ParseClosing(object);
  return UnknownEvent{};
}

}  // namespace groupcast
