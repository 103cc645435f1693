#include "tools/groupcast/table.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace groupcast::cli {
namespace {

// The characters of UTF-8: the bytes that begin one.
size_t Width(absl::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

}  // namespace

std::string Table::Text(const Console& console) const {
  std::vector<std::vector<Cell>> rows(1);
  for (const Column& column : columns_) rows[0].push_back({column.name, Colour::kBold});
  rows.insert(rows.end(), rows_.begin(), rows_.end());
  std::vector<size_t> widths(columns_.size(), 0);
  for (const std::vector<Cell>& row : rows) {
    for (size_t i = 0; i < columns_.size(); ++i) {
      widths[i] = std::max(widths[i], Width(row[i].text));
    }
  }
  std::string text;
  for (const std::vector<Cell>& row : rows) {
    std::string line;
    for (size_t i = 0; i < columns_.size(); ++i) {
      const std::string padding(widths[i] - Width(row[i].text), ' ');
      const std::string cell =
          row[i].colour.has_value() ? console.OutColour(*row[i].colour, row[i].text) : row[i].text;
      const bool is_last = i + 1 == columns_.size();
      absl::StrAppend(&line, i == 0 ? "" : "  ", columns_[i].is_number ? padding : "", cell,
                      columns_[i].is_number || is_last ? "" : padding);
    }
    absl::StripTrailingAsciiWhitespace(&line);
    absl::StrAppend(&text, line, "\n");
  }
  return text;
}

}  // namespace groupcast::cli
