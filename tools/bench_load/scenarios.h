#ifndef GROUPCAST_TOOLS_BENCH_LOAD_SCENARIOS_H_
#define GROUPCAST_TOOLS_BENCH_LOAD_SCENARIOS_H_

#include <vector>

#include "tools/bench_load/scenario.h"

namespace groupcast::bench {

// All scenarios, in full size, in the order of the report.
const std::vector<Scenario>& Scenarios();

}  // namespace groupcast::bench

#endif  // GROUPCAST_TOOLS_BENCH_LOAD_SCENARIOS_H_
