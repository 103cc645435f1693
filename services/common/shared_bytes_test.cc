#include "services/common/shared_bytes.h"

#include <string>
#include <utility>

#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

using namespace std::string_literals;

std::string Text(const SharedBytes& bytes) { return std::string(bytes.bytes()); }

TEST(SharedBytesTest, JoinsTwoPartsInOneBlock) {
  EXPECT_EQ(Text(SharedBytes::Join({"head ", "body"})), "head body");
  EXPECT_EQ(Text(SharedBytes::Join({"head", ""})), "head");
  EXPECT_EQ(Text(SharedBytes::Copy("\0\xff"s)), "\0\xff"s);
  EXPECT_EQ(SharedBytes::Join({"head ", "body"}).size(), 9u);
}

TEST(SharedBytesTest, NoBytesAreNotNull) {
  const SharedBytes empty = SharedBytes::Copy("");
  EXPECT_TRUE(empty);
  EXPECT_EQ(empty.size(), 0u);
  EXPECT_FALSE(SharedBytes());
}

TEST(SharedBytesTest, CopiesShareTheBlockAndTheLastOneFreesIt) {
  SharedBytes first = SharedBytes::Copy("x");
  SharedBytes second = first;
  EXPECT_EQ(first.bytes().data(), second.bytes().data());
  first = SharedBytes();
  EXPECT_EQ(Text(second), "x");
  SharedBytes third = std::move(second);
  EXPECT_FALSE(second);  // NOLINT(bugprone-use-after-move): that it is empty is the point
  EXPECT_EQ(Text(third), "x");
  SharedBytes& same = third;
  third = same;
  EXPECT_EQ(Text(third), "x");
}

TEST(SharedBytesTest, IsSharedWhileThereIsAnotherReference) {
  const SharedBytes bytes = SharedBytes::Copy("bytes");
  EXPECT_FALSE(bytes.is_shared());
  {
    const SharedBytes other = bytes;
    EXPECT_TRUE(bytes.is_shared());
    EXPECT_TRUE(other.is_shared());
  }
  EXPECT_FALSE(bytes.is_shared());
}

}  // namespace
}  // namespace groupcast::service
