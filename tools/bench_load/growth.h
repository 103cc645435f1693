#ifndef GROUPCAST_TOOLS_BENCH_LOAD_GROWTH_H_
#define GROUPCAST_TOOLS_BENCH_LOAD_GROWTH_H_

#include <string>
#include <vector>

#include "boost/json.hpp"
#include "tools/bench_load/charts.h"
#include "tools/bench_load/contestants.h"
#include "tools/bench_load/report.h"
#include "tools/bench_load/scenario.h"

namespace groupcast::bench {

// One of the sizes at which a growing thing is measured.
struct GrowthPoint {
  double x = 1;
  std::string label;  // x, short enough for an axis
  Scenario scenario;
  // What the servers need for it; 0: as they are otherwise.
  int workers = 0;
  size_t max_message_bytes = 0;
  uint32_t max_groups_per_connection = 0;

  Installation Apply(Installation installation) const;
};

// Scenarios that are the same but for one thing, which grows.
struct GrowthFamily {
  std::string name;
  std::string title;    // what grows, for people
  std::string about;    // what stays the same; one line for people
  std::string x_label;  // of the axis: what grows, and its unit
  std::vector<GrowthPoint> points;
};

// All there are, in the order in which they are reported.
const std::vector<GrowthFamily>& GrowthFamilies();

// What came of one family: series of its points' scenarios, those of one point next to each other.
struct GrowthResult {
  const GrowthFamily* family = nullptr;
  std::vector<Series> series;
};

std::string GrowthText(const GrowthResult& result);
boost::json::object GrowthJson(const GrowthResult& result);
// Cost and latency of all contestants over what grows.
Chart GrowthChart(const GrowthResult& result);

}  // namespace groupcast::bench

#endif  // GROUPCAST_TOOLS_BENCH_LOAD_GROWTH_H_
