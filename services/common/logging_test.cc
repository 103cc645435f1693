#include "services/common/logging.h"

#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

TEST(LogLimitTest, LetsOneLineThroughPerPeriodAndCountsTheRest) {
  LogLimit limit(absl::Seconds(1));
  const absl::Time start = absl::UnixEpoch();
  EXPECT_EQ(limit.Admit(start), 1);
  EXPECT_EQ(limit.Admit(start), 0);
  EXPECT_EQ(limit.Admit(start + absl::Milliseconds(999)), 0);
  EXPECT_EQ(limit.Admit(start + absl::Seconds(1)), 3);
}

TEST(InitLoggingTest, RefusesALevelThatIsNone) {
  EXPECT_EQ(InitLogging("loud", "test").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(InitLogging("off", "test").ok());
  EXPECT_TRUE(InitLogging("info", "test").ok());
}

}  // namespace
}  // namespace groupcast::service
