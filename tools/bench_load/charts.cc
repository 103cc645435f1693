#include "tools/bench_load/charts.h"

#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tools/bench_load/svg_chart.h"

namespace groupcast::bench {
namespace {

constexpr double kKiB = 1'024;

Spread InKiB(const Spread& bytes) {
  return {bytes.median / kKiB, bytes.low / kKiB, bytes.high / kKiB};
}

// What went wrong, or nothing.
std::string Remark(const Series& series, const Summary& summary) {
  std::vector<std::string> remarks;
  if (!series.failure.empty()) remarks.push_back("failed");
  const auto add = [&](const char* what, int64_t count) {
    if (count > 0) remarks.push_back(absl::StrCat(what, " ", count));
  };
  add("lost", summary.counts.lost);
  add("doubled", summary.counts.doubled);
  add("out of order", summary.counts.out_of_order);
  add("stray", summary.counts.stray);
  return absl::StrJoin(remarks, ", ");
}

bool IsGroupcast(const Series& series) { return series.contestant.rfind("groupcast", 0) == 0; }

// What the bars show.
const Spread& CostOf(const Scenario& scenario, const Summary& summary) {
  if (scenario.weighs) return summary.pss_per_connection;
  return BesideUnit(scenario).empty() ? summary.server_us : summary.beside_server_us;
}

std::string CostLabel(const Scenario& scenario) {
  if (scenario.weighs) return "server memory per connection, KiB";
  const std::string unit = BesideUnit(scenario);
  return absl::StrCat("server CPU per ", unit.empty() ? "delivery" : unit, ", µs");
}

RowChart::Row Row(const Series& series) {
  const Scenario& scenario = *series.scenario;
  const Summary summary = Summarize(series, {});
  const Spread& cost = CostOf(scenario, summary);
  return {.name = series.contestant,
          .remark = Remark(series, summary),
          .ours = IsGroupcast(series),
          .bar = scenario.weighs ? InKiB(cost) : cost,
          .first_dot = summary.p50_ms.median,
          .second_dot = summary.p99_ms.median};
}

}  // namespace

std::vector<Chart> ScenarioCharts(const std::vector<Series>& all) {
  std::vector<Chart> charts;
  for (size_t begin = 0; begin < all.size();) {
    const Scenario& scenario = *all[begin].scenario;
    RowChart chart = {.title = scenario.name,
                      .subtitle = scenario.about,
                      .bar_label = CostLabel(scenario),
                      .dot_label = "from the send to each copy, ms",
                      .first_dot_name = "p50",
                      .second_dot_name = "p99"};
    for (; begin < all.size() && all[begin].scenario == &scenario; ++begin) {
      const Series& series = all[begin];
      chart.rows.push_back(Row(series));
      if (series.contestant == scenario.floor && !scenario.weighs) {
        chart.floor = {series.contestant, chart.rows.back().bar.median};
      }
    }
    charts.push_back({scenario.name, DrawRows(chart)});
  }
  return charts;
}

absl::Status WriteCharts(const std::string& directory, const std::vector<Chart>& charts) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  for (const Chart& chart : charts) {
    const std::string path = absl::StrCat(directory, "/", chart.name, ".svg");
    std::ofstream file(path, std::ios::trunc);
    file << chart.svg << std::flush;
    if (!file) return absl::UnavailableError(absl::StrCat("cannot write ", path));
  }
  return absl::OkStatus();
}

}  // namespace groupcast::bench
