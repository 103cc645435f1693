#include "services/common/utf8.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

bool IsUtf8(absl::string_view text) {
  Utf8Checker checker;
  return checker.Check(text) && checker.complete();
}

std::string Encode(uint32_t point) {
  const auto byte = [](uint32_t value) { return std::string(1, static_cast<char>(value)); };
  const auto tail = [&](int shift) { return byte(0x80 | (point >> shift & 0x3f)); };
  if (point < 0x80) return byte(point);
  if (point < 0x800) return byte(0xc0 | point >> 6) + tail(0);
  if (point < 0x10000) return byte(0xe0 | point >> 12) + tail(6) + tail(0);
  return byte(0xf0 | point >> 18) + tail(12) + tail(6) + tail(0);
}

TEST(Utf8Test, AcceptsEveryCodePointAndNoSurrogate) {
  for (uint32_t point = 0; point <= 0x10ffff; ++point) {
    const bool surrogate = point >= 0xd800 && point <= 0xdfff;
    ASSERT_EQ(IsUtf8(Encode(point)), !surrogate) << std::hex << point;
  }
  EXPECT_FALSE(IsUtf8(Encode(0x110000)));
}

TEST(Utf8Test, RefusesOverlongForms) {
  for (const char* text : {"\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xe0\x9f\xbf",
                           "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf"}) {
    EXPECT_FALSE(IsUtf8(text));
  }
}

TEST(Utf8Test, RefusesAContinuationWithoutBeginningAndABeginningWithoutContinuation) {
  for (const char* text : {"\x80", "a\xbf", "\xc3",
                           "\xc3"
                           "a",
                           "\xe2\x82", "\xf0\x9f\x98", "\xff", "\xfe"}) {
    EXPECT_FALSE(IsUtf8(text));
  }
}

TEST(Utf8Test, RefusesAtTheFirstByteThatMakesItCertain) {
  Utf8Checker checker;
  EXPECT_TRUE(checker.Check("\xed"));
  EXPECT_FALSE(checker.Check("\xa0"));  // a surrogate, whatever follows
}

TEST(Utf8Test, GivesTheSameVerdictHoweverTheTextIsCut) {
  const std::string text =
      "plain ASCII of some length, الرسالة, 漢字, \xf0\x9f\x98\x80 and more ASCII";
  for (size_t cut = 0; cut <= text.size(); ++cut) {
    Utf8Checker checker;
    EXPECT_TRUE(checker.Check(absl::string_view(text).substr(0, cut)));
    EXPECT_TRUE(checker.Check(absl::string_view(text).substr(cut)));
    EXPECT_TRUE(checker.complete());
  }
}

TEST(Utf8Test, FindsABadByteAtEveryDistanceFromTheStart) {
  for (size_t at = 0; at < 40; ++at) {
    std::string text(40, 'a');
    text[at] = '\xff';
    EXPECT_FALSE(IsUtf8(text)) << at;
  }
}

TEST(Utf8CharacterBytesTest, MeasuresTheFirstCharacter) {
  EXPECT_EQ(Utf8CharacterBytes("ab"), 1u);
  EXPECT_EQ(Utf8CharacterBytes("\u0627b"), 2u);
  EXPECT_EQ(Utf8CharacterBytes("\u20acb"), 3u);
  EXPECT_EQ(Utf8CharacterBytes("\U0001f600b"), 4u);
  EXPECT_EQ(Utf8CharacterBytes(absl::string_view("\0", 1)), 1u);
}

TEST(Utf8CharacterBytesTest, NoCharacterHasNoBytes) {
  EXPECT_EQ(Utf8CharacterBytes(""), 0u);
  EXPECT_EQ(Utf8CharacterBytes("\xd8"), 0u);          // the rest is missing
  EXPECT_EQ(Utf8CharacterBytes("\x80"), 0u);          // a continuation byte
  EXPECT_EQ(Utf8CharacterBytes("\xc0\xaf"), 0u);      // an overlong form
  EXPECT_EQ(Utf8CharacterBytes("\xed\xa0\x80"), 0u);  // a surrogate
}

}  // namespace
}  // namespace groupcast::service
