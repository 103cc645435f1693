#include "services/metrics/duration_histogram.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

using ::testing::ElementsAre;

TEST(DurationHistogramTest, ABoundIsPartOfItsBucket) {
  DurationHistogram histogram({10, 100});
  for (const int64_t us : {0, 10, 11, 100, 101, 5'000}) histogram.Observe(us);
  EXPECT_THAT(histogram.counts(), ElementsAre(2, 2, 2));
  EXPECT_EQ(histogram.sum_us(), 5'222u);
}

TEST(DurationHistogramTest, ANegativeDurationIsZero) {
  DurationHistogram histogram({10});
  histogram.Observe(-3);
  EXPECT_THAT(histogram.counts(), ElementsAre(1, 0));
  EXPECT_EQ(histogram.sum_us(), 0u);
}

}  // namespace
}  // namespace groupcast::service
