// Measures servers with one neutral client. tools/bench builds everything and calls this.

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/common/posix.h"
#include "tools/bench_load/contestants.h"
#include "tools/bench_load/report.h"
#include "tools/bench_load/scenario.h"
#include "tools/bench_load/scenarios.h"

ABSL_FLAG(std::vector<std::string>, scenario, {}, "which scenarios; empty: all");
ABSL_FLAG(std::vector<std::string>, servers, {},
          "which contestants; empty: Groupcast and the raw probe");
ABSL_FLAG(int, runs, 5, "of each server in each scenario");
ABSL_FLAG(double, seconds, 3, "measured part of each run");
ABSL_FLAG(int, workers, 2, "worker processes of each server that has some");
ABSL_FLAG(bool, json, false, "print JSON instead of tables");
ABSL_FLAG(bool, list, false, "say which scenarios and contestants there are");
ABSL_FLAG(std::string, channel_server, "", "binary");
ABSL_FLAG(std::string, websocket_service, "", "binary");
ABSL_FLAG(std::string, raw_probe, "", "binary");
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
    std::printf("  %-14s %s\n", scenario.name.c_str(), scenario.about.c_str());
  }
  std::printf("servers\n");
  for (const Contestant& contestant : Contestants()) {
    std::printf("  %-14s %s\n", contestant.name.c_str(), contestant.about.c_str());
  }
}

absl::StatusOr<RunResult> MeasureOnce(const Contestant& contestant, Scenario scenario,
                                      const Installation& installation) {
  const absl::StatusOr<RunningServer> server = contestant.start(installation);
  if (!server.ok()) return server.status();
  scenario.in_flight = std::max(scenario.in_flight, contestant.in_flight_min);
  RunOptions options;
  options.measured = absl::Seconds(absl::GetFlag(FLAGS_seconds));
  return RunScenario(scenario, {server->port(), contestant.dialect.get(), server->roots()},
                     options);
}

absl::Status Measure() {
  const auto scenarios = Choose(Scenarios(), absl::GetFlag(FLAGS_scenario));
  if (!scenarios.ok()) return scenarios.status();
  const std::vector<std::string> names = absl::GetFlag(FLAGS_servers);
  const auto contestants = Choose(Contestants(), names);
  if (!contestants.ok()) return contestants.status();

  std::vector<Series> all;
  std::vector<const Contestant*> contestant_of;  // of each in `all`
  for (const Scenario* scenario : *scenarios) {
    for (const Contestant* contestant : *contestants) {
      if (names.empty() && !contestant->takes_part(*scenario)) continue;
      all.push_back({scenario, contestant->name, {}});
      contestant_of.push_back(contestant);
    }
  }
  const Installation installation = {.channel_server = absl::GetFlag(FLAGS_channel_server),
                                     .websocket_service = absl::GetFlag(FLAGS_websocket_service),
                                     .raw_probe = absl::GetFlag(FLAGS_raw_probe),
                                     .directory = absl::GetFlag(FLAGS_directory),
                                     .workers = absl::GetFlag(FLAGS_workers)};
  const int runs = absl::GetFlag(FLAGS_runs);
  // In turn, so that whatever else the machine does touches all of them.
  for (int round = 1; round <= runs; ++round) {
    for (size_t i = 0; i < all.size(); ++i) {
      std::fprintf(stderr, "round %d of %d: %s, %s\n", round, runs, all[i].scenario->name.c_str(),
                   all[i].contestant.c_str());
      absl::StatusOr<RunResult> result =
          MeasureOnce(*contestant_of[i], *all[i].scenario, installation);
      if (!result.ok()) {
        return absl::Status(result.status().code(),
                            absl::StrCat(all[i].scenario->name, ", ", all[i].contestant, ": ",
                                         result.status().message()));
      }
      all[i].runs.push_back(*std::move(result));
    }
  }
  const std::string report = absl::GetFlag(FLAGS_json) ? ReportJson(all) + "\n" : ReportText(all);
  std::fputs(report.c_str(), stdout);
  return absl::OkStatus();
}

}  // namespace
}  // namespace groupcast::bench

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("bench_load [flags]: see tools/bench");
  absl::ParseCommandLine(argc, argv);
  if (absl::GetFlag(FLAGS_list)) {
    groupcast::bench::List();
    return 0;
  }
  groupcast::service::RaiseOpenFilesLimit();
  const absl::Status status = groupcast::bench::Measure();
  if (status.ok()) return 0;
  std::fprintf(stderr, "bench_load: %s\n", std::string(status.message()).c_str());
  return 1;
}
