#include "services/websocket_service/command.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/channel/group_id.h"
#include "services/websocket_service/json.h"

namespace groupcast::service {
namespace {

constexpr size_t kIdBytesMax = 64;

// The fields of a command as they stand in the text; empty: not there.
struct Fields {
  absl::string_view cmd;
  absl::string_view id;
  absl::string_view group_id;
  absl::string_view group_ids;
  absl::string_view message;
};

bool ReadFields(JsonReader* reader, Fields* fields) {
  if (!reader->Expect('{')) return false;
  if (reader->Accept('}')) return reader->ExpectEnd();
  std::string name;
  do {
    absl::string_view raw_name;
    absl::string_view value;
    if (!reader->ReadString(&raw_name) || !reader->Expect(':') || !reader->ReadValue(&value))
      return false;
    name.clear();
    AppendJsonText(raw_name, &name);
    for (const auto& [known, field] :
         {std::pair<absl::string_view, absl::string_view*>{"cmd", &fields->cmd},
          {"id", &fields->id},
          {"group_id", &fields->group_id},
          {"group_ids", &fields->group_ids},
          {"message", &fields->message}}) {
      if (name == known) *field = value;
    }
  } while (reader->Accept(','));
  return reader->Expect('}') && reader->ExpectEnd();
}

bool IsString(absl::string_view raw) { return raw.front() == '"'; }

bool IsInteger(absl::string_view raw) {
  if (raw.front() == '-') raw.remove_prefix(1);
  return std::all_of(raw.begin(), raw.end(), [](char c) { return c >= '0' && c <= '9'; });
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
    // It goes back in the answer, which must not grow with it. Cut between characters.
    size_t size = kGroupIdBytesMax;
    while (size > 0 && (field.id[size] & 0xc0) == 0x80) --size;
    field.id.resize(size);
  }
  return field;
}

// Reads each command's own fields into `command`; what is wrong goes into `error`.
class Interpreter {
 public:
  Interpreter(const Fields& fields, const CommandLimits& limits)
      : fields_(fields), limits_(limits) {}

  std::variant<Command, CommandError> Run() {
    if (ReadId() && ReadCmd() && ReadGroups() && ReadMessage()) return std::move(command_);
    return std::move(error_);
  }

 private:
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
    for (const Command::Kind kind : {Command::Kind::kAddGroup, Command::Kind::kLeaveGroup,
                                     Command::Kind::kSendToGroup, Command::Kind::kPing}) {
      if (name != CommandName(kind)) continue;
      command_.kind = kind;
      error_.cmd = std::move(name);
      return true;
    }
    return Fail(ErrorCode::kUnknownCommand,
                "cmd is not add_group, leave_group, send_to_group or ping");
  }

  bool ReadGroups() {
    if (command_.kind == Command::Kind::kPing) return true;
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

  bool ReadMessage() {
    if (command_.kind != Command::Kind::kSendToGroup) return true;
    if (fields_.message.empty()) {
      return Fail(ErrorCode::kMessageMissing, "send_to_group needs a field \"message\"");
    }
    if (IsString(fields_.message)) {
      command_.message_kind = Content::Kind::kText;
      AppendJsonText(fields_.message, &command_.message);
    } else {
      command_.message_kind = Content::Kind::kJson;
      AppendCompactJson(fields_.message, &command_.message);
    }
    if (command_.message.size() > limits_.message_bytes_max) {
      return Fail(ErrorCode::kMessageTooLarge,
                  absl::StrCat("the message has ", command_.message.size(), " bytes; the limit is ",
                               limits_.message_bytes_max));
    }
    return true;
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
    case Command::Kind::kPing:
      return "ping";
  }
  return "";
}

std::variant<Command, CommandError> ParseCommand(absl::string_view text,
                                                 const CommandLimits& limits) {
  JsonReader reader(text);
  Fields fields;
  if (!ReadFields(&reader, &fields)) {
    return CommandError{.code = ErrorCode::kBadJson,
                        .message = absl::StrCat("not a JSON object: ", reader.error().message())};
  }
  return Interpreter(fields, limits).Run();
}

}  // namespace groupcast::service
