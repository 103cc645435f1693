// A short run of what tools/siege runs, with small attacks. It judges everything but the time.

#include "tests/siege/siege.h"

#include <iostream>

#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace groupcast::tests {
namespace {

using ::testing::IsEmpty;

TEST(SiegeTest, HonestClientsAreNotHurt) {
  SiegeOptions options;
  options.quiet = absl::Seconds(2);
  options.duration = absl::Seconds(12);
  options.honest_clients = 20;
  options.attacks = {.readers = 50,
                     .escape_readers = 4,
                     .flooders = 100,
                     .deaf_members = 30,
                     .unfinished = 60,
                     .spreaders = 1};
  // The budget of unfinished messages is as small as the attack.
  options.service_flags = {"--unfinished_bytes=4000000"};
  options.p99_ratio_max = 0;
  options.progress = [](const std::string& line) { std::cerr << line << "\n"; };
  const SiegeReport report = RunSiege(options);
  std::cerr << report.Text() << "\n" << report.Line() << "\n";
  EXPECT_THAT(report.Findings(), IsEmpty());
}

class LimitsSiegeTest : public ::testing::TestWithParam<bool> {};

TEST_P(LimitsSiegeTest, HonestClientsDoNotNoticeAttacksOnTheLimitsOfConnections) {
  SiegeOptions options;
  options.quiet = absl::Seconds(1);
  options.duration = absl::Seconds(12);
  options.honest_clients = 20;
  options.tls = GetParam();
  options.attacks = {.readers = 0,
                     .escape_readers = 0,
                     .flooders = 0,
                     .deaf_members = 60,
                     .unfinished = 0,
                     .spreaders = 0,
                     .half_handshakes = 300,
                     .garbage = 40,
                     .hellos = 20};
  options.service_flags = {"--handshake_timeout=2s", "--outbox_bytes=262144"};
  options.p99_ratio_max = 0;
  options.progress = [](const std::string& line) { std::cerr << line << "\n"; };
  const SiegeReport report = RunSiege(options);
  std::cerr << report.Text() << "\n" << report.Line() << "\n";
  EXPECT_THAT(report.Findings(), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(PlainAndTls, LimitsSiegeTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "Tls" : "Plain"; });

}  // namespace
}  // namespace groupcast::tests
