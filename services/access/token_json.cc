#include "services/access/token_json.h"

#include "services/common/utf8.h"
#include "services/protocol/json.h"

namespace groupcast::service {

std::optional<JsonMembers> ReadJsonMembers(absl::string_view json) {
  Utf8Checker utf8;
  if (!utf8.Check(json) || !utf8.complete()) return std::nullopt;
  JsonReader reader(json);
  JsonMembers members;
  if (!reader.Expect('{')) return std::nullopt;
  if (!reader.Accept('}')) {
    do {
      absl::string_view raw_name;
      absl::string_view value;
      if (!reader.ReadString(&raw_name) || !reader.Expect(':') || !reader.ReadValue(&value)) {
        return std::nullopt;
      }
      std::string name;
      AppendJsonText(raw_name, &name);
      if (!members.emplace(std::move(name), value).second) return std::nullopt;
    } while (reader.Accept(','));
    if (!reader.Expect('}')) return std::nullopt;
  }
  if (!reader.ExpectEnd()) return std::nullopt;
  return members;
}

std::optional<std::vector<absl::string_view>> ReadJsonElements(absl::string_view json) {
  JsonReader reader(json);
  std::vector<absl::string_view> elements;
  if (!reader.Expect('[')) return std::nullopt;
  if (!reader.Accept(']')) {
    do {
      if (!reader.ReadValue(&elements.emplace_back())) return std::nullopt;
    } while (reader.Accept(','));
    if (!reader.Expect(']')) return std::nullopt;
  }
  if (!reader.ExpectEnd()) return std::nullopt;
  return elements;
}

std::optional<std::string> ReadJsonText(absl::string_view json) {
  if (json.empty() || json.front() != '"') return std::nullopt;
  std::string text;
  AppendJsonText(json, &text);
  return text;
}

}  // namespace groupcast::service
