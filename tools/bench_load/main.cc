// Measures servers with one neutral client. tools/bench builds everything and calls this.

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "boost/json.hpp"
#include "services/common/flags.h"
#include "services/common/posix.h"
#include "tools/bench_load/channel_growth.h"
#include "tools/bench_load/charts.h"
#include "tools/bench_load/contestants.h"
#include "tools/bench_load/growth.h"
#include "tools/bench_load/report.h"
#include "tools/bench_load/scenario.h"
#include "tools/bench_load/scenarios.h"
#include "tools/load/saturation_load.h"

ABSL_FLAG(std::vector<std::string>, scenario, {},
          "which scenarios; empty: those that do not take long");
ABSL_FLAG(std::vector<std::string>, servers, {},
          "which contestants; empty: Groupcast and the raw probe");
ABSL_FLAG(int, crowd, 0, "connections beside the load, where there is a crowd; 0: as it says");
ABSL_FLAG(int, runs, 0, "of each server in each scenario; 0: 5, or 3 with --growth");
ABSL_FLAG(double, seconds, 0, "measured part of each run; 0: 3, or 1.5 with --growth");
ABSL_FLAG(int, workers, 2, "worker processes of each server that has some");
ABSL_FLAG(std::vector<std::string>, growth, {},
          "instead of scenarios: families of them in which one thing grows; \"all\": all of them");
ABSL_FLAG(std::string, plot, "", "a directory, for charts");
ABSL_FLAG(bool, json, false, "print JSON instead of tables");
ABSL_FLAG(bool, list, false, "say which scenarios and contestants there are");
ABSL_FLAG(std::string, channel_server, "", "binary");
ABSL_FLAG(std::string, websocket_service, "", "binary");
ABSL_FLAG(std::string, raw_probe, "", "binary");
ABSL_FLAG(std::string, foreign_server, "", "binary");
ABSL_FLAG(std::string, peers, "",
          "the folder tools/bench_peers, with its packages installed; empty: no peer is measured");
ABSL_FLAG(std::vector<std::string>, peer_versions, {}, "each as NAME=TEXT, for the report");
ABSL_FLAG(std::string, directory, "", "where servers may write files");

namespace groupcast::bench {
namespace {

// Those of `all` that `names` has, in the order of `all`; all of them if it is empty.
template <typename Named>
absl::StatusOr<std::vector<const Named*>> Choose(const std::vector<Named>& all,
                                                 const std::vector<std::string>& names) {
  std::vector<const Named*> chosen;
  size_t known = 0;
  for (const Named& one : all) {
    const bool named = std::find(names.begin(), names.end(), one.name) != names.end();
    if (named) ++known;
    if (named || names.empty()) chosen.push_back(&one);
  }
  if (known < names.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("not all of ", absl::StrJoin(names, ","), " exist; see --list"));
  }
  return chosen;
}

void List() {
  std::printf("scenarios\n");
  for (const Scenario& scenario : Scenarios()) {
    std::printf("  %-14s %s%s\n", scenario.name.c_str(), scenario.about.c_str(),
                scenario.only_when_named ? " (only when named)" : "");
  }
  std::printf("growth\n");
  for (const GrowthFamily& family : GrowthFamilies()) {
    std::printf("  %-14s %s: %s\n", family.name.c_str(), family.x_label.c_str(),
                family.about.c_str());
  }
  std::printf("  %-14s what is published through one channel server\n", kChannelFamily);
  std::printf("servers\n");
  for (const Contestant& contestant : Contestants()) {
    std::printf("  %-14s %s\n", contestant.name.c_str(), contestant.about.c_str());
  }
}

bool IsWanted(const Contestant& contestant, const Scenario& scenario) {
  if (!absl::GetFlag(FLAGS_servers).empty()) return true;  // it is one of those
  if (contestant.is_peer && absl::GetFlag(FLAGS_peers).empty()) return false;
  return contestant.takes_part(scenario);
}

std::string VersionOf(const Contestant& contestant) {
  for (const std::string& version : absl::GetFlag(FLAGS_peer_versions)) {
    const std::string name = contestant.name + "=";
    if (version.compare(0, name.size(), name) == 0) return version.substr(name.size());
  }
  return "";
}

bool Grows() { return !absl::GetFlag(FLAGS_growth).empty(); }

int Runs() {
  const int runs = absl::GetFlag(FLAGS_runs);
  if (runs > 0) return runs;
  return Grows() ? 3 : 5;
}

absl::Duration Measured() {
  const double seconds = absl::GetFlag(FLAGS_seconds);
  if (seconds > 0) return absl::Seconds(seconds);
  return Grows() ? absl::Seconds(1.5) : absl::Seconds(3);
}

// As --list has them, but for what flags change.
const std::vector<Scenario>& ScenariosOfThisRun() {
  static const auto& scenarios = *new std::vector<Scenario>([] {
    std::vector<Scenario> all = Scenarios();
    const int crowd = absl::GetFlag(FLAGS_crowd);
    for (Scenario& scenario : all) {
      if (!scenario.has_crowd() || crowd <= 0) continue;
      scenario.beside_connections = static_cast<uint32_t>(crowd);
      absl::StrAppend(&scenario.about, "; but a crowd of ", crowd);
    }
    return all;
  }());
  return scenarios;
}

// Those that are named; if none is, those that do not take long.
absl::StatusOr<std::vector<const Scenario*>> ChooseScenarios() {
  const std::vector<std::string> names = absl::GetFlag(FLAGS_scenario);
  auto chosen = Choose(ScenariosOfThisRun(), names);
  if (chosen.ok() && names.empty()) {
    std::erase_if(*chosen, [](const Scenario* scenario) { return scenario->only_when_named; });
  }
  return chosen;
}

absl::StatusOr<RunResult> MeasureOnce(const Contestant& contestant, Scenario scenario,
                                      Installation installation) {
  installation.workers = std::max(installation.workers, static_cast<int>(scenario.workers_min()));
  const absl::StatusOr<RunningServer> server = contestant.start(installation);
  if (!server.ok()) return server.status();
  scenario.in_flight = std::max(scenario.in_flight, contestant.in_flight_min);
  RunOptions options;
  options.measured = Measured();
  return RunScenario(scenario, {server->port(), contestant.dialect.get(), server->roots()},
                     options);
}

Installation InstallationFromFlags() {
  return {.channel_server = absl::GetFlag(FLAGS_channel_server),
          .websocket_service = absl::GetFlag(FLAGS_websocket_service),
          .raw_probe = absl::GetFlag(FLAGS_raw_probe),
          .foreign_server = absl::GetFlag(FLAGS_foreign_server),
          .peers = absl::GetFlag(FLAGS_peers),
          .directory = absl::GetFlag(FLAGS_directory),
          .workers = absl::GetFlag(FLAGS_workers)};
}

// A series that is to be measured.
struct Task {
  Series series;
  const Contestant* contestant;
  Installation installation;
};

// All runs of all of them in turn, so that whatever else the machine does touches each.
absl::Status RunAll(std::vector<Task>* tasks) {
  const int runs = Runs();
  for (int round = 1; round <= runs; ++round) {
    for (Task& task : *tasks) {
      Series& series = task.series;
      if (!series.failure.empty()) continue;
      std::fprintf(stderr, "round %d of %d: %s, %s\n", round, runs, series.scenario->name.c_str(),
                   series.contestant.c_str());
      absl::StatusOr<RunResult> result =
          MeasureOnce(*task.contestant, *series.scenario, task.installation);
      if (!result.ok() && task.contestant->is_peer) {
        series.failure = std::string(result.status().message());
        std::fprintf(stderr, "it failed: %s\n", series.failure.c_str());
        continue;
      }
      if (!result.ok()) {
        return absl::Status(result.status().code(),
                            absl::StrCat(series.scenario->name, ", ", series.contestant, ": ",
                                         result.status().message()));
      }
      series.runs.push_back(*std::move(result));
    }
  }
  return absl::OkStatus();
}

absl::Status WriteChartsIfWanted(const std::vector<Chart>& charts) {
  const std::string directory = absl::GetFlag(FLAGS_plot);
  return directory.empty() ? absl::OkStatus() : WriteCharts(directory, charts);
}

absl::Status MeasureScenarios() {
  const auto scenarios = ChooseScenarios();
  if (!scenarios.ok()) return scenarios.status();
  const auto contestants = Choose(Contestants(), absl::GetFlag(FLAGS_servers));
  if (!contestants.ok()) return contestants.status();
  std::vector<Task> tasks;
  for (const Scenario* scenario : *scenarios) {
    for (const Contestant* contestant : *contestants) {
      if (!IsWanted(*contestant, *scenario)) continue;
      tasks.push_back({{scenario, contestant->name, {}, VersionOf(*contestant)},
                       contestant,
                       InstallationFromFlags()});
    }
  }
  if (absl::Status status = RunAll(&tasks); !status.ok()) return status;
  std::vector<Series> all;
  for (Task& task : tasks) all.push_back(std::move(task.series));
  const std::string report = absl::GetFlag(FLAGS_json) ? ReportJson(all) + "\n" : ReportText(all);
  std::fputs(report.c_str(), stdout);
  return WriteChartsIfWanted(ScenarioCharts(all));
}

// In the order of the families, with those of one point next to each other.
absl::StatusOr<std::vector<GrowthResult>> MeasureFamilies(
    const std::vector<const GrowthFamily*>& families) {
  const std::vector<std::string> names = absl::GetFlag(FLAGS_servers);
  const auto contestants = Choose(Contestants(), names);
  if (!contestants.ok()) return contestants.status();
  std::vector<Task> tasks;
  std::vector<size_t> family_of;  // of each task
  for (size_t i = 0; i < families.size(); ++i) {
    for (const GrowthPoint& point : families[i]->points) {
      for (const Contestant* contestant : *contestants) {
        const std::string& name = contestant->name;
        const bool usual = name == "groupcast" || name == point.scenario.floor;
        if (names.empty() && !usual) continue;
        tasks.push_back({{&point.scenario, name, {}, VersionOf(*contestant)},
                         contestant,
                         point.Apply(InstallationFromFlags())});
        family_of.push_back(i);
      }
    }
  }
  if (absl::Status status = RunAll(&tasks); !status.ok()) return status;
  std::vector<GrowthResult> results;
  for (const GrowthFamily* family : families) results.push_back({family, {}});
  for (size_t i = 0; i < tasks.size(); ++i) {
    results[family_of[i]].series.push_back(std::move(tasks[i].series));
  }
  return results;
}

absl::StatusOr<std::vector<ChannelPoint>> MeasureChannel() {
  std::vector<ChannelPoint> points = ChannelPoints();
  load::SaturationOptions options;
  options.channel_server = absl::GetFlag(FLAGS_channel_server);
  options.directory = absl::GetFlag(FLAGS_directory);
  const int runs = Runs();
  for (int round = 1; round <= runs; ++round) {
    for (ChannelPoint& point : points) {
      std::fprintf(stderr, "round %d of %d: %s, %d publishers, %.0f per second\n", round, runs,
                   kChannelFamily, point.publishers, point.per_second);
      options.publishers = point.publishers;
      options.per_second = point.per_second;
      absl::StatusOr<load::SaturationResult> result = load::MeasureSaturation(options);
      if (!result.ok()) return result.status();
      point.runs.push_back(*std::move(result));
    }
  }
  return points;
}

absl::Status MeasureGrowth() {
  std::vector<std::string> names = absl::GetFlag(FLAGS_growth);
  const bool all = names == std::vector<std::string>{"all"};
  const auto channel = std::find(names.begin(), names.end(), kChannelFamily);
  const bool with_channel = all || channel != names.end();
  if (all) names.clear();
  if (!all && with_channel) names.erase(channel);
  std::vector<const GrowthFamily*> families;
  if (all || !names.empty()) {
    const auto chosen = Choose(GrowthFamilies(), names);
    if (!chosen.ok()) return chosen.status();
    families = *chosen;
  }

  const absl::StatusOr<std::vector<GrowthResult>> results = MeasureFamilies(families);
  if (!results.ok()) return results.status();
  std::string text;
  boost::json::array json;
  std::vector<Chart> charts;
  for (const GrowthResult& result : *results) {
    absl::StrAppend(&text, text.empty() ? "" : "\n", GrowthText(result));
    json.push_back(GrowthJson(result));
    charts.push_back(GrowthChart(result));
  }
  if (with_channel) {
    const absl::StatusOr<std::vector<ChannelPoint>> points = MeasureChannel();
    if (!points.ok()) return points.status();
    absl::StrAppend(&text, text.empty() ? "" : "\n", ChannelText(*points));
    json.push_back(ChannelJson(*points));
    charts.push_back(ChannelChart(*points));
  }
  if (absl::GetFlag(FLAGS_json)) {
    text = boost::json::serialize(boost::json::object{{"growth", std::move(json)}}) + "\n";
  }
  std::fputs(text.c_str(), stdout);
  return WriteChartsIfWanted(charts);
}

}  // namespace
}  // namespace groupcast::bench

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a reader that goes away does not end the run
  groupcast::service::ParseCommandLine(argc, argv, "bench_load [flags]: see tools/bench");
  if (absl::GetFlag(FLAGS_list)) {
    groupcast::bench::List();
    return 0;
  }
  groupcast::service::RaiseOpenFilesLimit();
  const absl::Status status = groupcast::bench::Grows() ? groupcast::bench::MeasureGrowth()
                                                        : groupcast::bench::MeasureScenarios();
  if (status.ok()) return 0;
  std::fprintf(stderr, "bench_load: %s\n", std::string(status.message()).c_str());
  return 1;
}
