#include "services/common/token_bucket.h"

#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

class TokenBucketTest : public testing::Test {
 protected:
  double Available() const { return bucket_.Available(rate_, now_); }
  void Take(double tokens) { bucket_.Take(tokens, rate_, now_); }

  const TokenRate rate_{.per_second = 10, .burst = 5};
  absl::Time now_ = absl::FromUnixSeconds(1'000);
  TokenBucket bucket_;
};

TEST_F(TokenBucketTest, IsFullAtFirstAndHoldsNoMoreThanTheBurst) {
  EXPECT_DOUBLE_EQ(Available(), 5);
  now_ += absl::Hours(1);
  EXPECT_DOUBLE_EQ(Available(), 5);
}

TEST_F(TokenBucketTest, FillsAtItsRate) {
  Take(5);
  EXPECT_DOUBLE_EQ(Available(), 0);
  now_ += absl::Milliseconds(100);
  EXPECT_DOUBLE_EQ(Available(), 1);
  now_ += absl::Milliseconds(400);
  EXPECT_DOUBLE_EQ(Available(), 5);
  now_ += absl::Milliseconds(100);
  Take(1);
  EXPECT_DOUBLE_EQ(Available(), 4) << "what did not fit is not kept";
}

TEST_F(TokenBucketTest, ADebtIsPaidFirst) {
  Take(15);
  EXPECT_DOUBLE_EQ(Available(), -10);
  now_ += absl::Seconds(1);
  EXPECT_DOUBLE_EQ(Available(), 0);
}

TEST_F(TokenBucketTest, AnotherRateCountsFromNowOn) {
  Take(5);
  const TokenRate twice = {.per_second = 20, .burst = 10};
  EXPECT_DOUBLE_EQ(bucket_.Available(twice, now_), 0);
  now_ += absl::Milliseconds(250);
  EXPECT_DOUBLE_EQ(bucket_.Available(twice, now_), 5);
}

}  // namespace
}  // namespace groupcast::service
