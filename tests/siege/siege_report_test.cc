// The verdict of a siege on its numbers.

#include <cstdint>

#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/siege/siege.h"

namespace groupcast::tests {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr int64_t kMiB = 1 << 20;

SiegeReport Good() {
  SiegeReport report;
  report.honest = {.sent = 10, .acknowledged = 10, .delivered = 50};
  report.settled = true;
  report.returns = 1;
  report.quiet_p99 = absl::Milliseconds(2);
  report.siege_p99 = absl::Milliseconds(10);
  report.p99_ratio_max = 5;
  report.each_attack_happened = true;
  report.before.processes_bytes = 40 * kMiB;
  report.peak.processes_bytes = 140 * kMiB;
  report.memory_back_after = absl::Seconds(1);
  report.memory_more_max_bytes = 100 * kMiB;
  return report;
}

TEST(SiegeReportTest, AtItsLimitsItPasses) { EXPECT_THAT(Good().Findings(), IsEmpty()); }

TEST(SiegeReportTest, MemoryMayGrowUpToItsLimit) {
  SiegeReport report = Good();
  report.peak.processes_bytes = 141 * kMiB;
  EXPECT_THAT(report.Findings(),
              ElementsAre("the memory grew by 101 MiB, and may grow by 100 MiB"));
  EXPECT_FALSE(report.Passed());
  report.memory_more_max_bytes = 0;
  EXPECT_THAT(report.Findings(), IsEmpty()) << "there is no limit";
}

TEST(SiegeReportTest, MemoryMustComeBack) {
  SiegeReport report = Good();
  report.memory_back_after = absl::InfiniteDuration();
  report.after = {.processes_bytes = 200 * kMiB, .tcp_bytes = 3 * kMiB};
  EXPECT_THAT(report.Findings(),
              ElementsAre("memory is not back: 200 MiB in processes, 3 MiB in TCP"));
}

TEST(SiegeReportTest, TheP99MayGrowUpToItsLimit) {
  SiegeReport report = Good();
  report.siege_p99 = absl::Milliseconds(12);
  EXPECT_THAT(report.Findings(), ElementsAre("the p99 grew 6.0 times, and may grow 5 times"));
}

TEST(SiegeReportTest, EachOtherPromiseCounts) {
  SiegeReport report = Good();
  report.return_losses = 1;
  report.workers_replaced = 2;
  report.each_attack_happened = false;
  EXPECT_THAT(report.Findings(),
              ElementsAre("1 of the returns to a quiet group lost its history",
                          "2 workers were replaced", "an attack did not happen"));
}

}  // namespace
}  // namespace groupcast::tests
