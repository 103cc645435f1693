#ifndef GROUPCAST_TOOLS_BENCH_LOAD_REPORT_H_
#define GROUPCAST_TOOLS_BENCH_LOAD_REPORT_H_

#include <string>
#include <vector>

#include "boost/json.hpp"
#include "tools/bench_load/delivery_check.h"
#include "tools/bench_load/scenario.h"
#include "tools/bench_load/statistics.h"

namespace groupcast::bench {

// All runs of one contestant in one scenario, in the order of the rounds.
struct Series {
  const Scenario* scenario = nullptr;
  std::string contestant;
  std::vector<RunResult> runs;
  std::string version = {};  // of a foreign server
  // The failure that ended the runs.
  std::string failure = {};
};

// The summary of a series. Times are for one delivery.
struct Summary {
  Spread server_us;
  Spread client_us;
  Spread floor_ratio;     // of server_us to the floor's in the same round; all zero: no floor
  Spread received_bytes;  // by the members, per delivery
  Spread deliveries_per_second;
  Spread p50_ms;
  Spread p99_ms;
  Spread p999_ms;
  Spread pss_per_connection;     // bytes, all memory of the processes
  Spread growth_per_connection;  // bytes, the memory that came with the connections
  Spread growth_per_membership;  // the same, where connections are in several groups
  Spread opening_s;
  // The load beside, if it is counted. client_us is then for one of its actions, and so are these:
  // all CPU time of the server counts.
  Spread beside_server_us;
  Spread beside_per_second;
  Spread beside_p50_ms;
  Spread beside_p99_ms;
  DeliveryCheck::Counts counts;  // of all runs together, as the following ones
  int64_t unanswered = 0;
  int64_t closed = 0;
  int64_t undone = 0;
  int64_t told = 0;
  int64_t cut = 0;
};

// `floor`: the runs of the scenario's floor; empty if it was not measured.
Summary Summarize(const Series& series, const std::vector<RunResult>& floor);

// For human readers: a table for each scenario, and below it remarks about its numbers. The series
// of one scenario are next to each other.
std::string ReportText(const std::vector<Series>& all);

// For programs: one JSON object with the numbers of each run and the summaries.
std::string ReportJson(const std::vector<Series>& all);

// The unit of the load beside, without the plural s; empty: nothing is counted there.
std::string BesideUnit(const Scenario& scenario);

// The runs of that scenario's floor among `all`; empty: it was not measured.
const std::vector<RunResult>& FloorOf(const Series& series, const std::vector<Series>& all);
boost::json::object SeriesJson(const Series& series, const std::vector<RunResult>& floor);

}  // namespace groupcast::bench

#endif  // GROUPCAST_TOOLS_BENCH_LOAD_REPORT_H_
