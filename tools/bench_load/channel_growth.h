#ifndef GROUPCAST_TOOLS_BENCH_LOAD_CHANNEL_GROWTH_H_
#define GROUPCAST_TOOLS_BENCH_LOAD_CHANNEL_GROWTH_H_

#include <string>
#include <vector>

#include "boost/json.hpp"
#include "tools/bench_load/charts.h"
#include "tools/load/saturation_load.h"

// The family of growing things that is about the channel server alone: what it carries while
// publishers offer it more and more, and what happens beyond that.

namespace groupcast::bench {

inline constexpr char kChannelFamily[] = "channel";

// So many publishers that offer so much, and what came of it in each run.
struct ChannelPoint {
  int publishers = 1;
  double per_second = 0;  // all together; 0: as much as their windows take
  std::vector<load::SaturationResult> runs;
};

// Those to be measured, ascending for each number of publishers.
std::vector<ChannelPoint> ChannelPoints();

std::string ChannelText(const std::vector<ChannelPoint>& points);
boost::json::object ChannelJson(const std::vector<ChannelPoint>& points);
Chart ChannelChart(const std::vector<ChannelPoint>& points);

}  // namespace groupcast::bench

#endif  // GROUPCAST_TOOLS_BENCH_LOAD_CHANNEL_GROWTH_H_
