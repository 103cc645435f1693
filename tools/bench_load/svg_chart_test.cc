#include "tools/bench_load/svg_chart.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/bench_load/chart_axis.h"

namespace groupcast::bench {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::vector<std::string> Labels(const ChartAxis& axis) {
  std::vector<std::string> labels;
  for (const ChartAxis::Tick& tick : axis.ticks()) labels.push_back(tick.label);
  return labels;
}

TEST(ReadableNumber, HasThreeDigitsThatMatter) {
  EXPECT_EQ(ReadableNumber(0), "0");
  EXPECT_EQ(ReadableNumber(0.0012345), "0.00123");
  EXPECT_EQ(ReadableNumber(0.5), "0.5");
  EXPECT_EQ(ReadableNumber(4.5678), "4.57");
  EXPECT_EQ(ReadableNumber(99.96), "100");
  EXPECT_EQ(ReadableNumber(100), "100");
  EXPECT_EQ(ReadableNumber(999), "999");
  EXPECT_EQ(ReadableNumber(12345.6), "12,346");
  EXPECT_EQ(ReadableNumber(1'234'567), "1,234,567");
  EXPECT_EQ(ReadableNumber(-1'234), "-1,234");
}

TEST(ChartAxis, LinearGoesFromZeroToARoundNumber) {
  const ChartAxis axis = ChartAxis::Linear(4.3, 100, 200);
  EXPECT_THAT(Labels(axis), ElementsAre("0", "1", "2", "3", "4", "5"));
  EXPECT_DOUBLE_EQ(axis.At(0), 100);
  EXPECT_DOUBLE_EQ(axis.At(2.5), 150);
  EXPECT_DOUBLE_EQ(axis.At(5), 200);
  EXPECT_DOUBLE_EQ(axis.At(-1), 100);
}

TEST(ChartAxis, ARoundNumberIsEnoughForItself) {
  EXPECT_THAT(Labels(ChartAxis::Linear(0.3, 0, 1)), ElementsAre("0", "0.1", "0.2", "0.3"));
}

TEST(ChartAxis, LogarithmicLabelsOneTwoAndFiveWhereThereAreFewDecades) {
  const ChartAxis axis = ChartAxis::Logarithmic(0.13, 4, 0, 100);
  EXPECT_THAT(Labels(axis), ElementsAre("0.1", "0.2", "0.5", "1", "2", "5"));
  EXPECT_DOUBLE_EQ(axis.At(0.1), 0);
  EXPECT_DOUBLE_EQ(axis.At(5), 100);
  EXPECT_NEAR(axis.At(0.7071), 50, 0.01);
}

TEST(ChartAxis, LogarithmicBeginsAsCloseAsItCan) {
  EXPECT_THAT(Labels(ChartAxis::Logarithmic(0.6, 4, 0, 100)), ElementsAre("0.5", "1", "2", "5"));
  EXPECT_THAT(Labels(ChartAxis::Logarithmic(20, 40, 0, 100)), ElementsAre("20", "50"));
}

TEST(ChartAxis, LogarithmicLabelsPowersOfTenWhereThereAreMany) {
  EXPECT_THAT(Labels(ChartAxis::Logarithmic(10, 100'000, 0, 100)),
              ElementsAre("10", "100", "1,000", "10,000", "100,000"));
}

TEST(ChartAxis, OneNumberIsARangeToo) {
  EXPECT_THAT(Labels(ChartAxis::Logarithmic(1, 1, 0, 100)), ElementsAre("1", "2"));
  EXPECT_DOUBLE_EQ(ChartAxis::Between(7, 7, 0, 100).At(7), 50);
}

// Upwards on the screen, as pixels are counted downwards.
TEST(ChartAxis, MayRunBackwards) { EXPECT_DOUBLE_EQ(ChartAxis::Linear(10, 300, 100).At(5), 200); }

TEST(ChartAxis, NothingIsDrawnAwayFromTheAxisThatCannotBe) {
  EXPECT_DOUBLE_EQ(ChartAxis::Logarithmic(1, 10, 50, 100).At(0), 50);
  EXPECT_DOUBLE_EQ(ChartAxis::Logarithmic(0, 0, 50, 100).At(0), 50);
  EXPECT_DOUBLE_EQ(ChartAxis::Linear(0, 50, 100).At(0), 50);
}

RowChart TwoRows() {
  return {.title = "fan_out",
          .subtitle = "1 sender & all",
          .bar_label = "µs",
          .dot_label = "ms",
          .first_dot_name = "p50",
          .second_dot_name = "p99",
          .floor = RowChart::Floor{"raw", 0.29},
          .rows = {{.name = "groupcast",
                    .ours = true,
                    .bar = {0.4, 0.375, 0.5},
                    .first_dot = 0.2,
                    .second_dot = 2},
                   {.name = "<peer>", .remark = "lost 7", .bar = {1, 0.9, 1.6}}}};
}

TEST(DrawRows, HasNamesNumbersRemarksAndTheFloor) {
  const std::string svg = DrawRows(TwoRows());
  for (const char* text : {">fan_out</text>", ">1 sender &amp; all</text>", ">groupcast</text>",
                           ">&lt;peer&gt;</text>", ">lost 7</text>", ">raw 0.29</text>",
                           ">0.4</text>", ">p50</text>", ">p99</text>"}) {
    EXPECT_THAT(svg, HasSubstr(text));
  }
}

TEST(DrawRows, WhatHasNotBeenMeasuredIsLeftOut) {
  const std::string svg = DrawRows(TwoRows());
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_THAT(svg, Not(HasSubstr("inf")));
  // Two of the legend, and two of the one row that has latencies.
  size_t circles = 0;
  for (size_t at = svg.find("<circle"); at != std::string::npos; at = svg.find("<circle", at + 1)) {
    ++circles;
  }
  EXPECT_EQ(circles, 4u);
}

TEST(DrawRows, LongerBarsAreLonger) {
  RowChart chart = TwoRows();
  chart.floor.reset();
  chart.rows[0].bar = {1, 1, 1};
  chart.rows[1].bar = {2, 2, 2};
  const std::string svg = DrawRows(chart);
  const auto width_of = [&](const char* color) {
    const size_t end = svg.find(std::string("\" height=\"16\" fill=\"") + color);
    EXPECT_NE(end, std::string::npos);
    return std::stod(svg.substr(svg.rfind("width=\"", end) + 7));
  };
  EXPECT_NEAR(width_of("#a9b7c6"), 2 * width_of("#1565c0"), 0.2);
}

TEST(DrawLines, HasALineForEachSeriesInEachPanel) {
  const std::string svg = DrawLines(
      {.title = "members",
       .x_label = "members of the group",
       .x_ticks = {{10, "10"}, {1'000, "1,000"}},
       .panels = {{.label = "µs",
                   .lines = {{.name = "groupcast", .points = {{10, {3, 2, 4}}, {1'000, {0, 0, 0}}}},
                             {.name = "raw", .dashed = true, .points = {{10, {1, 1, 1}}}},
                             {.name = "empty"}}},
                  {.label = "ms",
                   .logarithmic = true,
                   .lines = {{.name = "p50", .points = {{10, {0.1, 0.1, 0.1}}}}}}}});
  for (const char* text : {">members</text>", ">members of the group</text>", ">1,000</text>",
                           ">groupcast</text>", ">raw</text>", ">p50</text>", ">ms</text>"}) {
    EXPECT_THAT(svg, HasSubstr(text));
  }
  size_t lines = 0;
  for (size_t at = svg.find("<polyline"); at != std::string::npos;
       at = svg.find("<polyline", at + 1)) {
    ++lines;
  }
  EXPECT_EQ(lines, 3u);
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_THAT(svg, Not(HasSubstr("inf")));
}

}  // namespace
}  // namespace groupcast::bench
