#ifndef GROUPCAST_TOOLS_BENCH_LOAD_REPORT_H_
#define GROUPCAST_TOOLS_BENCH_LOAD_REPORT_H_

#include <string>
#include <vector>

#include "tools/bench_load/delivery_check.h"
#include "tools/bench_load/scenario.h"
#include "tools/bench_load/statistics.h"

namespace groupcast::bench {

// All runs of one contestant in one scenario, in the order of the rounds.
struct Series {
  const Scenario* scenario = nullptr;
  std::string contestant;
  std::vector<RunResult> runs;
};

// What they say. Times are of one delivery.
struct Summary {
  Spread server_us;
  Spread client_us;
  Spread floor_ratio;  // of server_us to the floor's in the same round; all zero: there is none
  Spread deliveries_per_second;
  Spread p50_ms;
  Spread p99_ms;
  Spread p999_ms;
  Spread pss_per_connection;     // bytes, of all that the processes have
  Spread growth_per_connection;  // bytes, of what they had not before there were connections
  Spread opening_s;
  DeliveryCheck::Counts counts;  // of all runs together, as the next two
  int64_t unanswered = 0;
  int64_t closed = 0;
};

// `floor`: the runs of the scenario's floor; empty if it was not measured.
Summary Summarize(const Series& series, const std::vector<RunResult>& floor);

// For people: a table for each scenario, whose series are next to each other, and below it what has
// to be said about the numbers.
std::string ReportText(const std::vector<Series>& all);

// For programs: one JSON object, with each run's numbers and with the summaries.
std::string ReportJson(const std::vector<Series>& all);

}  // namespace groupcast::bench

#endif  // GROUPCAST_TOOLS_BENCH_LOAD_REPORT_H_
