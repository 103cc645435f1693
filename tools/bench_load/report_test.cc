#include "tools/bench_load/report.h"

#include <string>

#include "boost/json.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace groupcast::bench {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

RunResult RunThatCost(double server_us, double client_us) {
  RunResult run;
  run.deliveries = 1'000;
  run.counts.received = 1'200;
  run.wall = absl::Seconds(2);
  run.server_cpu = absl::Microseconds(1'000 * server_us);
  run.client_cpu = absl::Microseconds(1'000 * client_us);
  run.pss_bare = 1 << 20;
  run.pss_joined = 3 << 20;
  run.received_bytes = 120'000;
  run.latency.Record(1'000'000);
  return run;
}

const Scenario kScenario = {
    .name = "fan_out", .about = "what it is", .connections = 1'024, .floor = "raw"};

TEST(Summarize, TakesMediansOfWhatEachRunCost) {
  const Series series = {
      &kScenario, "a", {RunThatCost(3, 1), RunThatCost(2, 1), RunThatCost(10, 1)}};
  const Summary summary = Summarize(series, {});
  EXPECT_DOUBLE_EQ(summary.server_us.median, 3);
  EXPECT_DOUBLE_EQ(summary.server_us.low, 2);
  EXPECT_DOUBLE_EQ(summary.server_us.high, 10);
  EXPECT_DOUBLE_EQ(summary.client_us.median, 1);
  EXPECT_DOUBLE_EQ(summary.deliveries_per_second.median, 500);
  EXPECT_NEAR(summary.p50_ms.median, 1, 0.02);
  EXPECT_DOUBLE_EQ(summary.pss_per_connection.median, 3 * 1'024);
  EXPECT_DOUBLE_EQ(summary.growth_per_connection.median, 2 * 1'024);
  EXPECT_DOUBLE_EQ(summary.floor_ratio.median, 0);
}

TEST(Summarize, ComparesWithTheFloorOfTheSameRound) {
  // In the third round the machine was slow for both: the ratio does not mind.
  const Series series = {
      &kScenario, "a", {RunThatCost(4, 1), RunThatCost(4, 1), RunThatCost(12, 1)}};
  const Summary summary =
      Summarize(series, {RunThatCost(2, 1), RunThatCost(2, 1), RunThatCost(6, 1)});
  EXPECT_DOUBLE_EQ(summary.floor_ratio.low, 2);
  EXPECT_DOUBLE_EQ(summary.floor_ratio.high, 2);
}

TEST(Summarize, AddsUpWhatWentWrong) {
  RunResult bad = RunThatCost(1, 1);
  bad.counts = {.received = 7, .lost = 1, .doubled = 2, .out_of_order = 3, .stray = 4};
  bad.unanswered = 5;
  bad.closed = 6;
  const Summary summary = Summarize({&kScenario, "a", {bad, bad}}, {});
  EXPECT_EQ(summary.counts,
            (DeliveryCheck::Counts{
                .received = 14, .lost = 2, .doubled = 4, .out_of_order = 6, .stray = 8}));
  EXPECT_EQ(summary.unanswered, 10);
  EXPECT_EQ(summary.closed, 12);
}

TEST(Summarize, ARunWithoutDeliveriesCostsNothing) {
  const Summary summary = Summarize({&kScenario, "a", {RunResult{}}}, {RunResult{}});
  EXPECT_EQ(summary.server_us.median, 0);
  EXPECT_EQ(summary.deliveries_per_second.median, 0);
  EXPECT_EQ(summary.floor_ratio.median, 0);
}

TEST(ReportText, HasARowForEachContestantAndTheRatioToTheFloor) {
  const std::string text = ReportText(
      {{&kScenario, "groupcast", {RunThatCost(3, 1)}}, {&kScenario, "raw", {RunThatCost(2, 1)}}});
  EXPECT_THAT(text, HasSubstr("fan_out: what it is\n"));
  EXPECT_THAT(text, HasSubstr("× raw"));
  EXPECT_THAT(text,
              HasSubstr("  groupcast    3.00 (3.00-3.00)   1.50             120  500 (500-500)"));
  EXPECT_THAT(text,
              HasSubstr("  raw          2.00 (2.00-2.00)   1.00             120  500 (500-500)"));
  EXPECT_THAT(text, Not(HasSubstr("raw: ")));
}

TEST(ReportText, SaysWhenTheClientCostMoreThanTheServer) {
  EXPECT_THAT(ReportText({{&kScenario, "groupcast", {RunThatCost(1, 2)}}}),
              HasSubstr("groupcast: the client cost more than the server"));
}

TEST(ReportText, SaysWhenMessagesWereWaitedForInVainAndConnectionsWereClosed) {
  RunResult bad = RunThatCost(3, 1);
  bad.unanswered = 5;
  bad.closed = 6;
  const std::string text = ReportText({{&kScenario, "groupcast", {bad}}});
  EXPECT_THAT(text, HasSubstr("groupcast: 5 messages did not come to all"));
  EXPECT_THAT(text, HasSubstr("groupcast: the server closed 6 connections"));
}

TEST(ReportText, GoesOnWithoutAPeerThatFails) {
  const std::string text = ReportText({{&kScenario, "ws", {RunThatCost(3, 1)}, "ws 8", "it ended"},
                                       {&kScenario, "nats", {}, "nats 2", "no port"},
                                       {&kScenario, "raw", {RunThatCost(2, 1)}}});
  EXPECT_THAT(text, HasSubstr("  ws        3.00 (3.00-3.00)   1.50"));
  EXPECT_THAT(text, HasSubstr("  ws: run 2 failed, and there are no more: it ended\n"));
  EXPECT_THAT(text, HasSubstr("  nats: run 1 failed, and there are no more: no port\n"));
  EXPECT_THAT(text, Not(HasSubstr("\n  nats  ")));
}

TEST(ReportText, NamesTheVersionOfEachPeerOnce) {
  const std::string text = ReportText({{&kScenario, "groupcast", {RunThatCost(3, 1)}},
                                       {&kScenario, "ws", {RunThatCost(3, 1)}, "ws 8 on Node"},
                                       {&kScenario, "ws", {RunThatCost(3, 1)}, "ws 8 on Node"}});
  const size_t at = text.find("\nws: ws 8 on Node\n");
  EXPECT_EQ(at + std::string("\nws: ws 8 on Node\n").size(), text.size());
}

TEST(ReportText, WeighsWhereThatIsWhatTheScenarioIsAbout) {
  Scenario idle = kScenario;
  idle.weighs = true;
  const std::string text = ReportText({{&idle, "groupcast", {RunThatCost(3, 1)}}});
  EXPECT_THAT(text, HasSubstr("KiB/connection"));
  EXPECT_THAT(text, HasSubstr("3.00"));
  EXPECT_THAT(text, Not(HasSubstr("µs/delivery")));
}

TEST(ReportText, SaysWhatAMembershipWeighsWhereConnectionsAreInSeveralGroups) {
  Scenario many = kScenario;
  many.weighs = true;
  many.groups_per_connection = 2;
  const std::string text = ReportText({{&many, "groupcast", {RunThatCost(3, 1)}}});
  EXPECT_THAT(text, HasSubstr("bytes/membership"));
  EXPECT_THAT(text, HasSubstr("1024"));  // 2 MiB of 1,024 connections with two each
}

TEST(ReportText, CountsTheConnectionsBesideTheLoadWhereItWeighs) {
  Scenario idle = kScenario;
  idle.weighs = true;
  idle.beside = Scenario::Beside::kIdleCrowd;
  idle.beside_connections = 2 * 1'024;
  EXPECT_THAT(ReportText({{&idle, "groupcast", {RunThatCost(3, 1)}}}), HasSubstr("1.00"));
}

TEST(ReportText, SaysWhatGoesOnBesideTheLoad) {
  Scenario joins = kScenario;
  joins.beside = Scenario::Beside::kJoins;
  RunResult run = RunThatCost(3, 1);
  run.beside.done = 500;
  run.beside.undone = 7;
  run.beside.latency.Record(20'000'000);
  const std::string text = ReportText({{&joins, "groupcast", {run}}});
  EXPECT_THAT(text, HasSubstr("server µs/join"));
  EXPECT_THAT(text, Not(HasSubstr("µs/delivery")));
  EXPECT_THAT(text, HasSubstr("6.00 (6.00-6.00)"));  // of 1,000 deliveries, and 500 joins
  EXPECT_THAT(text, HasSubstr("250 (250-250)"));
  EXPECT_THAT(text, HasSubstr("  2.00  "));  // the client's, for each join
  EXPECT_THAT(text, HasSubstr("groupcast: 7 times a connection's turn came before its last join"));
  const boost::json::value json = boost::json::parse(ReportJson({{&joins, "groupcast", {run}}}));
  EXPECT_EQ(json.at("results").at(0).at("beside").at("unit").as_string(), "join");
  EXPECT_DOUBLE_EQ(json.at("results").at(0).at("beside").at("server_us").at("median").as_double(),
                   6);
}

TEST(ReportText, SaysWhatBecameOfMembersThatStopped) {
  Scenario stall = kScenario;
  stall.beside = Scenario::Beside::kStall;
  stall.beside_connections = 50;
  RunResult run = RunThatCost(3, 1);
  run.beside.told = 48;
  run.beside.cut = 2;
  run.peak_joined = 10 << 20;
  run.peak = 60 << 20;
  const std::string text = ReportText({{&stall, "groupcast", {run, run}}});
  EXPECT_THAT(text, HasSubstr("of 100 members that stopped 96 were told that they were closed, and "
                              "4 were cut off"));
  EXPECT_THAT(text, HasSubstr("10.0 MiB at most when all had joined, and 60.0 MiB"));
}

TEST(ReportText, ComparesWithOtherScenarios) {
  Scenario rest = kScenario;
  rest.name = "rest";
  Scenario busy = kScenario;
  busy.against = {"rest", "not_run"};
  const std::string text = ReportText({{&rest, "groupcast", {RunThatCost(2, 1)}},
                                       {&rest, "ws", {RunThatCost(1, 1)}},
                                       {&busy, "groupcast", {RunThatCost(3, 1)}}});
  EXPECT_THAT(text, HasSubstr("groupcast: beside rest, the server's CPU is 1.50 times"));
  EXPECT_THAT(text, Not(HasSubstr("3.00 times"))) << "it is compared with itself alone";
}

TEST(ReportText, HasNoRatioWhereThereIsNoFloor) {
  Scenario scenario = kScenario;
  scenario.floor = "";
  EXPECT_THAT(ReportText({{&scenario, "groupcast", {RunThatCost(3, 1)}}}), Not(HasSubstr("×")));
}

TEST(ReportJson, HasVersionsAndFailures) {
  const boost::json::value report =
      boost::json::parse(ReportJson({{&kScenario, "groupcast", {RunThatCost(3, 1)}},
                                     {&kScenario, "ws", {}, "ws 8", "it ended"}}));
  EXPECT_EQ(report.at("versions").as_object().size(), 1u);
  EXPECT_EQ(report.at("versions").at("ws").as_string(), "ws 8");
  EXPECT_EQ(report.at("results").at(1).at("failure").as_string(), "it ended");
  EXPECT_FALSE(report.at("results").at(0).as_object().contains("failure"));
}

TEST(ReportJson, HasSummariesAndEachRun) {
  const boost::json::value report = boost::json::parse(
      ReportJson({{&kScenario, "groupcast", {RunThatCost(3, 1), RunThatCost(5, 1)}},
                  {&kScenario, "raw", {RunThatCost(2, 1), RunThatCost(2, 1)}}}));
  const boost::json::value& first = report.at("results").at(0);
  EXPECT_EQ(first.at("scenario").as_string(), "fan_out");
  EXPECT_EQ(first.at("contestant").as_string(), "groupcast");
  EXPECT_DOUBLE_EQ(first.at("server_us").at("median").as_double(), 4);
  EXPECT_DOUBLE_EQ(first.at("floor_ratio").at("median").as_double(), 2);
  EXPECT_EQ(first.at("counts").at("received").as_int64(), 2'400);
  ASSERT_EQ(first.at("runs").as_array().size(), 2u);
  EXPECT_EQ(first.at("runs").at(1).at("deliveries").as_int64(), 1'000);
}

}  // namespace
}  // namespace groupcast::bench
