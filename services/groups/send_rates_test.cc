#include "services/groups/send_rates.h"

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

constexpr TokenRate kRate = {.per_second = 2, .burst = 3};

class SendRatesTest : public testing::Test {
 protected:
  bool Take(absl::string_view group) { return rates_.Take(group, kRate, now_); }

  SendRates rates_;
  absl::Time now_ = absl::FromUnixSeconds(1'000);
};

TEST_F(SendRatesTest, TheBurstPassesAndOneMoreDoesNot) {
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Take("g")) << i;
  EXPECT_FALSE(Take("g"));
  now_ += absl::Milliseconds(499);
  EXPECT_FALSE(Take("g")) << "what was refused costs nothing, but half a second is not over";
  now_ += absl::Milliseconds(1);
  EXPECT_TRUE(Take("g"));
  EXPECT_FALSE(Take("g"));
}

TEST_F(SendRatesTest, EachGroupHasItsOwn) {
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Take("g"));
  EXPECT_FALSE(Take("g"));
  EXPECT_TRUE(Take("h"));
}

TEST_F(SendRatesTest, GroupsOverTheirNumberWaitUntilABucketIsFullAgain) {
  for (size_t i = 0; i < SendRates::kGroupsMax; ++i) {
    EXPECT_TRUE(Take(absl::StrCat("g", i))) << i;
    if (i == 0) now_ += absl::Milliseconds(1);
  }
  EXPECT_FALSE(Take("one more"));
  EXPECT_TRUE(Take("g5")) << "the groups that it has go on";
  now_ += absl::Milliseconds(499);
  EXPECT_TRUE(Take("one more")) << "the first one is full again";
  EXPECT_FALSE(Take("and one more"));
}

}  // namespace
}  // namespace groupcast::service
