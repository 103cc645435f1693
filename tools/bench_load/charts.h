#ifndef GROUPCAST_TOOLS_BENCH_LOAD_CHARTS_H_
#define GROUPCAST_TOOLS_BENCH_LOAD_CHARTS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "tools/bench_load/report.h"

namespace groupcast::bench {

struct Chart {
  std::string name;  // of its file, without ".svg"
  std::string svg;
};

// One chart for each scenario: the cost and the latency of each contestant. The series of one
// scenario are next to each other.
std::vector<Chart> ScenarioCharts(const std::vector<Series>& all);

// Writes the charts as files in `directory`, and creates it if it is missing. It replaces files of
// the same names.
absl::Status WriteCharts(const std::string& directory, const std::vector<Chart>& charts);

}  // namespace groupcast::bench

#endif  // GROUPCAST_TOOLS_BENCH_LOAD_CHARTS_H_
