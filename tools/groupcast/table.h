#ifndef GROUPCAST_TOOLS_GROUPCAST_TABLE_H_
#define GROUPCAST_TOOLS_GROUPCAST_TABLE_H_

#include <optional>
#include <string>
#include <vector>

#include "tools/groupcast/console.h"

namespace groupcast::cli {

// A table for people: a heading, and rows of as many cells. Columns have the width of their widest
// cell, in characters. The last column has no padding.
class Table {
 public:
  struct Column {
    std::string name;
    bool is_number = false;  // it stands at the right
  };
  struct Cell {
    Cell(std::string text, std::optional<Colour> colour = std::nullopt)  // NOLINT: of a text
        : text(std::move(text)), colour(colour) {}
    std::string text;
    std::optional<Colour> colour;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  void AddRow(std::vector<Cell> cells) { rows_.push_back(std::move(cells)); }
  // The lines of the table, with colours if stdout has them.
  std::string Text(const Console& console) const;

 private:
  const std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace groupcast::cli

#endif  // GROUPCAST_TOOLS_GROUPCAST_TABLE_H_
