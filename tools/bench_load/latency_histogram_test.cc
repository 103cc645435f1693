#include "tools/bench_load/latency_histogram.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace groupcast::bench {
namespace {

int64_t PercentileNs(const LatencyHistogram& histogram, double percent) {
  return absl::ToInt64Nanoseconds(histogram.Percentile(percent));
}

TEST(LatencyHistogram, IsZeroWhenEmpty) {
  const LatencyHistogram histogram;
  EXPECT_EQ(histogram.count(), 0);
  EXPECT_EQ(histogram.Percentile(50), absl::ZeroDuration());
}

TEST(LatencyHistogram, IsExactForSmallValues) {
  LatencyHistogram histogram;
  for (int64_t ns = 1; ns <= 100; ++ns) histogram.Record(ns);
  EXPECT_EQ(histogram.count(), 100);
  EXPECT_EQ(PercentileNs(histogram, 0), 1);
  EXPECT_EQ(PercentileNs(histogram, 1), 1);
  EXPECT_EQ(PercentileNs(histogram, 50), 50);
  EXPECT_EQ(PercentileNs(histogram, 99), 99);
  EXPECT_EQ(PercentileNs(histogram, 99.9), 100);
  EXPECT_EQ(PercentileNs(histogram, 100), 100);
}

TEST(LatencyHistogram, IsAtMostOneSixtyFourthAboveAnyValue) {
  for (int bit = 0; bit < 63; ++bit) {
    const int64_t power = int64_t{1} << bit;
    for (const int64_t value : {power - 1, power, power + power / 64, power + power / 2}) {
      LatencyHistogram histogram;
      histogram.Record(value);
      EXPECT_GE(PercentileNs(histogram, 50), value);
      EXPECT_LE(PercentileNs(histogram, 50), value + value / 64);
    }
  }
  LatencyHistogram longest;
  longest.Record(INT64_MAX);
  EXPECT_EQ(PercentileNs(longest, 50), INT64_MAX);
}

TEST(LatencyHistogram, TakesWhatIsBelowZeroAsZero) {
  LatencyHistogram histogram;
  histogram.Record(-5);
  EXPECT_EQ(histogram.count(), 1);
  EXPECT_EQ(PercentileNs(histogram, 100), 0);
}

TEST(LatencyHistogram, AgreesWithSortingThemAll) {
  std::mt19937 random(7);
  std::lognormal_distribution<double> latency(12, 2);
  LatencyHistogram histogram;
  std::vector<int64_t> all;
  for (int i = 0; i < 10'000; ++i) {
    all.push_back(static_cast<int64_t>(latency(random)));
    histogram.Record(all.back());
  }
  std::sort(all.begin(), all.end());
  for (const double percent : {1.0, 50.0, 90.0, 99.0, 99.9, 100.0}) {
    const int64_t exact = all[static_cast<size_t>(std::ceil(percent / 100 * 10'000)) - 1];
    EXPECT_GE(PercentileNs(histogram, percent), exact) << percent;
    EXPECT_LE(PercentileNs(histogram, percent), exact + exact / 64) << percent;
  }
}

TEST(LatencyHistogram, AddsAnother) {
  LatencyHistogram low;
  LatencyHistogram high;
  for (int i = 0; i < 30; ++i) low.Record(10);
  for (int i = 0; i < 10; ++i) high.Record(50);
  low.Add(high);
  EXPECT_EQ(low.count(), 40);
  EXPECT_EQ(low.Percentile(75), absl::Nanoseconds(10));
  EXPECT_EQ(low.Percentile(76), absl::Nanoseconds(50));
}

}  // namespace
}  // namespace groupcast::bench
