#include "services/groups/control/control_message.h"

#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "services/channel/group_id.h"
#include "services/protocol/json.h"

namespace groupcast::service {
namespace {

namespace json = boost::json;

constexpr absl::string_view kAnswersPrefix = "$groupcast.answers.";

constexpr std::array<std::pair<ControlCommand::Kind, absl::string_view>, 5> kCommands = {{
    {ControlCommand::Kind::kGroups, "groups"},
    {ControlCommand::Kind::kBusiest, "busiest"},
    {ControlCommand::Kind::kCount, "count"},
    {ControlCommand::Kind::kDisconnect, "disconnect"},
    {ControlCommand::Kind::kExpel, "expel"},
}};

std::string Hex(uint64_t id) { return absl::StrCat(absl::Hex(id, absl::kZeroPad16)); }

void AppendText(absl::string_view name, absl::string_view text, std::string* to) {
  if (text.empty()) return;
  absl::StrAppend(to, ",\"", name, "\":");
  AppendJsonString(text, to);
}

// Reads fields of an object. A field of another type, or out of its range, is a defect.
class Fields {
 public:
  explicit Fields(const json::object& object) : object_(object) {}

  std::string Text(absl::string_view name) {
    const json::value* const value = Find(name);
    if (value == nullptr) return "";
    const json::string* const text = value->if_string();
    if (text == nullptr) ok_ = false;
    return text == nullptr ? "" : std::string(text->data(), text->size());
  }

  // 0: it is not there.
  uint64_t Number(absl::string_view name, uint64_t most) {
    const json::value* const value = Find(name);
    return value == nullptr ? 0 : NumberOf(*value, most);
  }

  uint64_t Id(absl::string_view name) {
    const std::string text = Text(name);
    uint64_t id = 0;
    if (!text.empty() && (text.size() != 16 || !absl::SimpleHexAtoi(text, &id))) ok_ = false;
    return id;
  }

  const json::array* List(absl::string_view name) {
    const json::value* const value = Find(name);
    if (value == nullptr) return nullptr;
    const json::array* const list = value->if_array();
    if (list == nullptr) ok_ = false;
    return list;
  }

  bool Flag(absl::string_view name) {
    const json::value* const value = Find(name);
    if (value != nullptr && !value->is_bool()) ok_ = false;
    return value != nullptr && value->is_bool() && value->get_bool();
  }

  uint64_t NumberOf(const json::value& value, uint64_t most) {
    const bool is_number = value.is_int64() && value.get_int64() >= 0 &&
                           static_cast<uint64_t>(value.get_int64()) <= most;
    if (!is_number) ok_ = false;
    return is_number ? static_cast<uint64_t>(value.get_int64()) : 0;
  }

  void Fail() { ok_ = false; }
  bool ok() const { return ok_; }

 private:
  const json::value* Find(absl::string_view name) const {
    return object_.if_contains({name.data(), name.size()});
  }

  const json::object& object_;
  bool ok_ = true;
};

absl::StatusOr<json::object> ReadObject(absl::string_view text) {
  json::error_code error;
  json::value value = json::parse({text.data(), text.size()}, error);
  if (error) return absl::InvalidArgumentError(error.message());
  if (!value.is_object()) return absl::InvalidArgumentError("it is no JSON object");
  return std::move(value.get_object());
}

absl::Status Malformed() { return absl::InvalidArgumentError("a field is missing or malformed"); }

void ReadGroups(const json::array& list, Fields* fields, GroupList* to) {
  for (const json::value& value : list) {
    const json::array* const group = value.if_array();
    if (group == nullptr || group->size() < 2 || !(*group)[0].is_string()) return fields->Fail();
    const json::string& id = (*group)[0].get_string();
    ListedGroup listed{.id = std::string(id.data(), id.size()),
                       .members = fields->NumberOf((*group)[1], uint64_t{1} << 53)};
    if (!GroupIdDefect(listed.id).empty()) return fields->Fail();
    if (group->size() > 2) {
      json::error_code error;
      listed.messages_per_second = (*group)[2].to_number<double>(error);
      if (error || !(listed.messages_per_second >= 0)) return fields->Fail();
    }
    to->groups.push_back(std::move(listed));
  }
}

}  // namespace

std::string AnswersGroup(uint64_t worker) { return absl::StrCat(kAnswersPrefix, Hex(worker)); }

std::string FormatQuestion(const ControlQuestion& question) {
  const ControlCommand& command = question.command;
  std::string text = absl::StrCat("{\"question\":\"", Hex(question.number), "\"");
  AppendText("answers", question.answers, &text);
  for (const auto& [kind, word] : kCommands) {
    if (kind == command.kind) AppendText("command", word, &text);
  }
  AppendText("prefix", command.prefix, &text);
  AppendText("after", command.after, &text);
  if (command.limit > 0) absl::StrAppend(&text, ",\"limit\":", command.limit);
  if (!command.groups.empty()) {
    text += ",\"groups\":";
    char before = '[';
    for (const std::string& group : command.groups) {
      text += std::exchange(before, ',');
      AppendJsonString(group, &text);
    }
    text += ']';
  }
  if (command.member != 0) AppendText("member", Hex(command.member), &text);
  AppendText("user", command.user, &text);
  AppendText("group", command.group, &text);
  if (command.code != CloseCode{}) {
    absl::StrAppend(&text, ",\"code\":", static_cast<int>(command.code));
  }
  AppendText("reason", command.reason, &text);
  return text + "}";
}

absl::Status ParseQuestion(absl::string_view text, ControlQuestion* question) {
  const absl::StatusOr<json::object> object = ReadObject(text);
  if (!object.ok()) return object.status();
  Fields fields(*object);
  question->number = fields.Id("question");
  question->answers = fields.Text("answers");
  const std::string word = fields.Text("command");
  // A worker publishes answers nowhere else.
  if (!fields.ok() || question->number == 0 || word.empty() ||
      !absl::StartsWith(question->answers, kAnswersPrefix) ||
      !GroupIdDefect(question->answers).empty()) {
    return Malformed();
  }
  std::optional<ControlCommand::Kind> kind;
  for (const auto& [known, name] : kCommands) {
    if (name == word) kind = known;
  }
  if (!kind.has_value()) return absl::UnimplementedError("the command is not known");
  ControlCommand& command = question->command;
  command.kind = *kind;
  command.prefix = fields.Text("prefix");
  command.after = fields.Text("after");
  command.limit = static_cast<uint32_t>(fields.Number("limit", kListedGroupsMax));
  command.member = fields.Id("member");
  command.user = fields.Text("user");
  command.group = fields.Text("group");
  command.code = static_cast<CloseCode>(fields.Number("code", 4999));
  command.reason = fields.Text("reason");
  if (const json::array* const groups = fields.List("groups"); groups != nullptr) {
    for (const json::value& value : *groups) {
      if (!value.is_string() || command.groups.size() == kListedGroupsMax) return Malformed();
      const json::string& id = value.get_string();
      command.groups.emplace_back(id.data(), id.size());
    }
  }
  const bool is_list = command.kind == ControlCommand::Kind::kGroups ||
                       command.kind == ControlCommand::Kind::kBusiest;
  const bool has_whom = (command.member != 0) != !command.user.empty();
  const bool is_whole = is_list ? command.limit > 0
                        : command.kind == ControlCommand::Kind::kDisconnect
                            ? has_whom && static_cast<int>(command.code) >= 4000
                        : command.kind == ControlCommand::Kind::kExpel
                            ? command.member != 0 && !command.group.empty()
                            : true;
  return fields.ok() && is_whole ? absl::OkStatus() : Malformed();
}

std::string FormatAnswer(const ControlAnswer& answer) {
  std::string text = absl::StrCat("{\"question\":\"", Hex(answer.question), "\",\"worker\":\"",
                                  Hex(answer.worker), "\"");
  if (answer.outcome == ControlAnswer::Outcome::kBusy) text += ",\"busy\":true";
  if (answer.outcome == ControlAnswer::Outcome::kUnknown) text += ",\"unknown\":true";
  if (!answer.list.groups.empty()) {
    text += ",\"groups\":";
    char before = '[';
    for (const ListedGroup& group : answer.list.groups) {
      text += std::exchange(before, ',');
      text += '[';
      AppendJsonString(group.id, &text);
      absl::StrAppend(&text, ",", group.members);
      if (group.messages_per_second > 0) absl::StrAppend(&text, ",", group.messages_per_second);
      text += ']';
    }
    text += ']';
  }
  if (answer.list.is_cut) text += ",\"cut\":true";
  if (answer.count > 0) absl::StrAppend(&text, ",\"count\":", answer.count);
  return text + "}";
}

absl::StatusOr<ControlAnswer> ParseAnswer(absl::string_view text) {
  const absl::StatusOr<json::object> object = ReadObject(text);
  if (!object.ok()) return object.status();
  Fields fields(*object);
  ControlAnswer answer;
  answer.question = fields.Id("question");
  answer.worker = fields.Id("worker");
  if (fields.Flag("busy")) answer.outcome = ControlAnswer::Outcome::kBusy;
  if (fields.Flag("unknown")) answer.outcome = ControlAnswer::Outcome::kUnknown;
  answer.list.is_cut = fields.Flag("cut");
  answer.count = fields.Number("count", uint64_t{1} << 53);
  if (const json::array* const groups = fields.List("groups"); groups != nullptr) {
    ReadGroups(*groups, &fields, &answer.list);
  }
  // A list that is cut must say how far it goes.
  if (!fields.ok() || answer.question == 0 || answer.worker == 0 ||
      (answer.list.is_cut && answer.list.groups.empty())) {
    return Malformed();
  }
  return answer;
}

}  // namespace groupcast::service
