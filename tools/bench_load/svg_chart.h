#ifndef GROUPCAST_TOOLS_BENCH_LOAD_SVG_CHART_H_
#define GROUPCAST_TOOLS_BENCH_LOAD_SVG_CHART_H_

#include <optional>
#include <string>
#include <vector>

#include "tools/bench_load/statistics.h"

// Charts as SVG documents, of numbers and names alone: they know nothing of what was measured. All
// numbers are finite and not below 0.

namespace groupcast::bench {

// Things of a kind, one below the other: what each costs as a bar, and two more numbers of each as
// two dots on one line.
struct RowChart {
  struct Row {
    std::string name;
    std::string remark;  // in a warning color behind the name; empty: none
    bool ours = false;   // drawn so that it stands out
    Spread bar;          // its range as whiskers
    double first_dot = 0;
    double second_dot = 0;  // not below the first
  };
  // A line through all bars, at what cannot be done with less.
  struct Floor {
    std::string name;
    double value = 0;
  };

  std::string title;
  std::string subtitle;
  std::string bar_label;  // what the bars measure, and its unit; linear from 0
  std::string dot_label;  // the same of the dots; logarithmic
  std::string first_dot_name;
  std::string second_dot_name;
  std::optional<Floor> floor;
  std::vector<Row> rows;
};

std::string DrawRows(const RowChart& chart);

// How numbers change while another one grows: panels side by side, which share the axis below.
struct LineChart {
  struct Point {
    double x = 0;  // above 0
    Spread y;      // its range as a band around the line
  };
  struct Line {
    std::string name;
    bool dashed = false;  // it is what the others are compared with
    std::vector<Point> points;
  };
  struct Panel {
    std::string label;  // what is measured, and its unit
    bool logarithmic = false;
    std::vector<Line> lines;
  };
  struct Tick {
    double x = 0;
    std::string label;
  };

  std::string title;
  std::string subtitle;
  std::string x_label;        // what grows, and its unit; logarithmic
  std::vector<Tick> x_ticks;  // where it is labelled, ascending: usually where it was measured
  std::vector<Panel> panels;
};

std::string DrawLines(const LineChart& chart);

}  // namespace groupcast::bench

#endif  // GROUPCAST_TOOLS_BENCH_LOAD_SVG_CHART_H_
