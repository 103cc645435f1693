#include "services/http_gateway/answer.h"

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "services/protocol/json.h"

namespace groupcast::service {
namespace {

constexpr absl::string_view kReplyStart = R"({"event":"reply","id":)";

// Replies are the answers to all that a program asks, so they are cut and not parsed.
bool ReadReply(absl::string_view event, Answer* answer) {
  if (!absl::ConsumePrefix(&event, kReplyStart)) return false;
  size_t digits = 0;
  while (digits < event.size() && event[digits] >= '0' && event[digits] <= '9') ++digits;
  uint64_t id = 0;
  if (!absl::SimpleAtoi(event.substr(0, digits), &id)) return false;
  event.remove_prefix(digits);
  if (!absl::ConsumePrefix(&event, ",") || event.empty()) return false;
  answer->kind = Answer::Kind::kReply;
  answer->id = id;
  answer->json = absl::StrCat("{", event);
  return true;
}

bool ReadOther(absl::string_view event, Answer* answer) {
  JsonReader reader(event);
  if (!reader.Expect('{')) return false;
  std::string code;
  std::string message;
  std::string group_id;
  bool retry = false;
  do {
    absl::string_view name;
    absl::string_view value;
    if (!reader.ReadString(&name) || !reader.Expect(':') || !reader.ReadValue(&value)) return false;
    const bool is_text = absl::StartsWith(value, "\"");
    if (name == "\"event\"" && is_text) {
      AppendJsonText(value, &answer->name);
    } else if (name == "\"id\"") {
      uint64_t id = 0;
      if (!absl::SimpleAtoi(value, &id)) return false;
      answer->id = id;
    } else if (name == "\"code\"" && is_text) {
      AppendJsonText(value, &code);
    } else if (name == "\"message\"" && is_text) {
      AppendJsonText(value, &message);
    } else if (name == "\"group_id\"" && is_text) {
      AppendJsonText(value, &group_id);
    } else if (name == "\"retry\"") {
      retry = value == "true";
    }
  } while (reader.Accept(','));
  if (!reader.Expect('}') || !reader.ExpectEnd() || answer->name.empty()) return false;
  if (answer->name != "error") {
    answer->json = std::string(event);
    return true;
  }
  answer->kind = Answer::Kind::kError;
  answer->problem = {
      .status = StatusOfErrorWord(code), .code = code, .detail = message, .retry = retry};
  answer->problem.group_id = group_id;
  answer->problem.is_counted = true;
  return !code.empty();
}

}  // namespace

Answer ReadAnswer(absl::string_view event) {
  Answer answer;
  if (ReadReply(event, &answer)) return answer;
  answer = Answer();
  if (ReadOther(event, &answer)) return answer;
  return {.kind = Answer::Kind::kError,
          .id = std::nullopt,
          .json = {},
          .name = {},
          .problem = ProblemOf(ErrorCode::kInternal, "The answer of the channel is not readable.")};
}

std::optional<Position> ReadPosition(absl::string_view reply) {
  JsonReader reader(reply);
  if (!reader.Expect('{')) return std::nullopt;
  Position position;
  bool has_epoch = false;
  bool has_offset = false;
  do {
    absl::string_view name;
    absl::string_view value;
    if (!reader.ReadString(&name) || !reader.Expect(':') || !reader.ReadValue(&value)) {
      return std::nullopt;
    }
    if (name == "\"epoch\"" && value.size() == 18) {
      uint64_t epoch = 0;
      has_epoch = absl::SimpleHexAtoi(value.substr(1, 16), &epoch);
      position.epoch = Epoch{epoch};
    } else if (name == "\"offset\"") {
      has_offset = absl::SimpleAtoi(value, &position.offset);
    }
  } while (reader.Accept(','));
  if (!has_epoch || !has_offset) return std::nullopt;
  return position;
}

std::string ProblemFields(const Problem& problem) {
  std::string json =
      absl::StrCat("\"status\":", problem.status, ",\"code\":\"", problem.code, "\",\"detail\":");
  AppendJsonString(problem.detail, &json);
  absl::StrAppend(&json, ",\"retry\":", problem.retry ? "true" : "false");
  return json;
}

}  // namespace groupcast::service
