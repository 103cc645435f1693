#include "tools/bench_load/statistics.h"

#include "gtest/gtest.h"

namespace groupcast::bench {
namespace {

TEST(SpreadOf, IsTheMedianAndTheRange) {
  const Spread spread = SpreadOf({5, 1, 100, 2, 3});
  EXPECT_EQ(spread.median, 3);
  EXPECT_EQ(spread.low, 1);
  EXPECT_EQ(spread.high, 100);
}

TEST(SpreadOf, TakesTheMeanOfTheMiddleTwo) { EXPECT_EQ(SpreadOf({1, 10, 4, 2}).median, 3); }

TEST(SpreadOf, IsZeroWithoutValues) {
  EXPECT_EQ(SpreadOf({}).median, 0);
  EXPECT_EQ(SpreadOf({}).high, 0);
}

TEST(SpreadOf, IsTheValueIfThereIsOne) {
  const Spread spread = SpreadOf({7});
  EXPECT_EQ(spread.median, 7);
  EXPECT_EQ(spread.low, 7);
  EXPECT_EQ(spread.high, 7);
}

}  // namespace
}  // namespace groupcast::bench
