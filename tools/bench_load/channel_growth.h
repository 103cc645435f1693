#ifndef GROUPCAST_TOOLS_BENCH_LOAD_CHANNEL_GROWTH_H_
#define GROUPCAST_TOOLS_BENCH_LOAD_CHANNEL_GROWTH_H_

#include <string>
#include <vector>

#include "boost/json.hpp"
#include "tools/bench_load/charts.h"
#include "tools/load/saturation_load.h"

// The growth family of the channel server alone: its throughput while publishers offer more and
// more, and its behaviour beyond its limit.

namespace groupcast::bench {

inline constexpr char kChannelFamily[] = "channel";

// A number of publishers, the rate that they offer, and the results of each run.
struct ChannelPoint {
  int publishers = 1;
  double per_second = 0;  // of all publishers together; 0: as much as their windows take
  std::vector<load::SaturationResult> runs;
};

// The points to measure, ascending for each number of publishers.
std::vector<ChannelPoint> ChannelPoints();

std::string ChannelText(const std::vector<ChannelPoint>& points);
boost::json::object ChannelJson(const std::vector<ChannelPoint>& points);
Chart ChannelChart(const std::vector<ChannelPoint>& points);

}  // namespace groupcast::bench

#endif  // GROUPCAST_TOOLS_BENCH_LOAD_CHANNEL_GROWTH_H_
