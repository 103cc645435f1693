#include "services/process/wait_notice.h"

#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

class WaitNoticeTest : public ::testing::Test {
 protected:
  // The lines of a time in which so many of 4 workers wait; "" if there is none.
  std::string Pass(absl::Duration time, size_t waiting) {
    std::string lines;
    for (const absl::Time end = now_ + time; now_ < end; now_ += absl::Milliseconds(100)) {
      const std::optional<std::string> line = notice_.Observe(
          waiting, 4, [] { return "the server at [::1]:2206"; }, now_);
      if (line.has_value()) lines += *line + "\n";
    }
    return lines;
  }

  WaitNotice notice_;
  absl::Time now_ = absl::UnixEpoch();
};

TEST_F(WaitNoticeTest, SaysItAfter10SecondsAndThenEachMinute) {
  EXPECT_EQ(Pass(absl::Seconds(10), 4), "");
  EXPECT_EQ(Pass(absl::Seconds(60), 4),
            "4 of 4 workers wait for the server at [::1]:2206, for 10s now\n");
  EXPECT_EQ(Pass(absl::Seconds(60), 1),
            "1 of 4 workers wait for the server at [::1]:2206, for 1m10s now\n");
  EXPECT_EQ(Pass(absl::Seconds(1), 0),
            "no worker waits for the server at [::1]:2206 any more, after 2m10s\n");
  EXPECT_EQ(Pass(absl::Hours(1), 0), "");
}

TEST_F(WaitNoticeTest, EachWaitBeginsAnew) {
  Pass(absl::Seconds(30), 4);
  Pass(absl::Seconds(1), 0);
  EXPECT_EQ(Pass(absl::Seconds(10), 2), "");
  EXPECT_EQ(Pass(absl::Seconds(1), 2),
            "2 of 4 workers wait for the server at [::1]:2206, for 10s now\n");
}

TEST_F(WaitNoticeTest, AShortWaitNeedsNoLine) {
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(Pass(absl::Seconds(9), 4), "");
    EXPECT_EQ(Pass(absl::Seconds(1), 0), "");
  }
}

}  // namespace
}  // namespace groupcast::service
