#include "tools/groupcast/delivery_tally.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace groupcast::cli {
namespace {

using testing::ElementsAre;

void Send(DeliveryTally* tally, uint64_t line, const absl::Status& result) {
  tally->Begin();
  tally->End(line, result);
}

TEST(DeliveryTallyTest, AllAcknowledgedIsDone) {
  DeliveryTally tally;
  tally.Begin();
  EXPECT_EQ(tally.waiting(), 1u);
  tally.End(1, absl::OkStatus());
  EXPECT_EQ(tally.waiting(), 0u);
  EXPECT_EQ(tally.exit_code(), ExitCode::kDone);
  EXPECT_THAT(tally.Report(), ElementsAre("1 of 1 message acknowledged"));
}

TEST(DeliveryTallyTest, FailuresAreNamedInTheOrderOfTheLines) {
  DeliveryTally tally;
  Send(&tally, 3, absl::UnknownError("no answer"));
  Send(&tally, 1, absl::OkStatus());
  tally.Refuse(2, absl::InvalidArgumentError("too long"));
  EXPECT_THAT(
      tally.Report(),
      ElementsAre("line 2 is not delivered: too long", "line 3 is perhaps delivered: no answer",
                  "1 of 3 messages acknowledged, 1 not delivered, 1 with unknown outcome"));
}

TEST(DeliveryTallyTest, TheGravestOutcomeDecidesTheExitCode) {
  DeliveryTally tally;
  Send(&tally, 1, absl::CancelledError("closed"));
  EXPECT_EQ(tally.exit_code(), ExitCode::kNotReachable);
  Send(&tally, 2, absl::PermissionDeniedError("forbidden"));
  EXPECT_EQ(tally.exit_code(), ExitCode::kFailed);
  Send(&tally, 3, absl::UnknownError("no answer"));
  EXPECT_EQ(tally.exit_code(), ExitCode::kOutcomeUnknown);
}

TEST(DeliveryTallyTest, ManyFailuresAreCounted) {
  DeliveryTally tally;
  for (uint64_t line = 1000; line > 0; --line) {
    Send(&tally, line, absl::PermissionDeniedError("no"));
  }
  const std::vector<std::string> report = tally.Report();
  ASSERT_EQ(report.size(), DeliveryTally::kNamedFailures + 2);
  EXPECT_EQ(report.front(), "line 1 is not delivered: no");
  EXPECT_EQ(report[DeliveryTally::kNamedFailures], "and 990 more lines");
  EXPECT_EQ(report.back(), "0 of 1000 messages acknowledged, 1000 not delivered");
}

TEST(DeliveryTallyTest, AMessageWithoutALineIsTheOnlyOne) {
  DeliveryTally tally;
  Send(&tally, 0, absl::PermissionDeniedError("no"));
  EXPECT_EQ(tally.Report().front(), "the message is not delivered: no");
}

}  // namespace
}  // namespace groupcast::cli
