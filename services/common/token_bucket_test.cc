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

TEST(TokenBucketRoundingTest, AllOfABurstIsThereAtOnce) {
  const absl::Time now = absl::FromUnixSeconds(1'000);
  for (const double per_second : {0.001, 0.01, 0.1, 0.3, 1.0, 7.0, 1e6}) {
    const TokenRate rate = {.per_second = per_second, .burst = 100};
    TokenBucket bucket;
    for (int i = 0; i < 100; ++i) {
      ASSERT_GE(bucket.Available(rate, now), 1) << per_second << ", token " << i;
      bucket.Take(1, rate, now);
    }
    EXPECT_LT(bucket.Available(rate, now), 1);
  }
}

TEST(TokenBucketFullTest, WhenNoTokenIsMissing) {
  constexpr TokenRate kTwoASecond = {.per_second = 2, .burst = 3};
  absl::Time now = absl::FromUnixSeconds(1'000);
  TokenBucket bucket;
  EXPECT_TRUE(bucket.IsFull(now));
  bucket.Take(1, kTwoASecond, now);
  now += absl::Milliseconds(499);
  EXPECT_FALSE(bucket.IsFull(now));
  now += absl::Milliseconds(1);
  EXPECT_TRUE(bucket.IsFull(now));
}

}  // namespace
}  // namespace groupcast::service
