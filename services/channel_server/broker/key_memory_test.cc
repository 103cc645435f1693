#include "services/channel_server/broker/key_memory.h"

#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

constexpr Fingerprint kKey{1, 2};
constexpr Fingerprint kOther{3, 4};
constexpr KeyMemoryOptions kOptions{.window = absl::Minutes(2), .keys_max = 2};
const absl::Time kStart = absl::UnixEpoch();

TEST(KeyMemoryTest, AKeyCountsForExactlyItsWindow) {
  KeyMemory keys(kOptions);
  keys.Remember(kKey, 7, kStart);
  keys.Expire(kStart + absl::Minutes(2) - absl::Nanoseconds(1), true);
  EXPECT_EQ(keys.Find(kKey), 7u);
  keys.Expire(kStart + absl::Hours(1), false);
  EXPECT_EQ(keys.Find(kKey), 7u);
  keys.Expire(kStart + absl::Minutes(2), true);
  EXPECT_EQ(keys.Find(kKey), std::nullopt);
  EXPECT_EQ(keys.size(), 0u);
}

TEST(KeyMemoryTest, OverTheNumberTheOldestGoes) {
  KeyMemory keys(kOptions);
  keys.Remember(kKey, 1, kStart);
  keys.Remember(kOther, 2, kStart);
  keys.Expire(kStart, false);
  EXPECT_EQ(keys.size(), 2u);
  keys.Remember({5, 6}, 3, kStart);
  keys.Expire(kStart, false);
  EXPECT_EQ(keys.Find(kKey), std::nullopt);
  EXPECT_EQ(keys.Find(kOther), 2u);
}

// Its message was taken back, and came again later: the later time counts.
TEST(KeyMemoryTest, AKeyThatIsRememberedAgainCountsFromThenOn) {
  KeyMemory keys(kOptions);
  keys.Remember(kKey, 1, kStart);
  keys.Forget(kKey);
  keys.Expire(kStart + absl::Minutes(1), true);
  keys.Remember(kKey, 2, kStart + absl::Minutes(1));
  keys.Expire(kStart + absl::Minutes(2), true);
  EXPECT_EQ(keys.Find(kKey), 2u);
  keys.Expire(kStart + absl::Minutes(3), true);
  EXPECT_EQ(keys.Find(kKey), std::nullopt);
}

TEST(KeyMemoryTest, AForgottenKeyExpiresWithoutATrace) {
  KeyMemory keys(kOptions);
  keys.Remember(kKey, 1, kStart);
  keys.Remember(kOther, 2, kStart);
  keys.Forget(kKey);
  keys.Expire(kStart + absl::Minutes(2), true);
  EXPECT_EQ(keys.size(), 0u);
}

TEST(KeyMemoryTest, NothingIsLeftAfterAClear) {
  KeyMemory keys({.keys_max = 1});
  keys.Remember(kKey, 1, kStart);
  keys.Clear();
  EXPECT_EQ(keys.Find(kKey), std::nullopt);
  keys.Remember(kKey, 2, kStart);
  keys.Expire(kStart, false);
  EXPECT_EQ(keys.Find(kKey), 2u);
}

}  // namespace
}  // namespace groupcast::service
