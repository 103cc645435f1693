#include "services/http_gateway/control_call.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "services/access/token.h"
#include "services/channel/group_id.h"
#include "services/http_gateway/parameters.h"
#include "services/protocol/json.h"

namespace groupcast::service {
namespace {

using Kind = ControlCommand::Kind;

constexpr uint32_t kGroupsDefault = 100;
constexpr uint32_t kBusiestMax = 100;

// Of those that applications may give to their closes. The protocol has the others.
constexpr uint32_t kReconnectFirst = 4400;
constexpr uint32_t kReconnectLast = 4499;
constexpr uint32_t kStayAwayFirst = 4900;
constexpr uint32_t kStayAwayLast = 4999;
constexpr CloseCode kDefaultCode = static_cast<CloseCode>(kStayAwayFirst);

// A close frame has no room for more (RFC 6455 section 5.5).
constexpr size_t kReasonBytesMax = 123;
constexpr absl::string_view kDefaultReason = "closed by an operator";
constexpr absl::string_view kDefaultExpelReason = "taken out by an operator";

Problem BadRequest(absl::string_view detail) { return MakeProblem(400, kBadRequest, detail); }

std::optional<Problem> ReadReason(const Route& route, absl::string_view without, std::string* to) {
  *to = std::string(route.Parameter("reason").value_or(without));
  const bool has_controls =
      std::any_of(to->begin(), to->end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  if (!to->empty() && to->size() <= kReasonBytesMax && !has_controls) return std::nullopt;
  return BadRequest(
      absl::StrCat("reason must have 1 to ", kReasonBytesMax, " bytes and no control characters."));
}

std::optional<Problem> ReadCode(const Route& route, CloseCode* code) {
  const auto text = route.Parameter("code");
  if (!text.has_value()) return std::nullopt;
  uint32_t number = 0;
  const bool is_number = absl::SimpleAtoi(*text, &number);
  if (is_number && ((number >= kReconnectFirst && number <= kReconnectLast) ||
                    (number >= kStayAwayFirst && number <= kStayAwayLast))) {
    *code = static_cast<CloseCode>(number);
    return std::nullopt;
  }
  return BadRequest(absl::StrCat("code must be ", kReconnectFirst, " to ", kReconnectLast,
                                 " (the client may connect again) or ", kStayAwayFirst, " to ",
                                 kStayAwayLast, " (it should not)."));
}

std::optional<Problem> ReadGroupId(const std::string& id, std::string* to) {
  *to = id;
  const absl::string_view defect = GroupIdDefect(id);
  if (defect.empty()) return std::nullopt;
  return ProblemOf(ErrorCode::kGroupIdInvalid, absl::StrCat("The group_id ", defect, "."));
}

std::optional<Problem> ReadMember(absl::string_view text, uint64_t* member) {
  const std::optional<uint64_t> id = ReadConnectionId(text);
  if (!id.has_value() || *id == 0) {
    return BadRequest("A connection id has 16 hexadecimal digits.");
  }
  *member = *id;
  return std::nullopt;
}

std::optional<Problem> ReadGroups(const Route& route, ControlCommand* command) {
  command->prefix = std::string(route.Parameter("prefix").value_or(""));
  command->after = std::string(route.Parameter("after").value_or(""));
  for (const auto& [name, text] :
       {std::pair<absl::string_view, const std::string*>{"prefix", &command->prefix},
        {"after", &command->after}}) {
    const absl::string_view defect = text->empty() ? "" : GroupIdDefect(*text);
    if (!defect.empty()) return BadRequest(absl::StrCat(name, " ", defect, "."));
  }
  const absl::string_view order = route.Parameter("order").value_or("id");
  if (order != "id" && order != "busiest") return BadRequest("order must be id or busiest.");
  if (order == "busiest") {
    command->kind = Kind::kBusiest;
    if (!command->after.empty()) return BadRequest("The busiest groups have no further pages.");
  }
  const uint32_t most = order == "busiest" ? kBusiestMax : uint32_t{kListedGroupsMax};
  command->limit = kGroupsDefault;
  Problem problem;
  if (!ReadCountParameter(route, "limit", most, &command->limit, &problem)) return problem;
  return std::nullopt;
}

std::optional<Problem> ReadGroupMember(const Route& route, ControlCommand* command) {
  command->kind = Kind::kExpel;
  if (auto problem = ReadGroupId(route.id, &command->group)) return problem;
  if (auto problem = ReadMember(route.member, &command->member)) return problem;
  if (!route.Parameter("code").has_value()) {
    return ReadReason(route, kDefaultExpelReason, &command->reason);
  }
  // The connection itself ends.
  command->kind = Kind::kDisconnect;
  if (auto problem = ReadCode(route, &command->code)) return problem;
  return ReadReason(route, kDefaultReason, &command->reason);
}

std::optional<Problem> ReadDisconnect(const Route& route, ControlCommand* command) {
  command->kind = Kind::kDisconnect;
  command->code = kDefaultCode;
  if (route.endpoint == Endpoint::kConnection) {
    if (auto problem = ReadMember(route.id, &command->member)) return problem;
  } else {
    command->user = route.id;
    const absl::string_view defect = GroupIdDefect(PersonalGroup(command->user));
    if (!defect.empty()) return BadRequest(absl::StrCat("The group of this user ", defect, "."));
  }
  if (auto problem = ReadCode(route, &command->code)) return problem;
  return ReadReason(route, kDefaultReason, &command->reason);
}

bool IsList(const ControlCommand& command) {
  return command.kind == Kind::kGroups || command.kind == Kind::kBusiest;
}

Problem NotFound(const ControlCommand& command) {
  return MakeProblem(404, kNotFound,
                     !command.group.empty() ? "No member of this group has this id."
                     : command.user.empty() ? "No connection has this id."
                                            : "This user has no connections.");
}

std::string ListJson(const ControlCommand& command, const ControlResult& result) {
  const bool is_busiest = command.kind == Kind::kBusiest;
  std::string json = "{\"groups\":[";
  for (const ListedGroup& group : result.list.groups) {
    json += &group == &result.list.groups.front() ? "{\"group_id\":" : ",{\"group_id\":";
    AppendJsonString(group.id, &json);
    absl::StrAppend(&json, ",\"members\":", group.members);
    if (is_busiest) {
      absl::StrAppend(&json, ",\"messages_per_second\":", group.messages_per_second);
    }
    json += "}";
  }
  json += "]";
  if (is_busiest && result.list.is_cut) json += ",\"cut\":true";
  if (!is_busiest && result.list.is_cut && !result.list.groups.empty()) {
    json += ",\"next\":";
    AppendJsonString(result.list.groups.back().id, &json);
  }
  absl::StrAppend(&json, ",\"complete\":", result.complete ? "true" : "false", "}");
  return json;
}

}  // namespace

std::variant<ControlCommand, Problem> ReadControlCall(const Route& route) {
  ControlCommand command;
  const std::optional<Problem> problem =
      route.endpoint == Endpoint::kGroups        ? ReadGroups(route, &command)
      : route.endpoint == Endpoint::kGroupMember ? ReadGroupMember(route, &command)
                                                 : ReadDisconnect(route, &command);
  if (problem.has_value()) return *problem;
  return command;
}

std::optional<Problem> CheckControl(const ControlCommand& command, const Grants* program,
                                    bool anyone_may) {
  // Also of those that may do everything else.
  if (IsReservedGroup(command.group)) {
    return ProblemOf(ErrorCode::kForbidden, "This group is reserved for the services.");
  }
  if (program == nullptr) {
    if (anyone_may) return std::nullopt;
    return ProblemOf(ErrorCode::kForbidden,
                     IsList(command)
                         ? "The list of groups needs an API key with the scope observe or manage."
                         : "This needs an API key with the scope manage.");
  }
  if (IsList(command)) {
    if (program->Cover(command.prefix, Right::kObserve)) return std::nullopt;
    return ProblemOf(ErrorCode::kForbidden,
                     "The API key has no scope observe or manage for all groups with this prefix. "
                     "Name a prefix that the key's groups begin with.");
  }
  if (command.kind == Kind::kExpel) {
    if (program->Of(command.group).Has(Right::kManage)) return std::nullopt;
    return ProblemOf(ErrorCode::kForbidden, "The API key has no scope manage for this group.");
  }
  // A connection may be in any group.
  if (program->Cover("", Right::kManage)) return std::nullopt;
  return ProblemOf(ErrorCode::kForbidden, "The API key has no scope manage for all groups.");
}

std::string DescribeEnd(const ControlCommand& command) {
  const std::string member = absl::StrCat(absl::Hex(command.member, absl::kZeroPad16));
  if (command.kind == Kind::kExpel) {
    return absl::StrCat("take the member ", member, " out of the group \"", command.group, "\"");
  }
  const std::string target =
      command.member == 0     ? absl::StrCat("all connections of the user \"", command.user, "\"")
      : command.group.empty() ? absl::StrCat("the connection ", member)
                              : absl::StrCat("the connection of the member ", member,
                                             " of the group \"", command.group, "\"");
  return absl::StrCat("close ", target, " with the code ", static_cast<int>(command.code));
}

std::string ControlOutcome(const absl::StatusOr<ControlResult>& result) {
  if (!result.ok()) {
    return absl::StrCat(ErrorWord(ErrorCodeOf(result.status())), ", ", result.status().message());
  }
  return absl::StrCat(result->count, result->count == 1 ? " connection" : " connections",
                      result->complete ? "" : ", and not all workers have done it in time");
}

std::variant<std::string, Problem> ControlJson(const ControlCommand& command,
                                               const absl::StatusOr<ControlResult>& result) {
  if (!result.ok()) {
    return ProblemOf(ErrorCodeOf(result.status()),
                     absl::StrCat("The workers were not asked, or have not answered: ",
                                  result.status().message(), "."));
  }
  if (IsList(command)) return ListJson(command, *result);
  if (result->count == 0 && result->complete) return NotFound(command);
  return absl::StrCat("{\"connections\":", result->count,
                      ",\"complete\":", result->complete ? "true" : "false", "}");
}

}  // namespace groupcast::service
