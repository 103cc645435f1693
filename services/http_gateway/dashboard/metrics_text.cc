#include "services/http_gateway/dashboard/metrics_text.h"

#include <array>
#include <charconv>
#include <cmath>
#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/common/utf8.h"
#include "services/protocol/json.h"

namespace groupcast::service {
namespace {

constexpr absl::string_view kPrefix = "groupcast_";

bool IsNameCharacter(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == ':';
}

// One line: NAME{LABEL="VALUE",…} VALUE [TIME].
class SampleReader {
 public:
  explicit SampleReader(absl::string_view line) : rest_(line) {}

  // Reads the line. `sample` is JSON. False: it is no sample.
  bool Read(absl::string_view* name, std::string* sample) {
    SkipBlanks();
    if (!ReadName(name)) return false;
    *sample = "{\"labels\":{";
    SkipBlanks();
    if (Accept('{') && !ReadLabels(sample)) return false;
    absl::StrAppend(sample, "},\"value\":");
    if (!ReadValue(sample)) return false;
    *sample += '}';
    return true;
  }

 private:
  void SkipBlanks() {
    while (!rest_.empty() && (rest_[0] == ' ' || rest_[0] == '\t')) rest_.remove_prefix(1);
  }

  bool Accept(char c) {
    if (rest_.empty() || rest_[0] != c) return false;
    rest_.remove_prefix(1);
    return true;
  }

  bool ReadName(absl::string_view* name) {
    size_t size = 0;
    while (size < rest_.size() && IsNameCharacter(rest_[size])) ++size;
    *name = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return size > 0 && !absl::ascii_isdigit(static_cast<unsigned char>((*name)[0]));
  }

  // Behind the opening brace.
  bool ReadLabels(std::string* json) {
    for (bool is_first = true;; is_first = false) {
      SkipBlanks();
      if (Accept('}')) return true;
      absl::string_view label;
      std::string value;
      if (!ReadName(&label)) return false;
      SkipBlanks();
      if (!Accept('=')) return false;
      SkipBlanks();
      if (!ReadLabelValue(&value)) return false;
      absl::StrAppend(json, is_first ? "" : ",", "\"", label, "\":");
      AppendJsonString(value, json);
      SkipBlanks();
      if (Accept(',')) continue;
      return Accept('}');
    }
  }

  bool ReadLabelValue(std::string* value) {
    if (!Accept('"')) return false;
    while (!rest_.empty()) {
      char c = rest_[0];
      rest_.remove_prefix(1);
      if (c == '"') return true;
      if (c == '\\') {
        if (rest_.empty()) return false;
        c = rest_[0];
        rest_.remove_prefix(1);
        if (c == 'n') {
          c = '\n';
        } else if (c != '\\' && c != '"') {
          return false;
        }
      }
      value->push_back(c);
    }
    return false;
  }

  // With the time stamp behind it, which does not count.
  bool ReadValue(std::string* json) {
    const std::vector<absl::string_view> words =
        absl::StrSplit(rest_, absl::ByAnyChar(" \t"), absl::SkipEmpty());
    double value = 0;
    int64_t time_ms = 0;
    if (words.empty() || words.size() > 2 || !absl::SimpleAtod(words[0], &value)) return false;
    if (words.size() == 2 && !absl::SimpleAtoi(words[1], &time_ms)) return false;
    if (!std::isfinite(value)) {
      *json += "null";
      return true;
    }
    // The shortest text that reads as this value.
    std::array<char, 32> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    json->append(digits.data(), end);
    return true;
  }

  absl::string_view rest_;
};

}  // namespace

absl::StatusOr<std::string> MetricsJson(absl::string_view text) {
  if (Utf8Checker utf8; !utf8.Check(text) || !utf8.complete()) {
    return absl::InvalidArgumentError("the metrics are not UTF-8");
  }
  std::map<absl::string_view, std::string> samples;  // JSON, by name
  int number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    line = absl::StripSuffix(line, "\r");
    if (line.empty() || line[0] == '#') continue;
    absl::string_view name;
    std::string sample;
    if (!SampleReader(line).Read(&name, &sample)) {
      return absl::InvalidArgumentError(
          absl::StrCat("line ", number, " of the metrics is no sample"));
    }
    if (!absl::StartsWith(name, kPrefix)) continue;
    std::string& list = samples[name];
    absl::StrAppend(&list, list.empty() ? "" : ",", sample);
  }
  std::string json = "{";
  for (const auto& [name, list] : samples) {
    absl::StrAppend(&json, json.size() == 1 ? "" : ",", "\"", name, "\":[", list, "]");
  }
  json += '}';
  return json;
}

}  // namespace groupcast::service
