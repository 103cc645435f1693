#include "services/groups/message_rate.h"

#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

class MessageRateTest : public testing::Test {
 protected:
  MessageRateTest() { SetTime(0); }

  // In windows since the beginning.
  void SetTime(double windows) {
    windows_.SetTime(absl::FromUnixSeconds(1'000'000) + windows * RateWindows::kLength);
  }
  void Count(int messages) {
    for (int i = 0; i < messages; ++i) rate_.Count(windows_);
  }

  RateWindows windows_;
  MessageRate rate_;
};

TEST_F(MessageRateTest, AGroupWithoutMessagesHasNoRate) {
  EXPECT_EQ(rate_.PerSecond(windows_), 0);
  SetTime(7.5);
  EXPECT_EQ(rate_.PerSecond(windows_), 0);
}

TEST_F(MessageRateTest, SteadyMessagesHaveTheirRateAtEachTime) {
  for (int quarter = 0; quarter <= 12; ++quarter) {
    SetTime(quarter / 4.0);
    if (quarter >= 4) {
      EXPECT_NEAR(rate_.PerSecond(windows_), 20, 1e-9) << quarter;
    }
    Count(25);
  }
}

TEST_F(MessageRateTest, MessagesCountLessAndLessInTheNextWindowAndNotAfterIt) {
  Count(50);
  EXPECT_NEAR(rate_.PerSecond(windows_), 10, 1e-9);
  SetTime(1.5);
  EXPECT_NEAR(rate_.PerSecond(windows_), 5, 1e-9);
  SetTime(2);
  EXPECT_EQ(rate_.PerSecond(windows_), 0);
  Count(5);
  EXPECT_NEAR(rate_.PerSecond(windows_), 1, 1e-9) << "the window before has had none";
}

}  // namespace
}  // namespace groupcast::service
