// A short run of what tools/chaos runs for as long as one wants.

#include "tests/faults/chaos.h"

#include <iostream>
#include <random>

#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace groupcast::tests {
namespace {

using ::testing::Each;
using ::testing::Gt;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kIsSanitized = true;
#else
constexpr bool kIsSanitized = false;
#endif

// Small enough to run beside other tests on two processors.
TEST(ChaosTest, NothingIsLostDoubledOrReordered) {
  ChaosOptions options;
  options.duration = absl::Seconds(15);
  options.fault_interval = absl::Milliseconds(300);
  options.clients = kIsSanitized ? 40 : 100;
  options.groups = 10;
  options.rate = kIsSanitized ? 200 : 500;
  options.gateway = {.workers = 2,
                     .publishers = 8,
                     .streams = kIsSanitized ? 6 : 12,
                     .rate = kIsSanitized ? 50 : 150};
  options.seed = std::random_device()();
  options.progress = [](const std::string& line) { std::cerr << line << "\n"; };
  std::cerr << "seed " << options.seed << "\n";
  const ChaosReport report = RunChaos(options);
  for (const std::string& finding : report.findings) std::cerr << finding << "\n";
  std::cerr << report.Text() << "\n" << report.Line() << "\n";

  EXPECT_EQ(report.counts.lost, 0);
  EXPECT_EQ(report.counts.doubled, 0);
  EXPECT_EQ(report.counts.reordered, 0);
  EXPECT_EQ(report.counts.unanswered, 0);
  EXPECT_EQ(report.crashes, 0);
  EXPECT_TRUE(report.settled);
  EXPECT_EQ(report.Contradictions(), 0);
  // Otherwise it would have shown nothing.
  EXPECT_GT(report.counts.acknowledged, 0);
  EXPECT_GT(report.counts.deliveries, report.counts.acknowledged);
  EXPECT_GT(report.publishers.acknowledged, 0);
  EXPECT_GT(report.publishers.lists, 0);
  EXPECT_GT(report.publishers.repeats, 0);
  EXPECT_GT(report.streams.deliveries, 0);
  EXPECT_GT(report.streams.recovered, 0);
  EXPECT_GT(report.presence.pages, options.watchers);
  EXPECT_GT(report.presence.joins, 0);
  EXPECT_GT(report.presence.leaves, 0);
  EXPECT_THAT(report.faults, Each(Gt(0)));
}

}  // namespace
}  // namespace groupcast::tests
