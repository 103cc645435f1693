#include "services/metrics/families.h"

#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

TEST(FamiliesTest, SamplesOfOneNameAreOneFamily) {
  Families families;
  families.AddCounter("a_total", "Counts a.", {{"worker", "1"}}, 3);
  families.AddGauge("b", "Is b.", {}, 0.25);
  families.AddCounter("a_total", "Counts a.", {{"worker", "2"}, {"code", "x"}}, 12'345'678'901);
  EXPECT_EQ(families.Text(),
            "# HELP a_total Counts a.\n"
            "# TYPE a_total counter\n"
            "a_total{worker=\"1\"} 3\n"
            "a_total{worker=\"2\",code=\"x\"} 12345678901\n"
            "# HELP b Is b.\n"
            "# TYPE b gauge\n"
            "b 0.25\n");
}

TEST(FamiliesTest, TheBucketsOfAHistogramAddUp) {
  Families families;
  families.AddHistogram("c_seconds", "Takes c.", {{"worker", "1"}}, {0.001, 0.5}, {4, 0, 3}, 7.5);
  EXPECT_EQ(families.Text(),
            "# HELP c_seconds Takes c.\n"
            "# TYPE c_seconds histogram\n"
            "c_seconds_count{worker=\"1\"} 7\n"
            "c_seconds_sum{worker=\"1\"} 7.5\n"
            "c_seconds_bucket{worker=\"1\",le=\"0.001\"} 4\n"
            "c_seconds_bucket{worker=\"1\",le=\"0.5\"} 4\n"
            "c_seconds_bucket{worker=\"1\",le=\"+Inf\"} 7\n");
}

TEST(FamiliesTest, LabelsAreEscaped) {
  Families families;
  families.AddGauge("d", "Is d.", {{"name", "a\"b\\c\nd"}}, 1);
  EXPECT_EQ(families.Text(),
            "# HELP d Is d.\n"
            "# TYPE d gauge\n"
            "d{name=\"a\\\"b\\\\c\\nd\"} 1\n");
}

}  // namespace
}  // namespace groupcast::service
