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

// One size of the growing thing.
struct GrowthPoint {
  double x = 1;
  std::string label;  // x, short enough for an axis
  Scenario scenario;
  // The servers' settings for it; 0: the usual ones.
  int workers = 0;
  size_t max_message_bytes = 0;
  uint32_t max_groups_per_connection = 0;

  Installation Apply(Installation installation) const;
};

// Scenarios that differ in one thing, which grows.
struct GrowthFamily {
  std::string name;
  std::string title;    // what grows, for human readers
  std::string about;    // what stays the same; one line for human readers
  std::string x_label;  // of the axis: what grows, and its unit
  std::vector<GrowthPoint> points;
};

// All families, in the order of the report.
const std::vector<GrowthFamily>& GrowthFamilies();

// The results of one family: the series of its points' scenarios. Those of one point are next to
// each other.
struct GrowthResult {
  const GrowthFamily* family = nullptr;
  std::vector<Series> series;
};

std::string GrowthText(const GrowthResult& result);
boost::json::object GrowthJson(const GrowthResult& result);
// The cost and the latency of all contestants over the growing thing.
Chart GrowthChart(const GrowthResult& result);

}  // namespace groupcast::bench

#endif  // GROUPCAST_TOOLS_BENCH_LOAD_GROWTH_H_
