#include "services/common/ready_file.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "absl/strings/match.h"
#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

namespace fs = std::filesystem;

constexpr absl::Time kStart = absl::UnixEpoch();

class ReadyFileTest : public testing::Test {
 protected:
  ReadyFileTest() { fs::create_directories(folder_); }
  ~ReadyFileTest() override { fs::remove_all(folder_); }

  std::string Text() const {
    std::string line;
    std::getline(std::ifstream(path_), line);
    return line;
  }
  ReadyFile Create() const {
    absl::StatusOr<ReadyFile> file = ReadyFile::Create(path_);
    EXPECT_TRUE(file.ok()) << file.status();
    return *std::move(file);
  }

  const fs::path folder_ = fs::path(std::getenv("TEST_TMPDIR")) / std::to_string(getpid());
  const std::string path_ = folder_ / "ready.json";
};

// Whoever waits for the file reads it as soon as it is there.
TEST_F(ReadyFileTest, AppearsWholeAndAlone) {
  ReadyFile file = Create();
  EXPECT_FALSE(fs::exists(path_));
  file.Write({.port = 1234}, kStart);
  EXPECT_EQ(Text(), "{\"port\": 1234}");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 1);
}

TEST_F(ReadyFileTest, IsWrittenOnce) {
  ReadyFile file = Create();
  file.Write({.port = 1234}, kStart);
  fs::remove(path_);
  file.Write({.port = 1234}, kStart + absl::Hours(1));
  EXPECT_FALSE(fs::exists(path_));
}

TEST_F(ReadyFileTest, AFailureIsTriedAgainLater) {
  ReadyFile file = Create();
  fs::remove_all(folder_);
  file.Write({.port = 1234}, kStart);
  fs::create_directories(folder_);
  file.Write({.port = 1234}, kStart + ReadyFile::kRetryPeriod - absl::Nanoseconds(1));
  EXPECT_FALSE(fs::exists(path_));
  file.Write({.port = 1234}, kStart + ReadyFile::kRetryPeriod);
  EXPECT_EQ(Text(), "{\"port\": 1234}");
}

TEST_F(ReadyFileTest, NoPathIsNoFile) {
  absl::StatusOr<ReadyFile> file = ReadyFile::Create("");
  ASSERT_TRUE(file.ok());
  file->Write({.port = 1234}, kStart);
}

TEST_F(ReadyFileTest, APlaceThatCannotHaveOneIsRefusedAtTheStart) {
  std::ofstream(folder_ / "file").put('x');
  for (const std::string& wrong :
       {std::string("/nowhere/ready.json"), std::string(folder_), folder_.string() + "/",
        (folder_ / "file/ready.json").string(), std::string("/proc/self/ready.json")}) {
    const absl::Status status = ReadyFile::Create(wrong).status();
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << wrong << ": " << status;
    EXPECT_TRUE(absl::StrContains(status.message(), wrong)) << status;
  }
  EXPECT_TRUE(ReadyFile::Create("ready.json").ok());  // in the working directory
}

TEST_F(ReadyFileTest, NothingIsLeftOfAFailedWrite) {
  fs::create_directories(path_ + "/full");  // a directory with files cannot be replaced
  EXPECT_FALSE(WriteReadyFile(path_, {.port = 1234}).ok());
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 1);
}

}  // namespace
}  // namespace groupcast::service
