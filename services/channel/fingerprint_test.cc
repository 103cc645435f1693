#include "services/channel/fingerprint.h"

#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

TEST(Fingerprint, IsTheSameForTheSameTexts) {
  EXPECT_EQ(FingerprintOf({"session", "group", "key"}), FingerprintOf({"session", "group", "key"}));
}

TEST(Fingerprint, TellsApartWhereOneTextEndsAndTheNextBegins) {
  EXPECT_NE(FingerprintOf({"ab", "c"}), FingerprintOf({"a", "bc"}));
  EXPECT_NE(FingerprintOf({"ab"}), FingerprintOf({"ab", ""}));
}

TEST(Fingerprint, OfATextIsNeverThatOfNone) {
  EXPECT_TRUE(Fingerprint{}.empty());
  EXPECT_FALSE(FingerprintOf({""}).empty());
}

// Logs keep fingerprints, so a later version must make the same ones. The value was made with
// sha256sum(1) over 01 00 00 00 00 00 00 00 61.
TEST(Fingerprint, StaysTheSameOverVersions) {
  const Fingerprint a = FingerprintOf({"a"});
  EXPECT_EQ(a.high, 0xf655a58bc82161aeu);
  EXPECT_EQ(a.low, 0x9d79eb2321813d4cu);
}

}  // namespace
}  // namespace groupcast::service
