#include "services/common/key_file.h"

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

using ::testing::HasSubstr;

class KeyFileTest : public ::testing::Test {
 protected:
  std::string Write(const std::string& content, mode_t mode) {
    const std::string path = absl::StrCat(::testing::TempDir(), "/key_file_test_", ++files_);
    std::ofstream(path) << content;
    chmod(path.c_str(), mode);
    return path;
  }

  int files_ = 0;
};

TEST_F(KeyFileTest, GivesTheBytesAsTheyAre) {
  const std::string content("a\0b\n\n", 5);
  const absl::StatusOr<KeyFile> file = ReadKeyFile(Write(content, 0600));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->content, content);
}

TEST_F(KeyFileTest, SaysWhetherOthersMayAccessIt) {
  for (const mode_t mode : {0600, 0640, 0400, 0660}) {
    EXPECT_FALSE(ReadKeyFile(Write("k", mode))->others_may_access) << mode;
    EXPECT_TRUE(ReadSecretFile(Write("k", mode)).ok()) << mode;
  }
  for (const mode_t mode : {0644, 0604, 0602}) {
    EXPECT_TRUE(ReadKeyFile(Write("k", mode))->others_may_access) << mode;
    const std::string path = Write("k", mode);
    EXPECT_THAT(std::string(ReadSecretFile(path).status().message()),
                HasSubstr(absl::StrCat(path, " has a secret, and other users may access it")));
  }
}

TEST_F(KeyFileTest, TheLargestAndOneOver) {
  EXPECT_TRUE(ReadKeyFile(Write(std::string(KeyFile::kBytesMax, 'k'), 0600)).ok());
  const std::string path = Write(std::string(KeyFile::kBytesMax + 1, 'k'), 0600);
  EXPECT_EQ(ReadKeyFile(path).status().message(),
            absl::StrCat(path, " is over 1048576 bytes, which no key is"));
}

TEST_F(KeyFileTest, WhatIsNoFileWithAKey) {
  const std::string empty = Write("", 0600);
  EXPECT_EQ(ReadKeyFile(empty).status().message(), empty + " is empty");
  EXPECT_THAT(std::string(ReadKeyFile("/no/such/file").status().message()),
              HasSubstr("/no/such/file"));
  EXPECT_EQ(ReadKeyFile("/dev/null").status().message(), "/dev/null is not a regular file");
  const std::string fifo = absl::StrCat(::testing::TempDir(), "/key_file_test_fifo");
  std::filesystem::remove(fifo);
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_EQ(ReadKeyFile(fifo).status().message(), fifo + " is not a regular file");
}

}  // namespace
}  // namespace groupcast::service
