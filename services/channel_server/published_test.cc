#include "services/channel_server/published.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <thread>

#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

struct Numbers {
  uint64_t one;
  double two;
  std::array<uint64_t, 3> three;
};

TEST(PublishedTest, ReadersGetTheNewestValue) {
  Published<Numbers> published;
  EXPECT_EQ(published.Read().one, 0u);
  EXPECT_EQ(published.Read().two, 0);
  published.Publish({.one = 7, .two = 0.5, .three = {1, 2, UINT64_MAX}});
  published.Publish({.one = 8, .two = 0.25, .three = {3, 4, UINT64_MAX}});
  EXPECT_EQ(published.Read().one, 8u);
  EXPECT_EQ(published.Read().two, 0.25);
  EXPECT_EQ(published.Read().three, (std::array<uint64_t, 3>{3, 4, UINT64_MAX}));
}

// ThreadSanitizer sees a race here if there is one.
TEST(PublishedTest, EachNumberIsWholeAndNeverOlderThanBefore) {
  Published<Numbers> published;
  constexpr uint64_t kLast = 20'000;
  constexpr uint64_t kTwice = (uint64_t{1} << 32) + 1;  // both halves of a word
  std::atomic<bool> begun{false};
  std::thread writer([&] {
    while (!begun) std::this_thread::yield();
    for (uint64_t i = 1; i <= kLast; ++i) {
      published.Publish({.one = i * kTwice, .two = static_cast<double>(i), .three = {i, i, i}});
    }
  });
  uint64_t before = 0;
  int defects = 0;
  do {
    begun = true;
    const uint64_t word = published.Read().one;
    if (word / kTwice * kTwice != word || word / kTwice < before) ++defects;
    before = word / kTwice;
  } while (before < kLast);
  writer.join();
  EXPECT_EQ(defects, 0);
}

}  // namespace
}  // namespace groupcast::service
