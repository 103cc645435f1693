#include "services/channel_server/server_report.h"

#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

const absl::Time kStart = absl::UnixEpoch() + absl::Hours(7);

TEST(ServerReportTest, IsReadyFromTheFirstTurnToTheStop) {
  ServerReport report(kStart);
  EXPECT_EQ(report.WhyNotReady(kStart), "The channel server starts: it reads its log.");
  report.OnTurn(kStart, [] { return ServerNumbers{}; });
  EXPECT_EQ(report.WhyNotReady(kStart), "");
  report.SetStopping();
  EXPECT_EQ(report.WhyNotReady(kStart), "The channel server stops.");
}

TEST(ServerReportTest, ALoopThatStandsStillIsNotReady) {
  ServerReport report(kStart);
  report.OnTurn(kStart, [] { return ServerNumbers{}; });
  EXPECT_EQ(report.WhyNotReady(kStart + absl::Milliseconds(4'999)), "");
  EXPECT_EQ(report.WhyNotReady(kStart + absl::Milliseconds(7'100)),
            "The channel server stands still since 7 s.");
  report.OnTurn(kStart + absl::Seconds(8), [] { return ServerNumbers{}; });
  EXPECT_EQ(report.WhyNotReady(kStart + absl::Seconds(8)), "");
}

TEST(ServerReportTest, TheLoopIsAsOldAsItsLastTurn) {
  ServerReport report(kStart);
  EXPECT_EQ(report.LoopAge(kStart + absl::Seconds(3)), absl::Seconds(3)) << "it reads its log";
  report.OnTurn(kStart + absl::Seconds(4), [] { return ServerNumbers{}; });
  EXPECT_EQ(report.LoopAge(kStart + absl::Seconds(4)), absl::ZeroDuration());
  EXPECT_EQ(report.LoopAge(kStart + absl::Milliseconds(11'250)), absl::Milliseconds(7'250));
  EXPECT_EQ(report.LoopAge(kStart), absl::ZeroDuration()) << "a turn after `now` was read";
}

TEST(ServerReportTest, TakesTheNumbersTenTimesASecond) {
  ServerReport report(kStart);
  uint64_t takes = 0;
  for (int ms = 0; ms <= 1'000; ++ms) {
    report.OnTurn(kStart + absl::Milliseconds(ms), [&] {
      ServerNumbers numbers{};
      numbers.publications = ++takes;
      return numbers;
    });
    EXPECT_EQ(report.numbers().publications, takes);
  }
  EXPECT_EQ(takes, 11u);
}

}  // namespace
}  // namespace groupcast::service
