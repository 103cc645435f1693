#include "tools/bench_load/report.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "boost/json.hpp"

namespace groupcast::bench {
namespace {

namespace json = boost::json;

// Numbers of one run.
double PerDelivery(absl::Duration time, const RunResult& run) {
  return run.deliveries == 0
             ? 0
             : absl::ToDoubleMicroseconds(time) / static_cast<double>(run.deliveries);
}
double ServerUs(const RunResult& run) { return PerDelivery(run.server_cpu, run); }
double ClientUs(const RunResult& run) { return PerDelivery(run.client_cpu, run); }
double DeliveriesPerSecond(const RunResult& run) {
  const double seconds = absl::ToDoubleSeconds(run.wall);
  return seconds == 0 ? 0 : static_cast<double>(run.deliveries) / seconds;
}
double PercentileMs(const RunResult& run, double percent) {
  return absl::ToDoubleMilliseconds(run.latency.Percentile(percent));
}

const std::vector<RunResult>& FloorOf(const Series& series, const std::vector<Series>& all) {
  static const std::vector<RunResult> none;
  for (const Series& other : all) {
    if (other.scenario == series.scenario && other.contestant == series.scenario->floor) {
      return other.runs;
    }
  }
  return none;
}

using Table = std::vector<std::vector<std::string>>;

// The first row is the heading; all columns but the first are numbers.
std::string Layout(const Table& table) {
  std::vector<size_t> widths(table[0].size(), 0);
  // "µ" and "×" are two bytes wide, and one column.
  const auto columns = [](const std::string& cell) {
    return static_cast<size_t>(
        std::count_if(cell.begin(), cell.end(), [](char c) { return (c & 0xc0) != 0x80; }));
  };
  for (const auto& row : table) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], columns(row[i]));
  }
  std::string text;
  for (const auto& row : table) {
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string space(widths[i] - columns(row[i]), ' ');
      absl::StrAppend(&text, "  ", i == 0 ? row[i] + space : space + row[i]);
    }
    absl::StrAppend(&text, "\n");
  }
  return text;
}

std::string Number(double value, int decimals) { return absl::StrFormat("%.*f", decimals, value); }

// The median and, in brackets, the range of all runs.
std::string WithRange(const Spread& spread, int decimals) {
  return absl::StrCat(Number(spread.median, decimals), " (", Number(spread.low, decimals), "-",
                      Number(spread.high, decimals), ")");
}

std::vector<std::string> Heading(const Scenario& scenario) {
  std::vector<std::string> row = {"server"};
  if (scenario.weighs) {
    row.insert(row.end(), {"KiB/connection", "of it grown", "opening s"});
  } else {
    row.insert(row.end(), {"server µs/delivery", "× " + scenario.floor, "deliveries/s"});
  }
  row.insert(row.end(), {"p50 ms", "p99 ms", "p99.9 ms", "client µs", "lost", "doubled",
                         "out of order", "stray"});
  return row;
}

std::vector<std::string> Row(const Series& series, const Summary& summary) {
  std::vector<std::string> row = {series.contestant};
  if (series.scenario->weighs) {
    row.push_back(Number(summary.pss_per_connection.median / 1024, 2));
    row.push_back(Number(summary.growth_per_connection.median / 1024, 2));
    row.push_back(Number(summary.opening_s.median, 1));
  } else {
    row.push_back(WithRange(summary.server_us, 2));
    row.push_back(summary.floor_ratio.median == 0 ? "" : Number(summary.floor_ratio.median, 2));
    row.push_back(WithRange(summary.deliveries_per_second, 0));
  }
  for (const Spread& latency : {summary.p50_ms, summary.p99_ms, summary.p999_ms}) {
    row.push_back(Number(latency.median, 3));
  }
  row.push_back(Number(summary.client_us.median, 2));
  for (const int64_t count : {summary.counts.lost, summary.counts.doubled,
                              summary.counts.out_of_order, summary.counts.stray}) {
    row.push_back(absl::StrCat(count));
  }
  return row;
}

// What a reader of the numbers must know.
std::vector<std::string> Notes(const Series& series, const Summary& summary) {
  std::vector<std::string> notes;
  if (!series.scenario->weighs && summary.client_us.median > summary.server_us.median) {
    notes.push_back("the client cost more than the server: it may be what bounds the rate");
  }
  if (summary.unanswered > 0) {
    notes.push_back(absl::StrCat(summary.unanswered,
                                 " messages did not come to all, and were waited for in vain"));
  }
  if (summary.closed > 0) {
    notes.push_back(absl::StrCat("the server closed ", summary.closed, " connections"));
  }
  for (std::string& note : notes) note = absl::StrCat("  ", series.contestant, ": ", note, "\n");
  return notes;
}

json::object ToJson(const Spread& spread) {
  return {{"median", spread.median}, {"low", spread.low}, {"high", spread.high}};
}

json::object ToJson(const DeliveryCheck::Counts& counts) {
  return {{"received", counts.received},
          {"lost", counts.lost},
          {"doubled", counts.doubled},
          {"out_of_order", counts.out_of_order},
          {"stray", counts.stray}};
}

json::object ToJson(const RunResult& run) {
  return {{"counts", ToJson(run.counts)},
          {"sent", run.sent},
          {"unanswered", run.unanswered},
          {"closed", run.closed},
          {"opening_s", absl::ToDoubleSeconds(run.opening)},
          {"pss_bare_bytes", run.pss_bare},
          {"pss_joined_bytes", run.pss_joined},
          {"deliveries", run.deliveries},
          {"wall_s", absl::ToDoubleSeconds(run.wall)},
          {"server_cpu_s", absl::ToDoubleSeconds(run.server_cpu)},
          {"client_cpu_s", absl::ToDoubleSeconds(run.client_cpu)},
          {"p50_ms", PercentileMs(run, 50)},
          {"p99_ms", PercentileMs(run, 99)},
          {"p999_ms", PercentileMs(run, 99.9)}};
}

json::object ToJson(const Series& series, const Summary& summary) {
  json::array runs;
  for (const RunResult& run : series.runs) runs.push_back(ToJson(run));
  json::object object = {{"scenario", series.scenario->name},
                         {"contestant", series.contestant},
                         {"connections", series.scenario->connections},
                         {"groups", series.scenario->groups},
                         {"message_bytes", series.scenario->message_bytes},
                         {"server_us", ToJson(summary.server_us)},
                         {"client_us", ToJson(summary.client_us)},
                         {"deliveries_per_second", ToJson(summary.deliveries_per_second)},
                         {"p50_ms", ToJson(summary.p50_ms)},
                         {"p99_ms", ToJson(summary.p99_ms)},
                         {"p999_ms", ToJson(summary.p999_ms)},
                         {"pss_per_connection_bytes", ToJson(summary.pss_per_connection)},
                         {"growth_per_connection_bytes", ToJson(summary.growth_per_connection)},
                         {"opening_s", ToJson(summary.opening_s)},
                         {"counts", ToJson(summary.counts)},
                         {"unanswered", summary.unanswered},
                         {"closed", summary.closed},
                         {"runs", std::move(runs)}};
  if (summary.floor_ratio.median != 0) {
    object["floor"] = series.scenario->floor;
    object["floor_ratio"] = ToJson(summary.floor_ratio);
  }
  return object;
}

}  // namespace

Summary Summarize(const Series& series, const std::vector<RunResult>& floor) {
  const auto spread_of = [&](const auto& number) {
    std::vector<double> values;
    for (const RunResult& run : series.runs) values.push_back(number(run));
    return SpreadOf(std::move(values));
  };
  const double connections = series.scenario->connections;
  Summary summary;
  summary.server_us = spread_of(ServerUs);
  summary.client_us = spread_of(ClientUs);
  summary.deliveries_per_second = spread_of(DeliveriesPerSecond);
  summary.p50_ms = spread_of([](const RunResult& run) { return PercentileMs(run, 50); });
  summary.p99_ms = spread_of([](const RunResult& run) { return PercentileMs(run, 99); });
  summary.p999_ms = spread_of([](const RunResult& run) { return PercentileMs(run, 99.9); });
  summary.pss_per_connection = spread_of(
      [&](const RunResult& run) { return static_cast<double>(run.pss_joined) / connections; });
  summary.growth_per_connection = spread_of([&](const RunResult& run) {
    return static_cast<double>(run.pss_joined - run.pss_bare) / connections;
  });
  summary.opening_s =
      spread_of([](const RunResult& run) { return absl::ToDoubleSeconds(run.opening); });
  std::vector<double> ratios;
  for (size_t i = 0; i < std::min(series.runs.size(), floor.size()); ++i) {
    if (ServerUs(floor[i]) > 0) ratios.push_back(ServerUs(series.runs[i]) / ServerUs(floor[i]));
  }
  summary.floor_ratio = SpreadOf(std::move(ratios));
  for (const RunResult& run : series.runs) {
    summary.counts.received += run.counts.received;
    summary.counts.lost += run.counts.lost;
    summary.counts.doubled += run.counts.doubled;
    summary.counts.out_of_order += run.counts.out_of_order;
    summary.counts.stray += run.counts.stray;
    summary.unanswered += run.unanswered;
    summary.closed += run.closed;
  }
  return summary;
}

std::string ReportText(const std::vector<Series>& all) {
  std::string text;
  for (size_t begin = 0; begin < all.size();) {
    const Scenario& scenario = *all[begin].scenario;
    absl::StrAppend(&text, begin == 0 ? "" : "\n", scenario.name, ": ", scenario.about, "\n");
    Table table = {Heading(scenario)};
    std::string notes;
    for (; begin < all.size() && all[begin].scenario == &scenario; ++begin) {
      const Summary summary = Summarize(all[begin], FloorOf(all[begin], all));
      table.push_back(Row(all[begin], summary));
      for (const std::string& note : Notes(all[begin], summary)) notes += note;
    }
    absl::StrAppend(&text, Layout(table), notes);
  }
  return text;
}

std::string ReportJson(const std::vector<Series>& all) {
  json::array results;
  for (const Series& series : all) {
    results.push_back(ToJson(series, Summarize(series, FloorOf(series, all))));
  }
  return json::serialize(
      json::object{{"cores", sysconf(_SC_NPROCESSORS_ONLN)}, {"results", std::move(results)}});
}

}  // namespace groupcast::bench
