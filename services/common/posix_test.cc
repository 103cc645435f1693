#include "services/common/posix.h"

#include <fcntl.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "absl/strings/match.h"
#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

namespace fs = std::filesystem;

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

// Whoever waits for the file reads it as soon as it is there.
TEST(ReadyFileTest, AppearsWholeAndAlone) {
  const fs::path folder = fs::path(std::getenv("TEST_TMPDIR")) / "ready";
  fs::create_directories(folder);
  const std::string path = folder / "ready.json";
  ASSERT_TRUE(WriteReadyFile(path, 1234).ok());
  std::string line;
  std::getline(std::ifstream(path), line);
  EXPECT_EQ(line, "{\"port\": 1234}");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), fs::directory_iterator()), 1);
}

TEST(ReadyFileTest, NamesThePathThatCannotBeWritten) {
  const absl::Status status = WriteReadyFile("/nowhere/ready.json", 1);
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(absl::StrContains(status.message(), "/nowhere/ready.json")) << status;
}

}  // namespace
}  // namespace groupcast::service
