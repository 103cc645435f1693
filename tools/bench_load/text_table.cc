#include "tools/bench_load/text_table.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace groupcast::bench {
namespace {

// "µ" and "×" are two bytes wide, and one column.
size_t Columns(const std::string& cell) {
  return static_cast<size_t>(
      std::count_if(cell.begin(), cell.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

}  // namespace

std::string LayOut(const TextTable& table) {
  std::vector<size_t> widths(table[0].size(), 0);
  for (const auto& row : table) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], Columns(row[i]));
  }
  std::string text;
  for (const auto& row : table) {
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string space(widths[i] - Columns(row[i]), ' ');
      absl::StrAppend(&text, "  ", i == 0 ? row[i] + space : space + row[i]);
    }
    absl::StrAppend(&text, "\n");
  }
  return text;
}

std::string Decimal(double value, int decimals) { return absl::StrFormat("%.*f", decimals, value); }

std::string WithRange(const Spread& spread, int decimals) {
  return absl::StrCat(Decimal(spread.median, decimals), " (", Decimal(spread.low, decimals), "-",
                      Decimal(spread.high, decimals), ")");
}

}  // namespace groupcast::bench
