#include "tools/bench_load/report.h"

#include <unistd.h>

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "boost/json.hpp"
#include "tools/bench_load/text_table.h"

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
double ReceivedBytes(const RunResult& run) {
  return run.deliveries == 0
             ? 0
             : static_cast<double>(run.received_bytes) / static_cast<double>(run.deliveries);
}
double DeliveriesPerSecond(const RunResult& run) {
  const double seconds = absl::ToDoubleSeconds(run.wall);
  return seconds == 0 ? 0 : static_cast<double>(run.deliveries) / seconds;
}
double PerBeside(absl::Duration time, const RunResult& run) {
  return run.beside.done == 0
             ? 0
             : absl::ToDoubleMicroseconds(time) / static_cast<double>(run.beside.done);
}
double BesidePerSecond(const RunResult& run) {
  const double seconds = absl::ToDoubleSeconds(run.wall);
  return seconds == 0 ? 0 : static_cast<double>(run.beside.done) / seconds;
}
double BesidePercentileMs(const RunResult& run, double percent) {
  return absl::ToDoubleMilliseconds(run.beside.latency.Percentile(percent));
}

double PercentileMs(const RunResult& run, double percent) {
  return absl::ToDoubleMilliseconds(run.latency.Percentile(percent));
}

std::vector<std::string> Heading(const Scenario& scenario) {
  std::vector<std::string> row = {"server"};
  if (scenario.weighs) {
    row.insert(row.end(), {"KiB/connection", "of it grown"});
    if (scenario.groups_per_connection > 1) row.push_back("bytes/membership");
    row.push_back("opening s");
  } else if (const std::string unit = BesideUnit(scenario); !unit.empty()) {
    row.insert(row.end(), {"server µs/" + unit, "per second", "its p50 ms", "its p99 ms"});
  } else {
    row.push_back("server µs/delivery");
    if (!scenario.floor.empty()) row.push_back("× " + scenario.floor);
    row.insert(row.end(), {"bytes/delivery", "deliveries/s"});
  }
  row.insert(row.end(), {"p50 ms", "p99 ms", "p99.9 ms", "client µs", "lost", "doubled",
                         "out of order", "stray"});
  return row;
}

std::vector<std::string> Row(const Series& series, const Summary& summary) {
  std::vector<std::string> row = {series.contestant};
  if (series.scenario->weighs) {
    row.push_back(Decimal(summary.pss_per_connection.median / 1024, 2));
    row.push_back(Decimal(summary.growth_per_connection.median / 1024, 2));
    if (series.scenario->groups_per_connection > 1) {
      row.push_back(Decimal(summary.growth_per_membership.median, 0));
    }
    row.push_back(Decimal(summary.opening_s.median, 1));
  } else if (!BesideUnit(*series.scenario).empty()) {
    row.push_back(WithRange(summary.beside_server_us, 2));
    row.push_back(WithRange(summary.beside_per_second, 0));
    row.push_back(Decimal(summary.beside_p50_ms.median, 3));
    row.push_back(Decimal(summary.beside_p99_ms.median, 3));
  } else {
    row.push_back(WithRange(summary.server_us, 2));
    if (!series.scenario->floor.empty()) {
      row.push_back(summary.floor_ratio.median == 0 ? "" : Decimal(summary.floor_ratio.median, 2));
    }
    row.push_back(Decimal(summary.received_bytes.median, 0));
    row.push_back(WithRange(summary.deliveries_per_second, 0));
  }
  for (const Spread& latency : {summary.p50_ms, summary.p99_ms, summary.p999_ms}) {
    row.push_back(Decimal(latency.median, 3));
  }
  row.push_back(Decimal(summary.client_us.median, 2));
  for (const int64_t count : {summary.counts.lost, summary.counts.doubled,
                              summary.counts.out_of_order, summary.counts.stray}) {
    row.push_back(absl::StrCat(count));
  }
  return row;
}

// What a reader of the numbers must know.
std::vector<std::string> Notes(const Series& series, const Summary& summary) {
  std::vector<std::string> notes;
  if (!series.failure.empty()) {
    notes.push_back(absl::StrCat("run ", series.runs.size() + 1,
                                 " failed, and there are no more: ", series.failure));
  }
  const Spread& server_us =
      BesideUnit(*series.scenario).empty() ? summary.server_us : summary.beside_server_us;
  if (!series.scenario->weighs && summary.client_us.median > server_us.median) {
    const bool by_the_clock = series.scenario->pace == Scenario::Pace::kRate;
    notes.push_back(absl::StrCat("the client cost more than the server",
                                 by_the_clock ? "" : ": it may be what bounds the rate"));
  }
  if (summary.unanswered > 0) {
    notes.push_back(absl::StrCat(summary.unanswered,
                                 " messages did not come to all, and were waited for in vain"));
  }
  if (summary.closed > 0) {
    notes.push_back(absl::StrCat("the server closed ", summary.closed, " connections"));
  }
  if (summary.undone > 0) {
    notes.push_back(absl::StrCat(summary.undone, " times a connection's turn came before its last ",
                                 BesideUnit(*series.scenario), " was done"));
  }
  if (series.scenario->beside == Scenario::Beside::kStall && !series.runs.empty()) {
    const RunResult& last = series.runs.back();
    const auto mib = [](int64_t bytes) {
      return Decimal(static_cast<double>(bytes) / (1 << 20), 1);
    };
    notes.push_back(absl::StrCat(
        "of ", series.runs.size() * series.scenario->beside_connections, " members that stopped ",
        summary.told, " were told that they were closed, and ", summary.cut, " were cut off"));
    notes.push_back(absl::StrCat("its processes had ", mib(last.peak_joined),
                                 " MiB at most when all had joined, and ", mib(last.peak),
                                 " MiB at the worst moment after that (last run)"));
  }
  for (std::string& note : notes) note = absl::StrCat("  ", series.contestant, ": ", note, "\n");
  return notes;
}

// How the series compares with those of other scenarios.
std::string Comparisons(const Series& series, const std::vector<Series>& all) {
  const auto median_of = [](const Series& of, const auto& number) {
    std::vector<double> values;
    for (const RunResult& run : of.runs) values.push_back(number(run));
    return SpreadOf(std::move(values)).median;
  };
  const auto cpu = [](const RunResult& run) {
    return absl::ToDoubleSeconds(run.server_cpu) / absl::ToDoubleSeconds(run.wall);
  };
  std::string text;
  for (const Series& other : all) {
    const std::vector<std::string>& against = series.scenario->against;
    if (other.contestant != series.contestant || other.runs.empty() || series.runs.empty() ||
        std::find(against.begin(), against.end(), other.scenario->name) == against.end()) {
      continue;
    }
    const auto ratio = [&](const auto& number) {
      const double base = median_of(other, number);
      return base == 0 ? std::string("-") : Decimal(median_of(series, number) / base, 2);
    };
    absl::StrAppend(
        &text, "  ", series.contestant, ": beside ", other.scenario->name, ", the server's CPU is ",
        ratio(cpu), " times (", Decimal(median_of(series, cpu), 3), " and ",
        Decimal(median_of(other, cpu), 3), " cores), p50 ",
        ratio([](const RunResult& run) { return PercentileMs(run, 50); }), " times, p99 ",
        ratio([](const RunResult& run) { return PercentileMs(run, 99); }), " times\n");
  }
  return text;
}

// Of those that have one, by contestant.
std::map<std::string, std::string> Versions(const std::vector<Series>& all) {
  std::map<std::string, std::string> versions;
  for (const Series& series : all) {
    if (!series.version.empty()) versions[series.contestant] = series.version;
  }
  return versions;
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
          {"peak_joined_bytes", run.peak_joined},
          {"peak_bytes", run.peak},
          {"deliveries", run.deliveries},
          {"received_bytes", run.received_bytes},
          {"wall_s", absl::ToDoubleSeconds(run.wall)},
          {"server_cpu_s", absl::ToDoubleSeconds(run.server_cpu)},
          {"client_cpu_s", absl::ToDoubleSeconds(run.client_cpu)},
          {"p50_ms", PercentileMs(run, 50)},
          {"p99_ms", PercentileMs(run, 99)},
          {"p999_ms", PercentileMs(run, 99.9)},
          {"beside_done", run.beside.done},
          {"beside_p50_ms", BesidePercentileMs(run, 50)},
          {"beside_p99_ms", BesidePercentileMs(run, 99)},
          {"undone", run.beside.undone},
          {"told", run.beside.told},
          {"cut", run.beside.cut}};
}

json::object ToJson(const Series& series, const Summary& summary) {
  json::array runs;
  for (const RunResult& run : series.runs) runs.push_back(ToJson(run));
  json::object object = {{"scenario", series.scenario->name},
                         {"contestant", series.contestant},
                         {"connections", series.scenario->all_connections()},
                         {"groups", series.scenario->groups},
                         {"message_bytes", series.scenario->message_bytes},
                         {"server_us", ToJson(summary.server_us)},
                         {"client_us", ToJson(summary.client_us)},
                         {"bytes_per_delivery", ToJson(summary.received_bytes)},
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
  if (!series.failure.empty()) object["failure"] = series.failure;
  if (const std::string unit = BesideUnit(*series.scenario); !unit.empty()) {
    object["beside"] = json::object{{"unit", unit},
                                    {"server_us", ToJson(summary.beside_server_us)},
                                    {"per_second", ToJson(summary.beside_per_second)},
                                    {"p50_ms", ToJson(summary.beside_p50_ms)},
                                    {"p99_ms", ToJson(summary.beside_p99_ms)}};
  }
  return object;
}

}  // namespace

std::string BesideUnit(const Scenario& scenario) {
  switch (scenario.beside) {
    case Scenario::Beside::kJoins:
    case Scenario::Beside::kComeAndGo:
      return "join";
    case Scenario::Beside::kChurn:
      return "connection";
    case Scenario::Beside::kBusyCrowd:
      return "crowd delivery";
    case Scenario::Beside::kNothing:
    case Scenario::Beside::kStall:
    case Scenario::Beside::kIdleCrowd:
      return "";
  }
  return "";
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

boost::json::object SeriesJson(const Series& series, const std::vector<RunResult>& floor) {
  return ToJson(series, Summarize(series, floor));
}

Summary Summarize(const Series& series, const std::vector<RunResult>& floor) {
  const auto spread_of = [&](const auto& number) {
    std::vector<double> values;
    for (const RunResult& run : series.runs) values.push_back(number(run));
    return SpreadOf(std::move(values));
  };
  const double connections = series.scenario->all_connections();
  const bool counts_beside = !BesideUnit(*series.scenario).empty();
  Summary summary;
  summary.server_us = spread_of(ServerUs);
  summary.client_us = spread_of([&](const RunResult& run) {
    return counts_beside ? PerBeside(run.client_cpu, run) : PerDelivery(run.client_cpu, run);
  });
  summary.received_bytes = spread_of(ReceivedBytes);
  summary.deliveries_per_second = spread_of(DeliveriesPerSecond);
  summary.p50_ms = spread_of([](const RunResult& run) { return PercentileMs(run, 50); });
  summary.p99_ms = spread_of([](const RunResult& run) { return PercentileMs(run, 99); });
  summary.p999_ms = spread_of([](const RunResult& run) { return PercentileMs(run, 99.9); });
  summary.pss_per_connection = spread_of(
      [&](const RunResult& run) { return static_cast<double>(run.pss_joined) / connections; });
  summary.growth_per_connection = spread_of([&](const RunResult& run) {
    return static_cast<double>(run.pss_joined - run.pss_bare) / connections;
  });
  summary.growth_per_membership = spread_of([&](const RunResult& run) {
    return static_cast<double>(run.pss_joined - run.pss_bare) / connections /
           series.scenario->groups_per_connection;
  });
  summary.opening_s =
      spread_of([](const RunResult& run) { return absl::ToDoubleSeconds(run.opening); });
  summary.beside_server_us =
      spread_of([](const RunResult& run) { return PerBeside(run.server_cpu, run); });
  summary.beside_per_second = spread_of(BesidePerSecond);
  summary.beside_p50_ms =
      spread_of([](const RunResult& run) { return BesidePercentileMs(run, 50); });
  summary.beside_p99_ms =
      spread_of([](const RunResult& run) { return BesidePercentileMs(run, 99); });
  std::vector<double> ratios;
  for (size_t i = 0; i < std::min(series.runs.size(), floor.size()); ++i) {
    if (ServerUs(floor[i]) > 0) ratios.push_back(ServerUs(series.runs[i]) / ServerUs(floor[i]));
  }
  summary.floor_ratio = SpreadOf(std::move(ratios));
  for (const RunResult& run : series.runs) {
    summary.counts += run.counts;
    summary.unanswered += run.unanswered;
    summary.closed += run.closed;
    summary.undone += run.beside.undone;
    summary.told += run.beside.told;
    summary.cut += run.beside.cut;
  }
  return summary;
}

std::string ReportText(const std::vector<Series>& all) {
  std::string text;
  for (size_t begin = 0; begin < all.size();) {
    const Scenario& scenario = *all[begin].scenario;
    absl::StrAppend(&text, begin == 0 ? "" : "\n", scenario.name, ": ", scenario.about, "\n");
    TextTable table = {Heading(scenario)};
    std::string notes;
    for (; begin < all.size() && all[begin].scenario == &scenario; ++begin) {
      const Summary summary = Summarize(all[begin], FloorOf(all[begin], all));
      if (!all[begin].runs.empty()) table.push_back(Row(all[begin], summary));
      for (const std::string& note : Notes(all[begin], summary)) notes += note;
      notes += Comparisons(all[begin], all);
    }
    absl::StrAppend(&text, LayOut(table), notes);
  }
  const auto versions = Versions(all);
  if (!versions.empty()) absl::StrAppend(&text, "\n");
  for (const auto& [name, version] : versions) absl::StrAppend(&text, name, ": ", version, "\n");
  return text;
}

std::string ReportJson(const std::vector<Series>& all) {
  json::array results;
  for (const Series& series : all) {
    results.push_back(ToJson(series, Summarize(series, FloorOf(series, all))));
  }
  json::object versions;
  for (const auto& [name, version] : Versions(all)) versions[name] = version;
  return json::serialize(json::object{{"cores", sysconf(_SC_NPROCESSORS_ONLN)},
                                      {"versions", std::move(versions)},
                                      {"results", std::move(results)}});
}

}  // namespace groupcast::bench
