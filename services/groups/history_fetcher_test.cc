#include "services/groups/history_fetcher.h"

#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

HistoryPage PageWith(uint64_t floor, std::vector<uint64_t> previous = {}) {
  HistoryPage page{.head = {Epoch{7}, 9}, .floor = floor};
  for (const uint64_t offset : previous) {
    page.messages.emplace_back(Position{Epoch{7}, offset + 1}, offset, Content{});
  }
  return page;
}

TEST(HistoryPageTest, APageBeginsAfterItsFloorAndAfterThePredecessorOfItsFirstMessage) {
  EXPECT_EQ(PageWith(0, {5, 6}).begin(), 5u);
  EXPECT_EQ(PageWith(5, {5, 6}).begin(), 5u);
  EXPECT_EQ(PageWith(4, {3, 6}).begin(), 4u);
}

TEST(HistoryPageTest, APageWithoutMessagesBeginsAtTheHead) {
  EXPECT_EQ(PageWith(0).begin(), 9u);
  EXPECT_EQ(PageWith(9).begin(), 9u);
}

}  // namespace
}  // namespace groupcast::service
