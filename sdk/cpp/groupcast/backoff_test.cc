#include "groupcast/backoff.h"

#include <gtest/gtest.h>

namespace groupcast {
namespace {

TEST(BackoffTest, CeilingDoublesUpToTheCap) {
  // A half of each ceiling, because that is exact.
  Backoff backoff(absl::Milliseconds(100), absl::Milliseconds(500), [] { return 0.5; });
  EXPECT_EQ(backoff.Next(), absl::Milliseconds(50));
  EXPECT_EQ(backoff.Next(), absl::Milliseconds(100));
  EXPECT_EQ(backoff.Next(), absl::Milliseconds(200));
  EXPECT_EQ(backoff.Next(), absl::Milliseconds(250));
  EXPECT_EQ(backoff.Next(), absl::Milliseconds(250));
}

TEST(BackoffTest, JitterIsFull) {
  double draw = 0;
  Backoff backoff(absl::Seconds(1), absl::Seconds(1), [&draw] { return draw; });
  EXPECT_EQ(backoff.Next(), absl::ZeroDuration());
  draw = 0.25;
  EXPECT_EQ(backoff.Next(), absl::Milliseconds(250));
  draw = 0.75;
  EXPECT_EQ(backoff.Next(), absl::Milliseconds(750));
}

TEST(BackoffTest, ResetBeginsAgainAtBase) {
  Backoff backoff(absl::Milliseconds(100), absl::Seconds(10), [] { return 0.5; });
  backoff.Next();
  backoff.Next();
  backoff.Reset();
  EXPECT_EQ(backoff.Next(), absl::Milliseconds(50));
}

TEST(BackoffTest, ManyFailuresDoNotOverflow) {
  Backoff backoff(absl::Nanoseconds(1), absl::Hours(24), [] { return 0.5; });
  for (int i = 0; i < 10000; ++i) backoff.Next();
  EXPECT_EQ(backoff.Next(), absl::Hours(12));
}

}  // namespace
}  // namespace groupcast
