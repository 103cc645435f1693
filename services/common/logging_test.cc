#include "services/common/logging.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/common/posix.h"

namespace groupcast::service {
namespace {

TEST(LogLimitTest, LetsOneLineThroughPerPeriodAndCountsTheRest) {
  LogLimit limit(absl::Seconds(1));
  const absl::Time start = absl::UnixEpoch();
  EXPECT_EQ(limit.Admit(start), 1);
  EXPECT_EQ(limit.Admit(start), 0);
  EXPECT_EQ(limit.Admit(start + absl::Milliseconds(999)), 0);
  EXPECT_EQ(limit.Admit(start + absl::Seconds(1)), 3);
}

TEST(InitLoggingTest, RefusesALevelThatIsNone) {
  EXPECT_EQ(InitLogging("loud", "test").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(InitLogging("off", "test").ok());
  EXPECT_TRUE(InitLogging("info", "test").ok());
}

// Its stderr is a pipe.
class LogLinesTest : public testing::Test {
 protected:
  LogLinesTest() {
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    reader_ = Fd(ends[0]);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    EXPECT_TRUE(InitLogging("info", "a service").ok());
  }
  ~LogLinesTest() override {
    dup2(stderr_.get(), STDERR_FILENO);
    EXPECT_TRUE(InitLogging("info", "test").ok());
  }

  std::string Read() {
    std::string text(1 << 20, ' ');
    text.resize(
        static_cast<size_t>(std::max<ssize_t>(read(reader_.get(), text.data(), text.size()), 0)));
    return text;
  }

  const Fd stderr_{dup(STDERR_FILENO)};
  Fd reader_;
};

TEST_F(LogLinesTest, NameTimeLevelAndProcess) {
  spdlog::warn("one {}", 1);
  EXPECT_THAT(Read(), testing::MatchesRegex(
                          "[0-9]+-[0-9]+-[0-9]+ [0-9]+:[0-9]+:[0-9.]+ W \\[a service\\] one 1\n"));
}

TEST_F(LogLinesTest, DroppedLinesAreToldInALineOfTheLog) {
  // Nobody reads. A pipe has 64 KiB.
  for (int i = 0; i < 1'000; ++i) spdlog::info("{}", std::string(100, 'x'));
  PrintLines("a table\nof two lines\n");
  const std::string before = Read();
  const auto written = std::count(before.begin(), before.end(), '\n');
  PrintLines("a table\n");
  EXPECT_THAT(Read(), testing::MatchesRegex(
                          absl::StrCat("[0-9-]+ [0-9:.]+ W \\[a service\\] ", 1'002 - written,
                                       " lines are missing here[^\n]+\na table\n")));
}

TEST_F(LogLinesTest, ALineThatCannotBeMadeIsTold) {
  spdlog::info(fmt::runtime("{} {}"), 1);
  EXPECT_THAT(Read(), testing::StartsWith("a log line could not be made: "));
}

}  // namespace
}  // namespace groupcast::service
