#ifndef GROUPCAST_TOOLS_BENCH_LOAD_STATISTICS_H_
#define GROUPCAST_TOOLS_BENCH_LOAD_STATISTICS_H_

#include <vector>

namespace groupcast::bench {

// One number over several runs.
struct Spread {
  double median = 0;
  double low = 0;  // the lowest and the highest of all runs
  double high = 0;
};

// The median of an even number of values is the mean of the middle two. All zero if there are no
// values.
Spread SpreadOf(std::vector<double> values);

}  // namespace groupcast::bench

#endif  // GROUPCAST_TOOLS_BENCH_LOAD_STATISTICS_H_
