#include "services/channel/group_id.h"

#include <string>

#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

TEST(GroupIdTest, AcceptsOneTo128Bytes) {
  EXPECT_EQ(GroupIdDefect("1"), "");
  EXPECT_EQ(GroupIdDefect(std::string(128, 'g')), "");
  EXPECT_EQ(GroupIdDefect("الغرفة رقم ١"), "");
  EXPECT_EQ(GroupIdDefect("a b/c?d#e"), "");
}

TEST(GroupIdTest, RefusesEmptyAndTooLong) {
  EXPECT_EQ(GroupIdDefect(""), "is empty");
  EXPECT_EQ(GroupIdDefect(std::string(129, 'g')), "is longer than 128 bytes");
}

// NUL ends the topic on the channel; with it inside, one group could read another's messages.
TEST(GroupIdTest, RefusesEveryControlCharacter) {
  for (int c = 0; c < 0x20; ++c) {
    EXPECT_EQ(GroupIdDefect(std::string(1, static_cast<char>(c))), "has a control character") << c;
  }
  EXPECT_EQ(GroupIdDefect("a\x7f"), "has a control character");
  EXPECT_EQ(GroupIdDefect("\xc2\x80"), "has a control character");
  EXPECT_EQ(GroupIdDefect("\xc2\x9f"), "has a control character");
  EXPECT_EQ(GroupIdDefect("\xc2\xa0"), "");
}

}  // namespace
}  // namespace groupcast::service
