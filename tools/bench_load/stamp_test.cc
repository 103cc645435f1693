#include "tools/bench_load/stamp.h"

#include <string>

#include "gtest/gtest.h"

namespace groupcast::bench {
namespace {

std::string Written(const Stamp& stamp) {
  std::string text(kStampBytes, '?');
  WriteStamp(stamp, text.data());
  return text;
}

TEST(Stamp, ReadsWhatWasWritten) {
  for (const Stamp& stamp : {Stamp{}, Stamp{1, 2, 3}, Stamp{0xffffffff, 0x89abcdef, INT64_MAX},
                             Stamp{0x10, 0x1000000, 0x0123456789abcdef}}) {
    EXPECT_EQ(ReadStamp(Written(stamp)), stamp);
    EXPECT_EQ(ReadStamp(Written(stamp) + "padding"), stamp);
  }
}

TEST(Stamp, IsWrittenAsTheLettersAToP) {
  EXPECT_EQ(Written({0x01234567, 0x89abcdef, 0}), "ABCDEFGHIJKLMNOPAAAAAAAAAAAAAAAA");
}

TEST(Stamp, IsNothingThatIsTooShort) {
  EXPECT_EQ(ReadStamp(Written({1, 2, 3}).substr(0, kStampBytes - 1)), std::nullopt);
  EXPECT_EQ(ReadStamp(""), std::nullopt);
}

TEST(Stamp, IsNothingWithAByteThatIsNoDigitAnywhere) {
  for (size_t at = 0; at < kStampBytes; ++at) {
    for (int byte = 0; byte < 256; ++byte) {
      if (byte >= 'A' && byte <= 'P') continue;
      std::string text = Written({0, 0xffffffff, 5});
      text[at] = static_cast<char>(byte);
      EXPECT_EQ(ReadStamp(text), std::nullopt) << byte << " at " << at;
    }
  }
}

}  // namespace
}  // namespace groupcast::bench
