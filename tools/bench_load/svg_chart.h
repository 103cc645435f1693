#ifndef GROUPCAST_TOOLS_BENCH_LOAD_SVG_CHART_H_
#define GROUPCAST_TOOLS_BENCH_LOAD_SVG_CHART_H_

#include <optional>
#include <string>
#include <vector>

#include "tools/bench_load/statistics.h"

// Charts as SVG documents, from numbers and names alone, without knowledge of the measurement. All
// numbers are finite and not below 0.

namespace groupcast::bench {

// Rows of things of one kind. Each row has a bar for the cost, and two dots on one line for two
// more numbers.
struct RowChart {
  struct Row {
    std::string name;
    std::string remark;  // in a warning color behind the name; empty: none
    bool ours = false;   // drawn with emphasis
    Spread bar;          // its range as whiskers
    double first_dot = 0;
    double second_dot = 0;  // not below the first
  };
  // A line through all bars, at the lowest possible cost.
  struct Floor {
    std::string name;
    double value = 0;
  };

  std::string title;
  std::string subtitle;
  std::string bar_label;  // the quantity of the bars, and its unit; linear from 0
  std::string dot_label;  // the same for the dots; logarithmic
  std::string first_dot_name;
  std::string second_dot_name;
  std::optional<Floor> floor;
  std::vector<Row> rows;
};

std::string DrawRows(const RowChart& chart);

// Numbers over another number that grows: panels side by side that share the axis below.
struct LineChart {
  struct Point {
    double x = 0;  // above 0
    Spread y;      // its range as a band around the line
  };
  struct Line {
    std::string name;
    bool dashed = false;  // the other lines are compared with it
    std::vector<Point> points;
  };
  struct Panel {
    std::string label;  // the quantity and its unit
    bool logarithmic = false;
    std::vector<Line> lines;
  };
  struct Tick {
    double x = 0;
    std::string label;
  };

  std::string title;
  std::string subtitle;
  std::string x_label;        // the growing thing and its unit; logarithmic
  std::vector<Tick> x_ticks;  // the labels, ascending: usually the measured values
  std::vector<Panel> panels;
};

std::string DrawLines(const LineChart& chart);

}  // namespace groupcast::bench

#endif  // GROUPCAST_TOOLS_BENCH_LOAD_SVG_CHART_H_
