#include "groupcast/liveness.h"

#include <gtest/gtest.h>

namespace groupcast {
namespace {

using Verdict = Liveness::Verdict;

constexpr absl::Duration kTimeout = absl::Seconds(45);

class LivenessTest : public testing::Test {
 protected:
  Verdict After(absl::Duration time) {
    now_ += time;
    return liveness_.OnTimer(now_);
  }

  absl::Time now_ = absl::UnixEpoch();
  Liveness liveness_{kTimeout, now_};
};

TEST_F(LivenessTest, ASilenceIsAskedAboutAndThenCountsAsDead) {
  EXPECT_EQ(After(absl::Milliseconds(34'999)), Verdict::kNothing);
  EXPECT_EQ(After(absl::Milliseconds(1)), Verdict::kPing);
  liveness_.OnPing(CommandId{1}, now_);
  EXPECT_EQ(liveness_.next_deadline(), now_ + absl::Seconds(10));
  EXPECT_EQ(After(absl::Milliseconds(9'999)), Verdict::kNothing);
  EXPECT_EQ(After(absl::Milliseconds(1)), Verdict::kDead);
}

TEST_F(LivenessTest, ASignOfLifeBeginsTheSilenceAnew) {
  now_ += absl::Seconds(35);
  liveness_.OnPing(CommandId{1}, now_);
  now_ += absl::Seconds(5);
  liveness_.OnHeard(now_);
  EXPECT_EQ(liveness_.next_deadline(), now_ + absl::Seconds(35));
}

TEST_F(LivenessTest, APongCountsForItsOwnPingAlone) {
  liveness_.OnPing(CommandId{2}, now_);
  liveness_.OnPong(CommandId{1}, now_);
  EXPECT_EQ(liveness_.next_deadline(), now_ + absl::Seconds(10));
  liveness_.OnPong(CommandId{2}, now_);
  EXPECT_EQ(liveness_.next_deadline(), now_ + absl::Seconds(35));
  liveness_.OnHeard(now_);
  now_ += absl::Seconds(1);
  liveness_.OnPong(CommandId{2}, now_);
  EXPECT_EQ(liveness_.next_deadline(), now_ + absl::Seconds(34)) << "it was answered already";
}

// The thread was busy, or the machine slept. The answer may be here, unread.
TEST_F(LivenessTest, ALateTimerGivesTheAnswerItsTimeAgain) {
  liveness_.OnPing(CommandId{1}, now_);
  EXPECT_EQ(After(absl::Hours(1)), Verdict::kNothing);
  EXPECT_EQ(After(absl::Milliseconds(9'999)), Verdict::kNothing);
  EXPECT_EQ(After(absl::Milliseconds(1)), Verdict::kDead);
}

TEST_F(LivenessTest, AShortTimeoutIsDividedInHalves) {
  Liveness brisk(absl::Seconds(2), now_);
  EXPECT_EQ(brisk.next_deadline(), now_ + absl::Seconds(1));
}

}  // namespace
}  // namespace groupcast
