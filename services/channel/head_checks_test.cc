#include "services/channel/head_checks.h"

#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

constexpr Position kHead{Epoch{7}, 5};
constexpr absl::Duration kWait = absl::Milliseconds(250);
const absl::Time kStart = absl::UnixEpoch();

TEST(HeadChecksTest, AHeadIsDueWhenItHasHadItsTime) {
  HeadChecks checks(kWait, 10);
  EXPECT_FALSE(checks.TakeDue(kStart + kWait).has_value());
  EXPECT_TRUE(checks.Add("x", kHead, kStart));
  EXPECT_TRUE(checks.Add("y", kHead, kStart + absl::Nanoseconds(1)));
  EXPECT_FALSE(checks.TakeDue(kStart + kWait - absl::Nanoseconds(1)).has_value());
  const std::optional<GroupHead> due = checks.TakeDue(kStart + kWait);
  ASSERT_TRUE(due.has_value());
  EXPECT_EQ(due->group_id, "x");
  EXPECT_EQ(due->head, kHead);
  EXPECT_FALSE(checks.TakeDue(kStart + kWait).has_value());
  EXPECT_EQ(checks.size(), 1u);
}

// The caller then compares all heads.
TEST(HeadChecksTest, ItTakesNoMoreThanItsBound) {
  HeadChecks checks(kWait, 2);
  EXPECT_TRUE(checks.Add("x", kHead, kStart));
  EXPECT_TRUE(checks.Add("y", kHead, kStart));
  EXPECT_FALSE(checks.Add("z", kHead, kStart));
  EXPECT_EQ(checks.size(), 2u);
  checks.Clear();
  EXPECT_EQ(checks.size(), 0u);
  EXPECT_TRUE(checks.Add("z", kHead, kStart));
}

}  // namespace
}  // namespace groupcast::service
