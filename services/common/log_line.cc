#include "services/common/log_line.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "services/common/utf8.h"

namespace groupcast::service {
namespace {

constexpr absl::string_view kCutMark = "... (cut)";

// The JSON form of one character.
std::string Escape(absl::string_view character) {
  if (character == "\"" || character == "\\") return absl::StrCat("\\", character);
  if (character == "\n") return "\\n";
  if (character == "\t") return "\\t";
  const auto first = static_cast<unsigned char>(character[0]);
  if (first < 0x20 || first == 0x7f) return absl::StrFormat("\\u%04x", first);
  const bool is_c1 = first == 0xc2 && static_cast<unsigned char>(character[1]) < 0xa0;
  if (is_c1) return absl::StrFormat("\\u%04x", static_cast<unsigned char>(character[1]));
  return std::string(character);
}

// Appends `text` as the content of a JSON string, until `line` has `bytes_max` bytes.
void AppendText(absl::string_view text, size_t bytes_max, std::string* line) {
  size_t cut_at = line->size();  // up to here the mark still finds room
  while (!text.empty()) {
    const size_t bytes = Utf8CharacterBytes(text);
    line->append(bytes == 0 ? "\xef\xbf\xbd" : Escape(text.substr(0, bytes)));
    text.remove_prefix(bytes == 0 ? 1 : bytes);
    if (line->size() + kCutMark.size() <= bytes_max) cut_at = line->size();
    if (line->size() > bytes_max) {
      line->resize(cut_at);
      absl::StrAppend(line, kCutMark);
      return;
    }
  }
}

}  // namespace

std::string FormatJsonLogLine(absl::Time time, absl::string_view level, const LogSource& source,
                              absl::string_view message, size_t bytes_max) {
  constexpr absl::string_view kEnd = "\"}\n";
  std::string line = absl::StrCat(
      "{\"time\":\"", absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", time, absl::UTCTimeZone()),
      "\",\"level\":\"", level, "\",\"service\":\"", source.service, "\"");
  if (source.worker != 0) absl::StrAppend(&line, ",\"worker\":", source.worker);
  absl::StrAppend(&line, ",\"pid\":", source.pid, ",\"message\":\"");
  AppendText(message, bytes_max - kEnd.size(), &line);
  absl::StrAppend(&line, kEnd);
  return line;
}

}  // namespace groupcast::service
