#include "services/groups/control/recent_numbers.h"

#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

const absl::Time kStart = absl::UnixEpoch() + absl::Hours(1);

TEST(RecentNumbersTest, ANumberIsRememberedForAMinute) {
  RecentNumbers numbers;
  EXPECT_FALSE(numbers.Contains(1, kStart));
  numbers.Add(1, kStart);
  numbers.Add(2, kStart + absl::Seconds(1));
  EXPECT_TRUE(numbers.Contains(1, kStart + absl::Seconds(60) - absl::Nanoseconds(1)));
  EXPECT_FALSE(numbers.Contains(1, kStart + absl::Seconds(60)));
  EXPECT_TRUE(numbers.Contains(2, kStart + absl::Seconds(60)));
}

TEST(RecentNumbersTest, TheOldestOfTooManyIsForgotten) {
  RecentNumbers numbers;
  for (uint64_t number = 0; number < RecentNumbers::kMax; ++number) numbers.Add(number, kStart);
  EXPECT_TRUE(numbers.Contains(0, kStart));
  numbers.Add(RecentNumbers::kMax, kStart);
  EXPECT_FALSE(numbers.Contains(0, kStart));
  EXPECT_TRUE(numbers.Contains(1, kStart));
  EXPECT_TRUE(numbers.Contains(RecentNumbers::kMax, kStart));
}

}  // namespace
}  // namespace groupcast::service
