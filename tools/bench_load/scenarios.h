#ifndef GROUPCAST_TOOLS_BENCH_LOAD_SCENARIOS_H_
#define GROUPCAST_TOOLS_BENCH_LOAD_SCENARIOS_H_

#include <vector>

#include "tools/bench_load/scenario.h"

namespace groupcast::bench {

// All there are, in full size, in the order in which they are reported.
const std::vector<Scenario>& Scenarios();

}  // namespace groupcast::bench

#endif  // GROUPCAST_TOOLS_BENCH_LOAD_SCENARIOS_H_
