// Many clients that read as much history as they can, beside clients that send. The output has the
// latencies; tools/siege measures them for longer on a quiet machine, and judges them.

#include <cstdio>

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "tests/siege/siege.h"

namespace groupcast::tests {
namespace {

TEST(ReadersTest, DoNotHurtThoseThatSend) {
  SiegeOptions options;
  options.quiet = absl::Seconds(1);
  // Longer than the 5 s after which a question without an answer fails.
  options.duration = absl::Seconds(7);
  options.attacks = {.flooders = 0, .deaf_members = 0, .unfinished = 0, .spreaders = 0};
  options.p99_ratio_max = 0;
  const SiegeReport report = RunSiege(options);
  std::printf("%s\n", report.Text().c_str());
  EXPECT_TRUE(report.settled);
  EXPECT_TRUE(report.honest.Clean()) << report.honest.Text();
  EXPECT_TRUE(report.each_attack_happened);
  EXPECT_EQ(report.refusals, 0);  // each read is answered too
}

}  // namespace
}  // namespace groupcast::tests
