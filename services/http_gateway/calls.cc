#include "services/http_gateway/calls.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/access/token.h"
#include "services/channel/group_id.h"
#include "services/common/utf8.h"
#include "services/http_gateway/control_call.h"
#include "services/http_gateway/event_stream.h"
#include "services/http_gateway/parameters.h"
#include "services/protocol/json.h"

namespace groupcast::service {
namespace {

Problem BadRequest(absl::string_view detail) { return MakeProblem(400, kBadRequest, detail); }

Problem ProblemOfCommand(const CommandError& error) { return ProblemOf(error.code, error.message); }

// The media type without its parameters, in lower case (RFC 9110 section 8.3.1).
std::string MediaType(absl::string_view content_type) {
  const absl::string_view type = content_type.substr(0, content_type.find(';'));
  return absl::AsciiStrToLower(absl::StripAsciiWhitespace(type));
}

// Whether a text with this type is UTF-8. Without the parameter it is.
bool IsUtf8(absl::string_view content_type) {
  const std::string lower = absl::AsciiStrToLower(content_type);
  const size_t at = lower.find("charset=");
  if (at == std::string::npos) return true;
  absl::string_view charset = absl::string_view(lower).substr(at + 8);
  charset = absl::StripAsciiWhitespace(charset.substr(0, charset.find(';')));
  return charset == "utf-8" || charset == "\"utf-8\"" || charset == "us-ascii";
}

class Reader {
 public:
  Reader(const Route& route, const CallInput& input, const CallLimits& limits)
      : route_(route), input_(input), limits_(limits) {}

  std::variant<Calls, Problem> Run() {
    if (Read()) return std::move(calls_);
    return std::move(problem_);
  }

 private:
  bool Read() {
    switch (route_.endpoint) {
      case Endpoint::kGroupMessages:
        return route_.method == Method::kPost ? ReadSend(route_.id) : ReadHistory();
      case Endpoint::kUserMessages:
        return ReadSend(PersonalGroup(route_.id));
      case Endpoint::kMessages:
        return ReadSends();
      case Endpoint::kGroupMembers:
        return ReadMembers();
      case Endpoint::kGroupEvents:
        return ReadStream({route_.id});
      case Endpoint::kEvents:
        return ReadStreams();
      case Endpoint::kServices:
        calls_.asks_services = true;
        calls_.items.emplace_back();
        return true;
      case Endpoint::kGroups:
      case Endpoint::kGroupMember:
      case Endpoint::kConnection:
      case Endpoint::kUserConnections: {
        std::variant<ControlCommand, Problem> control = ReadControlCall(route_);
        if (Problem* const problem = std::get_if<Problem>(&control)) return Fail(*problem);
        calls_.control = std::get<ControlCommand>(std::move(control));
        return true;
      }
      case Endpoint::kApiDescription:
      case Endpoint::kDashboard:
      case Endpoint::kDashboardFile:
      case Endpoint::kAlive:
      case Endpoint::kReady:
        break;
    }
    return Fail(MakeProblem(404, kNotFound, "This resource has no groups."));
  }

  bool Fail(Problem problem) {
    problem_ = std::move(problem);
    return false;
  }

  // A command for one group. Null: the id is none.
  Command* Begin(Command::Kind kind, const std::string& group_id) {
    if (const absl::string_view defect = GroupIdDefect(group_id); !defect.empty()) {
      Fail(ProblemOf(ErrorCode::kGroupIdInvalid, absl::StrCat("The group_id ", defect, ".")));
      return nullptr;
    }
    Command command{.kind = kind, .id = absl::StrCat(calls_.items.size())};
    command.group_ids.push_back({.id = group_id});
    return &std::get<Command>(calls_.items.emplace_back(std::move(command)));
  }

  bool CheckBodyIsUtf8() {
    Utf8Checker utf8;
    return (utf8.Check(input_.body) && utf8.complete()) ||
           Fail(ProblemOf(ErrorCode::kBadJson, "The body is not UTF-8."));
  }

  bool ReadSend(const std::string& group_id) {
    Command* const command = Begin(Command::Kind::kSendToGroup, group_id);
    if (command == nullptr) return false;
    const std::string type = input_.content_type.has_value() ? MediaType(*input_.content_type) : "";
    CommandError error;
    if (type == "application/json") {
      if (input_.body.empty()) {
        return Fail(ProblemOf(ErrorCode::kMessageMissing,
                              "The body is empty. It must be the message: one JSON value."));
      }
      if (!CheckBodyIsUtf8()) return false;
      JsonReader reader(input_.body);
      absl::string_view value;
      if (!reader.ReadValue(&value) || !reader.ExpectEnd()) {
        return Fail(ProblemOf(ErrorCode::kBadJson, absl::StrCat("The body is not one JSON value: ",
                                                                reader.error().message(), ".")));
      }
      if (!TakeMessage(value, limits_.commands, command, &error)) {
        return Fail(ProblemOfCommand(error));
      }
    } else if (type == "text/plain" && IsUtf8(*input_.content_type)) {
      if (!CheckBodyIsUtf8()) return false;
      if (input_.body.size() > limits_.commands.message_bytes_max) {
        return Fail(
            ProblemOf(ErrorCode::kMessageTooLarge,
                      absl::StrCat("The message has ", input_.body.size(), " bytes; the limit is ",
                                   limits_.commands.message_bytes_max, ".")));
      }
      command->message_kind = Content::Kind::kText;
      command->message = std::string(input_.body);
    } else {
      return Fail(MakeProblem(415, kUnsupportedMediaType,
                              "The Content-Type must be application/json (the body is the message, "
                              "one JSON value) or text/plain in UTF-8 (the body is the text)."));
    }
    return ReadKey(command);
  }

  bool ReadKey(Command* command) {
    if (!input_.idempotency_key.has_value()) return true;
    command->key = std::string(*input_.idempotency_key);
    if (!command->key.empty() && command->key.size() <= limits_.commands.key_bytes_max) return true;
    return Fail(BadRequest(absl::StrCat("The Idempotency-Key must have 1 to ",
                                        limits_.commands.key_bytes_max, " bytes.")));
  }

  bool ReadSends() {
    if (!input_.content_type.has_value() || MediaType(*input_.content_type) != "application/json") {
      return Fail(
          MakeProblem(415, kUnsupportedMediaType, "The Content-Type must be application/json."));
    }
    if (input_.idempotency_key.has_value()) {
      return Fail(
          BadRequest("A list has no Idempotency-Key of its own: each message may have a "
                     "field \"key\"."));
    }
    if (!CheckBodyIsUtf8()) return false;
    calls_.is_list = true;
    JsonReader reader(input_.body);
    bool has_messages = false;
    const auto bad = [&] {
      return Fail(ProblemOf(
          ErrorCode::kBadJson,
          absl::StrCat("The body must be {\"messages\": [...]}: ", reader.error().message(), ".")));
    };
    if (!reader.Expect('{')) return bad();
    if (!reader.Accept('}')) {
      do {
        absl::string_view name;
        absl::string_view value;
        if (!reader.ReadString(&name) || !reader.Expect(':') || !reader.ReadValue(&value)) {
          return bad();
        }
        if (name != "\"messages\"") continue;
        if (std::exchange(has_messages, true)) {
          return Fail(ProblemOf(ErrorCode::kBadJson, "The field \"messages\" is there twice."));
        }
        if (!ReadItems(value)) return false;
      } while (reader.Accept(','));
      if (!reader.Expect('}')) return bad();
    }
    if (!reader.ExpectEnd()) return bad();
    if (has_messages) return true;
    return Fail(ProblemOf(ErrorCode::kMessageMissing,
                          "The body must have a field \"messages\" with a list of messages."));
  }

  bool ReadItems(absl::string_view list) {
    JsonReader reader(list);
    if (!reader.Accept('[')) {
      return Fail(ProblemOf(ErrorCode::kBadJson, "The field \"messages\" must be a list."));
    }
    if (reader.Accept(']')) return true;
    do {
      if (calls_.items.size() == limits_.messages_max) {
        return Fail(
            BadRequest(absl::StrCat("A list has at most ", limits_.messages_max, " messages.")));
      }
      absl::string_view item;
      if (!reader.ReadValue(&item)) break;
      std::variant<Command, CommandError> call = ParseSend(item, limits_.commands);
      if (Command* const command = std::get_if<Command>(&call)) {
        command->id = absl::StrCat(calls_.items.size());
      }
      calls_.items.push_back(std::move(call));
    } while (reader.Accept(','));
    return true;
  }

  bool ReadHistory() {
    Command* const command = Begin(Command::Kind::kGroupHistory, route_.id);
    if (command == nullptr) return false;
    command->history = limits_.commands.history_max;
    if (!ReadCount("limit", limits_.commands.history_max, &command->history)) return false;
    const auto epoch = route_.Parameter("epoch");
    const auto offset = route_.Parameter("offset");
    if (epoch.has_value() != offset.has_value()) {
      return Fail(
          BadRequest("epoch and offset belong together: both name the last message that "
                     "the caller has."));
    }
    if (!epoch.has_value()) return true;
    const auto position = ReadEventId(absl::StrCat(*epoch, "-", *offset), 1);
    if (!position.has_value()) {
      return Fail(BadRequest("epoch must be 16 hexadecimal digits, and offset an integer."));
    }
    command->since = position->front();
    return true;
  }

  // Without the parameter, `count` stays as it is.
  bool ReadCount(absl::string_view name, uint32_t most, uint32_t* count) {
    return ReadCountParameter(route_, name, most, count, &problem_);
  }

  bool ReadBool(absl::string_view name, bool* value) {
    const auto text = route_.Parameter(name);
    if (!text.has_value()) return true;
    *value = text->empty() || *text == "true" || *text == "1";
    return *value || *text == "false" || *text == "0" ||
           Fail(BadRequest(absl::StrCat(name, " must be true or false.")));
  }

  bool ReadMembers() {
    Command* const command = Begin(Command::Kind::kGroupMembers, route_.id);
    if (command == nullptr) return false;
    command->limit = std::min<uint32_t>(100, limits_.commands.members_max);
    if (const auto after = route_.Parameter("after"); after.has_value()) {
      command->after = ReadConnectionId(*after);
      if (!command->after.has_value()) {
        return Fail(BadRequest("after must be a connection id: 16 hexadecimal digits."));
      }
    }
    return ReadCount("limit", limits_.commands.members_max, &command->limit) &&
           ReadBool("count_only", &command->count_only);
  }

  bool ReadStreams() {
    std::vector<std::string> groups;
    for (const auto& [name, value] : route_.query) {
      if (name != "group") continue;
      if (groups.size() == limits_.stream_groups_max) {
        return Fail(ProblemOf(
            ErrorCode::kTooManyGroups,
            absl::StrCat("A stream has at most ", limits_.stream_groups_max, " groups.")));
      }
      if (std::find(groups.begin(), groups.end(), value) != groups.end()) {
        return Fail(BadRequest("A group is in the query twice."));
      }
      groups.push_back(value);
    }
    if (groups.empty()) return Fail(BadRequest("The query must name a group: ?group=ID."));
    return ReadStream(std::move(groups));
  }

  bool ReadStream(std::vector<std::string> groups) {
    calls_.is_stream = true;
    std::optional<std::vector<Position>> since;
    // Browsers set the field when they come back. The parameter is for the first time.
    std::optional<absl::string_view> id = input_.last_event_id;
    if (!id.has_value() || id->empty()) id = route_.Parameter("last_event_id");
    if (id.has_value() && !id->empty()) {
      since = ReadEventId(*id, groups.size());
      if (!since.has_value()) {
        return Fail(
            BadRequest("The Last-Event-ID is not the id of an event of this stream: it has "
                       "one position for each group, in the order of the request."));
      }
    }
    uint32_t history = 0;
    if (route_.Parameter("history").has_value() && route_.Parameter("history") != "0" &&
        !ReadCount("history", limits_.commands.history_max, &history)) {
      return false;
    }
    bool presence = false;
    if (!ReadBool("presence", &presence)) return false;
    for (size_t i = 0; i < groups.size(); ++i) {
      Command* const command = Begin(Command::Kind::kAddGroup, groups[i]);
      if (command == nullptr) return false;
      if (since.has_value()) {
        command->since = (*since)[i];
      } else {
        command->history = history;
      }
      command->presence = presence;
    }
    calls_.groups = std::move(groups);
    return true;
  }

  const Route& route_;
  const CallInput& input_;
  const CallLimits& limits_;
  Calls calls_;
  Problem problem_;
};

}  // namespace

std::variant<Calls, Problem> ReadCalls(const Route& route, const CallInput& input,
                                       const CallLimits& limits) {
  return Reader(route, input, limits).Run();
}

}  // namespace groupcast::service
