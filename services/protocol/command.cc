#include "services/protocol/command.h"

#include <algorithm>
#include <initializer_list>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "services/channel/group_id.h"
#include "services/protocol/json.h"

namespace groupcast::service {
namespace {

constexpr size_t kIdBytesMax = 64;

// The members in a page of group_members without `limit`.
constexpr uint32_t kMembersUsual = 100;

// Offsets are below it, so that they are exact in clients that store numbers as doubles.
constexpr uint64_t kOffsetEnd = uint64_t{1} << 53;

// A field of an object, and the place of its raw value. Empty: the field is missing.
struct Field {
  absl::string_view name;
  absl::string_view* value;
};

// The fields of a command.
struct Fields {
  absl::string_view cmd;
  absl::string_view id;
  absl::string_view group_id;
  absl::string_view group_ids;
  absl::string_view message;
  absl::string_view key;
  absl::string_view exclude_self;
  absl::string_view since;
  absl::string_view history;
  absl::string_view limit;
  absl::string_view token;
  absl::string_view presence;
  absl::string_view after;
  absl::string_view count_only;
};

// Reads an object; of a field that is there twice, the last counts.
bool ReadObject(JsonReader* reader, std::initializer_list<Field> fields) {
  if (!reader->Expect('{')) return false;
  if (reader->Accept('}')) return true;
  std::string name;
  do {
    absl::string_view raw_name;
    absl::string_view value;
    if (!reader->ReadString(&raw_name) || !reader->Expect(':') || !reader->ReadValue(&value))
      return false;
    name.clear();
    AppendJsonText(raw_name, &name);
    for (const Field& field : fields) {
      if (name == field.name) *field.value = value;
    }
  } while (reader->Accept(','));
  return reader->Expect('}');
}

bool ReadFields(JsonReader* reader, Fields* fields) {
  return ReadObject(reader, {{"cmd", &fields->cmd},
                             {"id", &fields->id},
                             {"group_id", &fields->group_id},
                             {"group_ids", &fields->group_ids},
                             {"message", &fields->message},
                             {"key", &fields->key},
                             {"exclude_self", &fields->exclude_self},
                             {"since", &fields->since},
                             {"history", &fields->history},
                             {"limit", &fields->limit},
                             {"token", &fields->token},
                             {"presence", &fields->presence},
                             {"after", &fields->after},
                             {"count_only", &fields->count_only}}) &&
         reader->ExpectEnd();
}

bool IsString(absl::string_view raw) { return raw.front() == '"'; }

bool IsInteger(absl::string_view raw) {
  if (raw.front() == '-') raw.remove_prefix(1);
  return std::all_of(raw.begin(), raw.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// A number without sign and fraction.
bool IsCount(absl::string_view raw) {
  return std::all_of(raw.begin(), raw.end(), [](char c) { return absl::ascii_isdigit(c); });
}

// The 16 hexadecimal digits that clients see of an epoch, and of a connection id.
std::optional<uint64_t> ReadHex(absl::string_view raw) {
  if (!IsString(raw)) return std::nullopt;
  std::string text;
  AppendJsonText(raw, &text);
  const bool is_hex = text.size() == 16 && std::all_of(text.begin(), text.end(), [](char c) {
                        return absl::ascii_isxdigit(static_cast<unsigned char>(c));
                      });
  uint64_t number = 0;
  if (!is_hex || !absl::SimpleHexAtoi(text, &number)) return std::nullopt;
  return number;
}

// A JSON value that should be a position.
std::optional<Position> ReadPosition(absl::string_view raw) {
  absl::string_view epoch_field;
  absl::string_view offset_field;
  JsonReader reader(raw);
  if (!ReadObject(&reader, {{"epoch", &epoch_field}, {"offset", &offset_field}})) {
    return std::nullopt;
  }
  if (epoch_field.empty() || offset_field.empty() || !IsCount(offset_field)) return std::nullopt;
  const std::optional<uint64_t> epoch = ReadHex(epoch_field);
  uint64_t offset = 0;
  if (!epoch.has_value() || !absl::SimpleAtoi(offset_field, &offset) || offset >= kOffsetEnd) {
    return std::nullopt;
  }
  return Position{Epoch{*epoch}, offset};
}

GroupIdField ReadGroupId(absl::string_view raw) {
  GroupIdField field;
  if (IsString(raw)) {
    AppendJsonText(raw, &field.id);
  } else if (IsInteger(raw)) {
    field.id = std::string(raw);
  } else {
    field.defect = "must be a string or an integer";
    return field;
  }
  field.defect = GroupIdDefect(field.id);
  if (field.id.size() > kGroupIdBytesMax) {
    // The answer repeats it and must not grow with it. It is cut between characters.
    size_t size = kGroupIdBytesMax;
    while (size > 0 && (field.id[size] & 0xc0) == 0x80) --size;
    field.id.resize(size);
  }
  return field;
}

CommandError NoObject(const JsonReader& reader) {
  return {.code = ErrorCode::kBadJson,
          .message = absl::StrCat("not a JSON object: ", reader.error().message()),
          .is_too_deep = reader.is_too_deep()};
}

// Reads each command's own fields into `command`, and defects into `error`.
class Interpreter {
 public:
  Interpreter(const Fields& fields, const CommandLimits& limits)
      : fields_(fields), limits_(limits) {}

  std::variant<Command, CommandError> Run() {
    return ReadId() && ReadCmd() ? RunRest() : std::move(error_);
  }

  // For a send without `id` and `cmd`.
  std::variant<Command, CommandError> RunSend() {
    command_.kind = Command::Kind::kSendToGroup;
    return RunRest();
  }

 private:
  std::variant<Command, CommandError> RunRest() {
    if (ReadGroups() && ReadToken() && ReadStart() && ReadPresence() && ReadMessage() &&
        ReadKey()) {
      return std::move(command_);
    }
    return std::move(error_);
  }

  bool Fail(ErrorCode code, std::string message) {
    error_.code = code;
    error_.message = std::move(message);
    return false;
  }

  bool ReadId() {
    if (fields_.id.empty()) return true;
    size_t bytes = fields_.id.size();
    if (IsString(fields_.id)) {
      std::string text;
      AppendJsonText(fields_.id, &text);
      bytes = text.size();
    } else if (!IsInteger(fields_.id)) {
      return Fail(ErrorCode::kBadJson, "id must be an integer or a string");
    }
    if (bytes > kIdBytesMax) return Fail(ErrorCode::kBadJson, "id is longer than 64 bytes");
    command_.id = error_.id = std::string(fields_.id);
    return true;
  }

  bool ReadCmd() {
    if (fields_.cmd.empty()) return Fail(ErrorCode::kUnknownCommand, "there is no field \"cmd\"");
    if (!IsString(fields_.cmd)) return Fail(ErrorCode::kUnknownCommand, "cmd must be a string");
    std::string name;
    AppendJsonText(fields_.cmd, &name);
    for (const Command::Kind kind :
         {Command::Kind::kAddGroup, Command::Kind::kLeaveGroup, Command::Kind::kSendToGroup,
          Command::Kind::kGroupHistory, Command::Kind::kGroupMembers, Command::Kind::kAuthenticate,
          Command::Kind::kPing}) {
      if (name != CommandName(kind)) continue;
      command_.kind = kind;
      error_.cmd = std::move(name);
      return true;
    }
    return Fail(ErrorCode::kUnknownCommand,
                "cmd is not add_group, leave_group, send_to_group, group_history, group_members, "
                "authenticate or "
                "ping");
  }

  bool ReadGroups() {
    if (command_.kind == Command::Kind::kPing || command_.kind == Command::Kind::kAuthenticate) {
      return true;
    }
    const bool sends = command_.kind == Command::Kind::kSendToGroup;
    if (sends && !fields_.group_ids.empty()) return ReadGroupIds();
    if (fields_.group_id.empty())
      return Fail(ErrorCode::kGroupIdInvalid, "there is no field \"group_id\"");
    GroupIdField field = ReadGroupId(fields_.group_id);
    if (!field.defect.empty()) {
      return Fail(ErrorCode::kGroupIdInvalid, absl::StrCat("group_id ", field.defect));
    }
    command_.group_ids.push_back(std::move(field));
    return true;
  }

  bool ReadGroupIds() {
    if (!fields_.group_id.empty()) {
      return Fail(ErrorCode::kGroupIdInvalid, "either group_id or group_ids, not both");
    }
    command_.many = true;
    JsonReader reader(fields_.group_ids);
    if (!reader.Accept('[')) return Fail(ErrorCode::kGroupIdInvalid, "group_ids must be an array");
    if (reader.Accept(']')) return Fail(ErrorCode::kGroupIdInvalid, "group_ids is empty");
    do {
      if (command_.group_ids.size() == limits_.group_ids_max) {
        return Fail(ErrorCode::kTooManyGroups,
                    absl::StrCat("group_ids lists more than ", limits_.group_ids_max));
      }
      absl::string_view raw;
      reader.ReadValue(&raw);
      command_.group_ids.push_back(ReadGroupId(raw));
    } while (reader.Accept(','));
    return true;
  }

  bool ReadToken() {
    const bool needed = command_.kind == Command::Kind::kAuthenticate;
    if (!needed && command_.kind != Command::Kind::kAddGroup) return true;
    if (fields_.token.empty()) {
      return !needed || Fail(ErrorCode::kBadJson, "authenticate needs a field \"token\"");
    }
    if (!IsString(fields_.token)) return Fail(ErrorCode::kBadJson, "token must be a string");
    AppendJsonText(fields_.token, &command_.token);
    return !command_.token.empty() || Fail(ErrorCode::kBadJson, "token is empty");
  }

  // Where a join or a look into the history begins.
  bool ReadStart() {
    const bool joins = command_.kind == Command::Kind::kAddGroup;
    if (!joins && command_.kind != Command::Kind::kGroupHistory) return true;
    if (!fields_.since.empty()) {
      command_.since = ReadPosition(fields_.since);
      if (!command_.since.has_value()) {
        return Fail(ErrorCode::kBadJson,
                    "since must be {\"epoch\": 16 hexadecimal digits, \"offset\": an integer}");
      }
    }
    if (joins && !fields_.since.empty() && !fields_.history.empty()) {
      return Fail(ErrorCode::kBadJson, "either since or history, not both");
    }
    command_.history = joins ? 0 : limits_.history_max;
    return joins ? ReadCount("history", fields_.history, 0, limits_.history_max, &command_.history)
                 : ReadCount("limit", fields_.limit, 1, limits_.history_max, &command_.history);
  }

  // Without the field, `count` stays as it is.
  bool ReadCount(absl::string_view name, absl::string_view raw, uint32_t least, uint32_t most,
                 uint32_t* count) {
    if (raw.empty()) return true;
    if (!IsCount(raw)) return Fail(ErrorCode::kBadJson, absl::StrCat(name, " must be an integer"));
    // One that fits no integer is more than the most, too.
    if (!absl::SimpleAtoi(raw, count)) *count = most;
    *count = std::min(*count, most);
    if (*count >= least) return true;
    return Fail(ErrorCode::kBadJson, absl::StrCat(name, " must be at least ", least));
  }

  bool ReadBool(absl::string_view name, absl::string_view raw, bool* value) {
    if (raw.empty()) return true;
    *value = raw == "true";
    return *value || raw == "false" ||
           Fail(ErrorCode::kBadJson, absl::StrCat(name, " must be true or false"));
  }

  bool ReadPresence() {
    if (command_.kind == Command::Kind::kAddGroup) {
      return ReadBool("presence", fields_.presence, &command_.presence);
    }
    if (command_.kind != Command::Kind::kGroupMembers) return true;
    if (!fields_.after.empty()) {
      command_.after = ReadHex(fields_.after);
      if (!command_.after.has_value()) {
        return Fail(ErrorCode::kBadJson, "after must be a connection id: 16 hexadecimal digits");
      }
    }
    command_.limit = kMembersUsual;
    return ReadCount("limit", fields_.limit, 1, limits_.members_max, &command_.limit) &&
           ReadBool("count_only", fields_.count_only, &command_.count_only);
  }

  bool ReadKey() {
    if (command_.kind != Command::Kind::kSendToGroup) return true;
    if (!fields_.key.empty()) {
      if (!IsString(fields_.key)) return Fail(ErrorCode::kBadJson, "key must be a string");
      AppendJsonText(fields_.key, &command_.key);
      if (command_.key.empty() || command_.key.size() > limits_.key_bytes_max) {
        return Fail(ErrorCode::kBadJson,
                    absl::StrCat("key must have 1 to ", limits_.key_bytes_max, " bytes"));
      }
    }
    return ReadBool("exclude_self", fields_.exclude_self, &command_.exclude_self);
  }

  bool ReadMessage() {
    if (command_.kind != Command::Kind::kSendToGroup) return true;
    if (fields_.message.empty()) {
      return Fail(ErrorCode::kMessageMissing, "send_to_group needs a field \"message\"");
    }
    return TakeMessage(fields_.message, limits_, &command_, &error_);
  }

  const Fields& fields_;
  const CommandLimits& limits_;
  Command command_;
  CommandError error_;
};

}  // namespace

absl::string_view CommandName(Command::Kind kind) {
  switch (kind) {
    case Command::Kind::kAddGroup:
      return "add_group";
    case Command::Kind::kLeaveGroup:
      return "leave_group";
    case Command::Kind::kSendToGroup:
      return "send_to_group";
    case Command::Kind::kGroupHistory:
      return "group_history";
    case Command::Kind::kAuthenticate:
      return "authenticate";
    case Command::Kind::kGroupMembers:
      return "group_members";
    case Command::Kind::kPing:
      return "ping";
  }
  return "";
}

std::variant<Command, CommandError> ParseCommand(absl::string_view text,
                                                 const CommandLimits& limits) {
  JsonReader reader(text);
  Fields fields;
  if (!ReadFields(&reader, &fields)) return NoObject(reader);
  return Interpreter(fields, limits).Run();
}

std::variant<Command, CommandError> ParseSend(absl::string_view text, const CommandLimits& limits) {
  JsonReader reader(text);
  Fields fields;
  if (!ReadFields(&reader, &fields)) return NoObject(reader);
  return Interpreter(fields, limits).RunSend();
}

bool TakeMessage(absl::string_view value, const CommandLimits& limits, Command* command,
                 CommandError* error) {
  if (IsString(value)) {
    command->message_kind = Content::Kind::kText;
    AppendJsonText(value, &command->message);
  } else {
    command->message_kind = Content::Kind::kJson;
    AppendCompactJson(value, &command->message);
  }
  if (command->message.size() <= limits.message_bytes_max) return true;
  error->code = ErrorCode::kMessageTooLarge;
  error->message = absl::StrCat("the message has ", command->message.size(),
                                " bytes; the limit is ", limits.message_bytes_max);
  return false;
}

}  // namespace groupcast::service
