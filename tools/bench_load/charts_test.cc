#include "tools/bench_load/charts.h"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace groupcast::bench {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

RunResult RunThatCost(double server_us) {
  RunResult run;
  run.deliveries = 1'000;
  run.wall = absl::Seconds(1);
  run.server_cpu = absl::Microseconds(1'000 * server_us);
  run.pss_joined = 10 * 4 << 10;
  run.latency.Record(2'000'000);
  return run;
}

const Scenario kFanOut = {.name = "fan_out", .about = "what it is", .connections = 10};

TEST(ScenarioCharts, HaveOneForEachScenarioWithItsContestantsAndItsFloor) {
  Scenario idle = kFanOut;
  idle.name = "idle";
  idle.weighs = true;
  const std::vector<Chart> charts = ScenarioCharts({{&kFanOut, "groupcast", {RunThatCost(3)}},
                                                    {&kFanOut, "raw", {RunThatCost(2.5)}},
                                                    {&idle, "groupcast", {RunThatCost(3)}}});
  ASSERT_EQ(charts.size(), 2u);
  EXPECT_EQ(charts[0].name, "fan_out");
  EXPECT_THAT(charts[0].svg, HasSubstr(">what it is</text>"));
  EXPECT_THAT(charts[0].svg, HasSubstr(">server CPU per delivery, µs</text>"));
  EXPECT_THAT(charts[0].svg, HasSubstr(">groupcast</text>"));
  EXPECT_THAT(charts[0].svg, HasSubstr(">3</text>"));
  EXPECT_THAT(charts[0].svg, HasSubstr(">raw 2.5</text>"));
  EXPECT_EQ(charts[1].name, "idle");
  EXPECT_THAT(charts[1].svg, HasSubstr(">server memory per connection, KiB</text>"));
  EXPECT_THAT(charts[1].svg, HasSubstr(">4</text>"));
}

TEST(ScenarioCharts, ShowWhatIsCountedBesideTheLoad) {
  Scenario joins = kFanOut;
  joins.beside = Scenario::Beside::kJoins;
  joins.floor = "";
  RunResult run = RunThatCost(3);
  run.beside.done = 100;
  const std::string svg = ScenarioCharts({{&joins, "groupcast", {run}}})[0].svg;
  EXPECT_THAT(svg, HasSubstr(">server CPU per join, µs</text>"));
  EXPECT_THAT(svg, HasSubstr(">30</text>"));
}

TEST(ScenarioCharts, SayWhatWentWrong) {
  Series lossy = {&kFanOut, "a", {RunThatCost(3)}};
  lossy.runs[0].counts.lost = 7;
  lossy.runs[0].counts.out_of_order = 2;
  Series failed = {&kFanOut, "b", {}};
  failed.failure = "it did";
  const std::string svg = ScenarioCharts({lossy, failed})[0].svg;
  EXPECT_THAT(svg, HasSubstr(">lost 7, out of order 2</text>"));
  EXPECT_THAT(svg, HasSubstr(">failed</text>"));
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
}

TEST(WriteCharts, MakesTheDirectoryAndReplacesFiles) {
  const std::string directory = std::string(std::getenv("TEST_TMPDIR")) + "/charts/of";
  ASSERT_TRUE(WriteCharts(directory, {{"a", "a longer text"}, {"b", "b"}}).ok());
  ASSERT_TRUE(WriteCharts(directory, {{"a", "short"}}).ok());
  std::ifstream file(directory + "/a.svg");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), "short");
}

TEST(WriteCharts, SaysWhatItCannotWrite) {
  const absl::Status status = WriteCharts("/proc/nowhere", {{"a", "x"}});
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("/proc/nowhere/a.svg"));
}

}  // namespace
}  // namespace groupcast::bench
