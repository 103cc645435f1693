#include "services/process/ended_child.h"

#include <unistd.h>

#include <csignal>
#include <optional>

#include "gtest/gtest.h"
#include "services/metrics/process_usage.h"

namespace groupcast::service {
namespace {

// Waits for it.
EndedChild Find() {
  for (;;) {
    if (const std::optional<EndedChild> child = FindEndedChild()) return *child;
  }
}

// Begins a child that has used some CPU time when it calls `end`.
template <typename End>
pid_t Fork(End end) {
  const pid_t pid = fork();
  if (pid == 0) {
    while (ReadProcessUsage(getpid())->cpu_seconds < 0.05) {
    }
    end();
  }
  return pid;
}

TEST(EndedChildTest, ThereIsNone) {
  EXPECT_FALSE(FindEndedChild().has_value());
  const pid_t lives = Fork([] { pause(); });
  EXPECT_FALSE(FindEndedChild().has_value());
  kill(lives, SIGKILL);
  EXPECT_EQ(ExitText(ReapChild(Find())), "was ended by Killed");
  EXPECT_FALSE(FindEndedChild().has_value());
}

TEST(EndedChildTest, ItsCpuTimeIsInProcUntilItIsReaped) {
  const pid_t pid = Fork([] { _exit(3); });
  const EndedChild child = Find();
  EXPECT_EQ(child.pid, pid);
  EXPECT_EQ(Find().pid, pid);
  const std::optional<ProcessUsage> usage = ReadProcessUsage(pid);
  ASSERT_TRUE(usage.has_value());
  EXPECT_GE(usage->cpu_seconds, 0.05);
  // The same time, which /proc has in ticks of 10 ms. So a counter that goes over to it never
  // falls.
  EXPECT_GE(child.cpu_seconds, usage->cpu_seconds);
  EXPECT_EQ(ExitText(ReapChild(child)), "exited with 3");
  EXPECT_FALSE(ReadProcessUsage(pid).has_value());
  EXPECT_FALSE(FindEndedChild().has_value());
}

}  // namespace
}  // namespace groupcast::service
