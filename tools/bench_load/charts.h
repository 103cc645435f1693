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

// One for each scenario, whose series are next to each other: what each contestant costs, and its
// latency.
std::vector<Chart> ScenarioCharts(const std::vector<Series>& all);

// As files in `directory`, which is made if it is not there. Files of the same names are replaced.
absl::Status WriteCharts(const std::string& directory, const std::vector<Chart>& charts);

}  // namespace groupcast::bench

#endif  // GROUPCAST_TOOLS_BENCH_LOAD_CHARTS_H_
