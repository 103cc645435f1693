#include "services/common/heap_trim.h"

#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <fstream>
#include <memory>
#include <vector>

#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

constexpr size_t kMiB = 1 << 20;

class HeapTrimTest : public testing::Test {
 protected:
  // One look.
  void Look(size_t bytes) {
    bytes_ = bytes;
    now_ += HeapTrim::kLookEvery;
    trim_.OnTime(now_);
  }

  absl::Time now_ = absl::UnixEpoch();
  size_t bytes_ = 0;
  int trims_ = 0;
  HeapTrim trim_{[this] { return bytes_; }, [this] { ++trims_; }};
};

TEST_F(HeapTrimTest, TrimsOnceAfterABurst) {
  Look(100 * kMiB);
  Look(10 * kMiB);
  EXPECT_EQ(trims_, 0) << "it may grow again at once";
  Look(10 * kMiB);
  EXPECT_EQ(trims_, 1);
  for (int i = 0; i < 10; ++i) Look(10 * kMiB);
  EXPECT_EQ(trims_, 1);
  Look(50 * kMiB);
  Look(10 * kMiB);
  Look(10 * kMiB);
  EXPECT_EQ(trims_, 2);
}

TEST_F(HeapTrimTest, LeavesASteadyLoadAlone) {
  for (int i = 0; i < 20; ++i) {
    Look(100 * kMiB);
    Look(76 * kMiB);
    Look(76 * kMiB);
  }
  EXPECT_EQ(trims_, 0) << "a fall of less than a quarter";
  for (int i = 0; i < 20; ++i) {
    Look(100 * kMiB);
    Look(10 * kMiB);
  }
  EXPECT_EQ(trims_, 0) << "it comes back";
}

TEST_F(HeapTrimTest, ASmallFallIsNotWorthIt) {
  Look(HeapTrim::kFallBytesMin - 1);
  for (int i = 0; i < 3; ++i) Look(0);
  EXPECT_EQ(trims_, 0);
  Look(HeapTrim::kFallBytesMin);
  for (int i = 0; i < 3; ++i) Look(0);
  EXPECT_EQ(trims_, 1);
}

TEST_F(HeapTrimTest, LooksNowAndThen) {
  Look(100 * kMiB);
  bytes_ = 0;
  for (int i = 0; i < 100; ++i) trim_.OnTime(now_ + HeapTrim::kLookEvery / 2);
  EXPECT_EQ(trims_, 0);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

int64_t ResidentBytes() {
  int64_t all = 0;
  int64_t resident = 0;
  std::ifstream("/proc/self/statm") >> all >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

// The last block stays, and the C library alone would keep all memory before it.
TEST(HeapTrimOfTheProcessTest, ReturnsMemoryBeforeABlockInUse) {
  HeapTrim trim;
  absl::Time now = absl::UnixEpoch();
  const auto look = [&] {
    now += HeapTrim::kLookEvery;
    trim.OnTime(now);
  };
  std::vector<std::unique_ptr<char[]>> blocks;
  for (int i = 0; i < 2'000; ++i) {
    blocks.push_back(std::make_unique<char[]>(64 * 1024));
    std::memset(blocks.back().get(), 1, 64 * 1024);
  }
  look();
  blocks.erase(blocks.begin(), blocks.end() - 1);
  const int64_t kept = ResidentBytes();
  look();
  look();
  EXPECT_LT(ResidentBytes(), kept - int64_t{100 * kMiB});
}

#endif

}  // namespace
}  // namespace groupcast::service
