#include "services/common/posix.h"

#include <fcntl.h>

#include <cerrno>
#include <csignal>
#include <set>
#include <utility>

#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

bool IsOpen(int fd) { return fcntl(fd, F_GETFD) != -1; }

TEST(FdTest, ClosesWhatItOwnsOnce) {
  int number;
  {
    Fd fd(open("/dev/null", O_RDONLY | O_CLOEXEC));
    number = fd.get();
    ASSERT_TRUE(IsOpen(number));
    Fd moved = std::move(fd);
    EXPECT_FALSE(fd.valid());  // NOLINT(bugprone-use-after-move): that it is empty is the point
    EXPECT_TRUE(IsOpen(number));
  }
  EXPECT_FALSE(IsOpen(number));
}

TEST(RandomIdTest, IsNeverTheSameAndNeverZero) {
  std::set<uint64_t> ids;
  for (int i = 0; i < 1'000; ++i) ids.insert(RandomId());
  EXPECT_EQ(ids.size(), 1'000u);
  EXPECT_FALSE(ids.contains(0));
}

// In a child, because it closes the standard streams and takes signals.
TEST(GuardStandardStreamsTest, LeavesNoWayToEndTheProcess) {
  EXPECT_EXIT(
      {
        for (const int stream : {STDIN_FILENO, STDERR_FILENO}) close(stream);
        GuardStandardStreams();
        for (const int signal : {SIGPIPE, SIGXFSZ, SIGTTOU}) raise(signal);
        const bool all_open =
            IsOpen(STDIN_FILENO) && IsOpen(STDOUT_FILENO) && IsOpen(STDERR_FILENO);
        const Fd next(open("/dev/null", O_RDONLY | O_CLOEXEC));
        _exit(all_open && next.get() > STDERR_FILENO ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace groupcast::service
