#include "services/common/logging.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "boost/json.hpp"
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
  EXPECT_EQ(InitLogging("loud", LogFormat::kText, "test").code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(InitLogging("off", LogFormat::kText, "test").ok());
  EXPECT_TRUE(InitLogging("info", LogFormat::kText, "test").ok());
}

TEST(ParseLogFormatTest, KnowsTextAndJson) {
  EXPECT_EQ(*ParseLogFormat("text"), LogFormat::kText);
  EXPECT_EQ(*ParseLogFormat("json"), LogFormat::kJson);
  EXPECT_EQ(ParseLogFormat("xml").status().code(), absl::StatusCode::kInvalidArgument);
}

// Its stderr is a pipe.
class LogLinesTest : public testing::Test {
 protected:
  explicit LogLinesTest(LogFormat format = LogFormat::kText) {
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    reader_ = Fd(ends[0]);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    EXPECT_TRUE(InitLogging("info", format, "a service").ok());
  }
  ~LogLinesTest() override {
    dup2(stderr_.get(), STDERR_FILENO);
    EXPECT_TRUE(InitLogging("info", LogFormat::kText, "test").ok());
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
  const uint64_t missing = 1'002 - static_cast<uint64_t>(written);
  EXPECT_EQ(DroppedLogLines(), missing);
  PrintLines("a table\n");
  EXPECT_EQ(DroppedLogLines(), missing) << "a counter does not fall when the loss is told";
  EXPECT_THAT(Read(), testing::MatchesRegex(
                          absl::StrCat("[0-9-]+ [0-9:.]+ W \\[a service\\] ", 1'002 - written,
                                       " lines are missing here[^\n]+\na table\n")));
}

// The channel server has threads. ThreadSanitizer judges, too.
TEST_F(LogLinesTest, LinesOfSeveralThreadsAreWhole) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([] {
      for (int line = 0; line < 100; ++line) {
        spdlog::info("from a thread");
        PrintLines("a row\n");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const absl::string_view line : absl::StrSplit(Read(), '\n', absl::SkipEmpty())) {
    EXPECT_TRUE(line == "a row" || absl::EndsWith(line, "[a service] from a thread")) << line;
  }
}

// ThreadSanitizer judges.
TEST_F(LogLinesTest, AnyThreadMayAskForTheDroppedLines) {
  std::atomic<bool> done{false};
  std::thread writer([&done] {
    // Nobody reads. A pipe has 64 KiB.
    for (int i = 0; i < 1'000; ++i) spdlog::info("{}", std::string(100, 'x'));
    done = true;
  });
  uint64_t last = 0;
  while (!done) {
    const uint64_t now = DroppedLogLines();
    EXPECT_GE(now, last);
    last = now;
  }
  writer.join();
  EXPECT_GT(DroppedLogLines(), 0u);
}

TEST_F(LogLinesTest, AWorkerHasItsNumber) {
  EXPECT_TRUE(InitWorkerLogging("info", 3).ok());
  spdlog::info("one");
  EXPECT_THAT(Read(), testing::HasSubstr(" I [a service worker 3] one\n"));
}

TEST_F(LogLinesTest, ALineThatCannotBeMadeIsTold) {
  spdlog::info(fmt::runtime("{} {}"), 1);
  EXPECT_THAT(Read(), testing::StartsWith("a log line could not be made: "));
}

class JsonLogLinesTest : public LogLinesTest {
 protected:
  JsonLogLinesTest() : LogLinesTest(LogFormat::kJson) {}

  // The lines that have come, each an object.
  std::vector<boost::json::object> ReadObjects() {
    std::vector<boost::json::object> objects;
    const std::string text = Read();
    EXPECT_TRUE(text.empty() || text.back() == '\n') << text;
    for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
      objects.push_back(boost::json::parse(std::string(line)).as_object());
    }
    return objects;
  }
  boost::json::object ReadObject() {
    const std::vector<boost::json::object> objects = ReadObjects();
    EXPECT_EQ(objects.size(), 1u);
    return objects.empty() ? boost::json::object() : objects[0];
  }
};

TEST_F(JsonLogLinesTest, NameTimeLevelServiceAndProcess) {
  const absl::Time before = absl::Now();
  spdlog::warn("one {}", "\xff\x1b");
  const boost::json::object line = ReadObject();
  absl::Time time;
  std::string error;
  ASSERT_TRUE(
      absl::ParseTime(absl::RFC3339_full, std::string(line.at("time").as_string()), &time, &error))
      << error;
  EXPECT_GE(time, before - absl::Milliseconds(1));  // the line has whole milliseconds
  EXPECT_LE(time, absl::Now());
  EXPECT_EQ(line.at("level").as_string(), "warning");
  EXPECT_EQ(line.at("service").as_string(), "a service");
  EXPECT_EQ(line.at("pid").as_int64(), getpid());
  EXPECT_EQ(line.at("message").as_string(), "one \ufffd\x1b");
  EXPECT_FALSE(line.contains("worker"));
}

TEST_F(JsonLogLinesTest, AWorkerKeepsTheFormatAndHasItsNumber) {
  EXPECT_TRUE(InitWorkerLogging("info", 3).ok());
  EXPECT_EQ(log_format(), LogFormat::kJson);
  spdlog::info("one");
  const boost::json::object line = ReadObject();
  EXPECT_EQ(line.at("service").as_string(), "a service");
  EXPECT_EQ(line.at("worker").as_int64(), 3);
}

TEST_F(JsonLogLinesTest, EachPrintedLineIsAMessage) {
  PrintLines("\n  a \"table\"\n\n  of two lines\n", spdlog::level::err);
  const std::vector<boost::json::object> lines = ReadObjects();
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].at("message").as_string(), "  a \"table\"");
  EXPECT_EQ(lines[0].at("level").as_string(), "error");
  EXPECT_EQ(lines[1].at("message").as_string(), "  of two lines");
}

TEST_F(JsonLogLinesTest, ALongLineIsCutAndStaysAnObject) {
  spdlog::info("{}", std::string(100'000, '\x01'));
  PrintLines(absl::StrCat(std::string(100'000, 'x'), "\n"));
  const std::vector<boost::json::object> lines = ReadObjects();
  ASSERT_EQ(lines.size(), 2u);
  for (const boost::json::object& line : lines) {
    EXPECT_THAT(std::string(line.at("message").as_string()), testing::EndsWith("... (cut)"));
  }
}

TEST_F(JsonLogLinesTest, DroppedLinesAreToldInAnObject) {
  // Nobody reads. A pipe has 64 KiB.
  for (int i = 0; i < 1'000; ++i) spdlog::info("{}", std::string(100, 'x'));
  const size_t written = ReadObjects().size();
  spdlog::info("the reader is back");
  const std::vector<boost::json::object> lines = ReadObjects();
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_THAT(std::string(lines[0].at("message").as_string()),
              testing::StartsWith(absl::StrCat(1'000 - written, " lines are missing here")));
  EXPECT_EQ(lines[0].at("level").as_string(), "warning");
  EXPECT_EQ(lines[1].at("message").as_string(), "the reader is back");
}

TEST_F(JsonLogLinesTest, ALineThatCannotBeMadeIsTold) {
  spdlog::info(fmt::runtime("{} {}"), 1);
  const boost::json::object line = ReadObject();
  EXPECT_EQ(line.at("level").as_string(), "error");
  EXPECT_THAT(std::string(line.at("message").as_string()),
              testing::StartsWith("a log line could not be made: "));
}

}  // namespace
}  // namespace groupcast::service
