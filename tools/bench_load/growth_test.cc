#include "tools/bench_load/growth.h"

#include <set>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/bench_load/channel_growth.h"
#include "tools/bench_load/stamp.h"

namespace groupcast::bench {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const GrowthFamily& Named(const std::string& name) {
  for (const GrowthFamily& family : GrowthFamilies()) {
    if (family.name == name) return family;
  }
  ADD_FAILURE() << "there is no " << name;
  return GrowthFamilies().front();
}

RunResult RunThatCost(double server_us) {
  RunResult run;
  run.deliveries = 1'000;
  run.wall = absl::Seconds(1);
  run.server_cpu = absl::Microseconds(1'000 * server_us);
  run.latency.Record(2'000'000);
  return run;
}

TEST(GrowthFamilies, EveryPointCanBeMeasured) {
  for (const GrowthFamily& family : GrowthFamilies()) {
    double last = 0;
    std::set<std::string> names;
    for (const GrowthPoint& point : family.points) {
      SCOPED_TRACE(point.scenario.name);
      const Scenario& scenario = point.scenario;
      EXPECT_GT(point.x, last);
      last = point.x;
      EXPECT_TRUE(names.insert(scenario.name).second);
      EXPECT_FALSE(point.label.empty());
      EXPECT_EQ(scenario.about, family.about);
      EXPECT_GE(scenario.message_bytes, kStampBytes);
      EXPECT_GE(scenario.members_per_group(), scenario.senders_per_group);
      EXPECT_EQ(uint64_t{scenario.members_per_group()} * scenario.groups,
                uint64_t{scenario.connections} * scenario.groups_per_connection);
      EXPECT_EQ(scenario.groups % scenario.groups_per_connection, 0u);
      if (scenario.pace == Scenario::Pace::kRate) {
        EXPECT_GT(scenario.per_second, 0);
      }
      // What the servers take is enough.
      const Installation installation = point.Apply({});
      EXPECT_TRUE(scenario.message_bytes <= 64 << 10 ||
                  scenario.message_bytes <= installation.max_message_bytes);
      EXPECT_TRUE(scenario.groups_per_connection <= 128 ||
                  scenario.groups_per_connection <= installation.max_groups_per_connection);
      EXPECT_LE(scenario.message_bytes * scenario.in_flight, 1u << 20)
          << "the members' outboxes could overflow";
    }
  }
}

TEST(GrowthFamilies, OnlyOneThingGrows) {
  for (const GrowthPoint& point : Named("members").points) {
    EXPECT_EQ(point.scenario.members_per_group(), point.x);
    EXPECT_DOUBLE_EQ(point.scenario.per_second * point.x, 100'000);
  }
  for (const GrowthPoint& point : Named("groups").points) {
    EXPECT_EQ(point.scenario.groups, point.x);
    EXPECT_EQ(point.scenario.members_per_group(), 2u);
  }
  for (const GrowthPoint& point : Named("payload").points) {
    EXPECT_EQ(point.scenario.message_bytes, point.x);
    EXPECT_EQ(point.Apply({}).max_message_bytes, 256u << 10);
  }
  for (const GrowthPoint& point : Named("workers").points) {
    EXPECT_EQ(point.Apply({.workers = 7}).workers, point.x);
  }
}

TEST(GrowthPoint, LeavesAloneWhatItDoesNotName) {
  const Installation installation =
      GrowthPoint{}.Apply({.raw_probe = "r", .workers = 7, .max_message_bytes = 3});
  EXPECT_EQ(installation.raw_probe, "r");
  EXPECT_EQ(installation.workers, 7);
  EXPECT_EQ(installation.max_message_bytes, 3u);
}

// Two points of a family, with two contestants each.
GrowthResult SomeResult() {
  const GrowthFamily& family = Named("members");
  GrowthResult result = {&family, {}};
  for (const size_t i : {0u, 1u}) {
    const Scenario* scenario = &family.points[i].scenario;
    result.series.push_back({scenario, "groupcast", {RunThatCost(3.0 + static_cast<double>(i))}});
    result.series.push_back({scenario, "raw", {RunThatCost(2)}});
  }
  return result;
}

TEST(GrowthText, HasARowForEachPointAndContestant) {
  const std::string text = GrowthText(SomeResult());
  EXPECT_THAT(text, HasSubstr("members: 1 sender, 1 group"));
  EXPECT_THAT(text, HasSubstr("  10                    groupcast    3.00 (3.00-3.00)     1.50"));
  EXPECT_THAT(text, HasSubstr("  100                   groupcast    4.00 (4.00-4.00)     2.00"));
  EXPECT_THAT(text, HasSubstr("  100                         raw    2.00 (2.00-2.00)     1.00"));
}

TEST(GrowthJson, HasXOfEachPoint) {
  const boost::json::object json = GrowthJson(SomeResult());
  EXPECT_EQ(json.at("family").as_string(), "members");
  const boost::json::array& points = json.at("points").as_array();
  ASSERT_EQ(points.size(), 4u);
  EXPECT_DOUBLE_EQ(points[2].at("x").as_double(), 100);
  EXPECT_EQ(points[2].at("contestant").as_string(), "groupcast");
  EXPECT_DOUBLE_EQ(points[2].at("server_us").at("median").as_double(), 4);
  EXPECT_DOUBLE_EQ(points[2].at("floor_ratio").at("median").as_double(), 2);
}

TEST(GrowthChart, ShowsCostWithTheFloorAndLatencyWithoutIt) {
  const Chart chart = GrowthChart(SomeResult());
  EXPECT_EQ(chart.name, "growth_members");
  for (const char* text : {">groupcast</text>", ">raw</text>", ">groupcast p50</text>",
                           ">groupcast p99</text>", ">members of the group</text>"}) {
    EXPECT_THAT(chart.svg, HasSubstr(text));
  }
  EXPECT_THAT(chart.svg, Not(HasSubstr("raw p50")));
}

TEST(GrowthChart, SaysWhatWasLost) {
  EXPECT_THAT(GrowthChart(SomeResult()).svg, Not(HasSubstr("lost")));
  GrowthResult lossy = SomeResult();
  lossy.series[0].runs[0].counts.lost = 3;
  lossy.series[2].runs[0].counts.lost = 4;
  EXPECT_THAT(GrowthChart(lossy).svg, HasSubstr("; groupcast lost 7</text>"));
}

TEST(GrowthChart, HasALogarithmicAxisWhereOneIsNeeded) {
  GrowthResult result = SomeResult();
  EXPECT_THAT(GrowthChart(result).svg, HasSubstr(">0</text>"));
  result.series[2].runs = {RunThatCost(30)};
  EXPECT_THAT(GrowthChart(result).svg, Not(HasSubstr(">0</text>")));
}

load::SaturationResult Carried(double per_second) {
  load::SaturationResult run;
  run.accepted_per_second = per_second;
  run.delivered_per_second = per_second;
  run.server_cores = 1.25;
  run.window_full = 0.5;
  run.answered_p50 = absl::Milliseconds(150);
  run.accepted = 1'000;
  return run;
}

TEST(ChannelPoints, OfferMoreAndMore) {
  double last = 0;
  int publishers = 0;
  for (const ChannelPoint& point : ChannelPoints()) {
    if (point.publishers != publishers) {
      EXPECT_GT(point.publishers, publishers);
      last = 0;
    }
    publishers = point.publishers;
    EXPECT_TRUE(point.per_second == 0 || point.per_second > last);
    last = point.per_second;
  }
}

TEST(ChannelReports, HaveWhatWasCarriedAndWhatWasNot) {
  std::vector<ChannelPoint> points = {{1, 250e3, {Carried(250e3)}},
                                      {1, 0, {Carried(1e6), Carried(2e6), Carried(3e6)}}};
  points[1].runs[0].lost = 1;
  points[1].runs[2].lost = 2;
  const std::string text = ChannelText(points);
  EXPECT_THAT(text, HasSubstr("250000 (250000-250000)"));
  EXPECT_THAT(text, HasSubstr("no limit"));
  EXPECT_THAT(text, HasSubstr("2000000 (1000000-3000000)"));
  const boost::json::object json = ChannelJson(points);
  const boost::json::value& unbounded = json.at("points").at(1);
  EXPECT_EQ(unbounded.at("lost").as_int64(), 3);
  EXPECT_EQ(unbounded.at("accepted").as_int64(), 3'000);
  EXPECT_DOUBLE_EQ(unbounded.at("window_full_percent").at("median").as_double(), 50);
  const Chart chart = ChannelChart(points);
  EXPECT_THAT(chart.svg, HasSubstr(">1 publisher</text>"));
  EXPECT_THAT(chart.svg, HasSubstr(">no limit</text>"));
  EXPECT_THAT(chart.svg, HasSubstr("; lost 3</text>"));
}

}  // namespace
}  // namespace groupcast::bench
