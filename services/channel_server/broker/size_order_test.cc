#include "services/channel_server/broker/size_order.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <random>

#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

TEST(SizeOrderTest, NothingIsInItAtFirst) {
  SizeOrder order;
  EXPECT_EQ(order.LargestExcept(nullptr), nullptr);
}

TEST(SizeOrderTest, TheLargestComesFirstAndLeavesWhenItShrinks) {
  SizeOrder order;
  SizeOrder::Item small;
  SizeOrder::Item large;
  order.Resize(&small, 1'000);
  order.Resize(&large, 2'000);
  EXPECT_EQ(order.LargestExcept(nullptr), &large);
  EXPECT_EQ(order.LargestExcept(&large), &small);
  order.Resize(&large, 500);
  EXPECT_EQ(order.LargestExcept(nullptr), &small);
  order.Resize(&small, 0);
  EXPECT_EQ(order.LargestExcept(nullptr), &large);
  EXPECT_EQ(order.LargestExcept(&large), nullptr);
  order.Resize(&large, 0);
  EXPECT_EQ(order.LargestExcept(nullptr), nullptr);
}

TEST(SizeOrderTest, TakesEverySize) {
  SizeOrder order;
  SizeOrder::Item item;
  for (const size_t size : {size_t{1}, size_t{2}, size_t{3}, size_t{4}, SIZE_MAX / 2, SIZE_MAX}) {
    order.Resize(&item, size);
    EXPECT_EQ(order.LargestExcept(nullptr), &item) << size;
    order.Resize(&item, 0);
    EXPECT_EQ(order.LargestExcept(nullptr), nullptr) << size;
  }
}

TEST(SizeOrderTest, SizesThatDifferByMoreThanAQuarterAreInOrder) {
  std::array<SizeOrder::Item, 2> items;
  SizeOrder order;
  for (size_t size = 1; size < 1'000; ++size) {
    for (const size_t larger : {size + size / 4 + 1, 2 * size}) {
      for (SizeOrder::Item& item : items) {
        order.Resize(&items[0], size);
        order.Resize(&items[1], size);
        order.Resize(&item, larger);
        EXPECT_EQ(order.LargestExcept(nullptr), &item) << size << " and " << larger;
      }
    }
  }
}

// Whatever the order of the changes.
TEST(SizeOrderTest, TheFirstIsNeverMuchSmallerThanAnother) {
  std::mt19937 random(1);
  SizeOrder order;
  std::array<SizeOrder::Item, 50> items;
  for (int step = 0; step < 20'000; ++step) {
    SizeOrder::Item* const item = &items[random() % items.size()];
    order.Resize(item, random() % 3 == 0 ? 0 : random() >> (random() % 32));
    const auto largest =
        std::max_element(items.begin(), items.end(),
                         [](const auto& a, const auto& b) { return a.size() < b.size(); });
    const SizeOrder::Item* const first = order.LargestExcept(nullptr);
    if (largest->size() == 0) {
      ASSERT_EQ(first, nullptr);
      continue;
    }
    ASSERT_NE(first, nullptr);
    ASSERT_GT(first->size(), largest->size() - largest->size() / 4 - 1) << "step " << step;
  }
  for (SizeOrder::Item& item : items) order.Resize(&item, 0);
}

}  // namespace
}  // namespace groupcast::service
