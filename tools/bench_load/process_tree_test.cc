#include "tools/bench_load/process_tree.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <memory>
#include <vector>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace groupcast::bench {
namespace {

using ::testing::Contains;
using ::testing::IsSupersetOf;
using ::testing::Not;

constexpr absl::Duration kTick = absl::Milliseconds(10);

void BurnCpu(absl::Duration time) {
  const absl::Duration end = OwnCpuTime() + time;
  while (OwnCpuTime() < end) {
  }
}

// A child that has a child, which has told us its pid when this returns. Both live until the pipe
// that is given out is closed.
struct Family {
  pid_t child;
  pid_t grandchild;
  int leash;
};

Family StartFamily() {
  int pids[2];
  int leash[2];
  EXPECT_EQ(pipe(pids), 0);
  EXPECT_EQ(pipe(leash), 0);
  Family family{};
  family.leash = leash[1];
  family.child = fork();
  if (family.child == 0) {
    close(leash[1]);
    const pid_t grandchild = fork();
    char end;
    if (grandchild == 0) {
      const pid_t self = getpid();
      if (write(pids[1], &self, sizeof(self)) != sizeof(self)) _exit(1);
      _exit(static_cast<int>(read(leash[0], &end, 1)));
    }
    const ssize_t count = read(leash[0], &end, 1);
    waitpid(grandchild, nullptr, 0);
    _exit(static_cast<int>(count));
  }
  EXPECT_EQ(read(pids[0], &family.grandchild, sizeof(pid_t)), ssize_t{sizeof(pid_t)});
  for (const int fd : {pids[0], pids[1], leash[0]}) close(fd);
  return family;
}

TEST(ProcessTree, HasChildrenAndTheirChildren) {
  const Family family = StartFamily();
  EXPECT_THAT(ProcessTree({getpid()}), IsSupersetOf({getpid(), family.child, family.grandchild}));
  EXPECT_THAT(ProcessTree({family.child}), Not(Contains(getpid())));
  close(family.leash);
  waitpid(family.child, nullptr, 0);
  EXPECT_THAT(ProcessTree({getpid()}), Not(Contains(family.child)));
}

TEST(CpuTimeOf, CountsThisProcessAndChildrenThatHaveEnded) {
  const absl::Duration before = CpuTimeOf({getpid()});
  BurnCpu(absl::Milliseconds(60));
  const pid_t child = fork();
  if (child == 0) {
    BurnCpu(absl::Milliseconds(60));
    _exit(0);
  }
  waitpid(child, nullptr, 0);
  EXPECT_GE(CpuTimeOf({getpid()}) - before, absl::Milliseconds(120) - 4 * kTick);
}

TEST(PssOf, GrowsWithTheMemoryThatIsTouched) {
  constexpr size_t kBytes = 32 << 20;
  const int64_t before = PssOf({getpid()});
  EXPECT_GT(before, 0);
  std::vector<char> memory(kBytes);
  std::memset(memory.data(), 1, memory.size());
  const int64_t grown = PssOf({getpid()}) - before;
  EXPECT_GE(grown, static_cast<int64_t>(kBytes) * 9 / 10);
  EXPECT_LE(grown, static_cast<int64_t>(kBytes) * 12 / 10);
}

TEST(ProcessTree, AProcessThatIsGoneCostsNothing) {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  waitpid(child, nullptr, 0);
  EXPECT_EQ(CpuTimeOf({child}), absl::ZeroDuration());
  EXPECT_EQ(PssOf({child}), 0);
}

TEST(PeakMemoryOf, RemembersWhatIsGone) {
  constexpr size_t kBytes = 64 << 20;
  const int64_t now = PssOf({getpid()});
  EXPECT_GE(PeakMemoryOf({getpid()}), now);
  std::make_unique<std::vector<char>>(kBytes, 'x').reset();
  EXPECT_GE(PeakMemoryOf({getpid()}), now + static_cast<int64_t>(kBytes) / 2);
}

}  // namespace
}  // namespace groupcast::bench
