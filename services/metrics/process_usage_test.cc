#include "services/metrics/process_usage.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <ctime>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "services/common/posix.h"

namespace groupcast::service {
namespace {

double CpuSecondsOfThisProcess() {
  timespec used;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

TEST(ProcessUsageTest, CountsWhatThisProcessTakes) {
  const auto before = ReadProcessUsage(getpid());
  ASSERT_TRUE(before.has_value());
  std::vector<Fd> files;
  for (int i = 0; i < 20; ++i) files.emplace_back(dup(STDERR_FILENO));
  constexpr size_t kBytes = 64u << 20;
  const std::string memory(kBytes, 'x');
  while (CpuSecondsOfThisProcess() < before->cpu_seconds + 0.1) {
  }
  const auto after = ReadProcessUsage(getpid());
  ASSERT_TRUE(after.has_value());
  EXPECT_EQ(after->open_files, before->open_files + 20);
  EXPECT_GE(after->resident_bytes, before->resident_bytes + kBytes / 2);
  EXPECT_GE(after->cpu_seconds, before->cpu_seconds + 0.05);
  EXPECT_LE(after->cpu_seconds, CpuSecondsOfThisProcess() + 0.1);
}

TEST(ProcessUsageTest, AProcessThatIsGoneHasNone) {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_FALSE(ReadProcessUsage(child).has_value());
}

}  // namespace
}  // namespace groupcast::service
