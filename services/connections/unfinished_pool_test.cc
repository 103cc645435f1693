#include "services/connections/unfinished_pool.h"

#include <algorithm>
#include <deque>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

constexpr size_t kBound = 1'000'000;
const absl::Time kBegin = absl::UnixEpoch() + absl::Hours(1);
constexpr PeerAddress kHere{1};
constexpr PeerAddress kThere{2};

class UnfinishedPoolTest : public testing::Test {
 protected:
  ~UnfinishedPoolTest() override {
    for (UnfinishedNode& node : nodes_) pool_.Remove(&node);
  }

  UnfinishedNode* Begin(PeerAddress address, size_t bytes, absl::Time now) {
    UnfinishedNode* const node = &nodes_.emplace_back();
    pool_.Add(node, address, now);
    pool_.SetBytes(node, bytes);
    return node;
  }

  UnfinishedPool pool_{kBound};
  std::deque<UnfinishedNode> nodes_;
};

TEST_F(UnfinishedPoolTest, WithinTheBoundNobodyGoes) {
  UnfinishedNode* const node = Begin(kHere, kBound, kBegin);
  EXPECT_EQ(pool_.Victim(kBegin + absl::Hours(1)), nullptr);
  pool_.SetBytes(node, kBound + 1);
  EXPECT_EQ(pool_.Victim(kBegin), node) << "there is no other";
  pool_.Remove(node);
  EXPECT_FALSE(node->has_unfinished());
  EXPECT_EQ(pool_.bytes(), 0u);
  EXPECT_EQ(pool_.Victim(kBegin), nullptr);
}

// The large message of an honest client is not the one that goes, also if the others have come a
// moment before and from the same address.
TEST_F(UnfinishedPoolTest, ManySmallOnesThatStandStillGoBeforeALargeOneThatComes) {
  std::vector<UnfinishedNode*> attackers;
  for (int i = 0; i < 1'000; ++i) attackers.push_back(Begin(kHere, kBound / 1'000, kBegin));
  UnfinishedNode* const honest = Begin(kHere, 60'000, kBegin + absl::Milliseconds(1));
  size_t closed = 0;
  while (UnfinishedNode* const victim = pool_.Victim(kBegin + absl::Milliseconds(1))) {
    ASSERT_EQ(victim, attackers[closed++]);
    pool_.Remove(victim);
  }
  EXPECT_EQ(closed, 60u);
  EXPECT_TRUE(honest->has_unfinished());
}

TEST_F(UnfinishedPoolTest, TheOneFurthestBehindThePaceGoesFirst) {
  UnfinishedNode* const paced = Begin(kHere, 400'000, kBegin);
  UnfinishedNode* const slow = Begin(kHere, 100'000, kBegin + absl::Seconds(1));
  UnfinishedNode* const slower = Begin(kHere, 50'000, kBegin + absl::Seconds(2));
  UnfinishedNode* const fresh = Begin(kHere, 500'000, kBegin + absl::Seconds(10));
  const absl::Time now = kBegin + absl::Seconds(10);
  EXPECT_EQ(pool_.Victim(now), slower);
  pool_.Remove(slower);
  EXPECT_EQ(pool_.Victim(now), nullptr);
  pool_.SetBytes(fresh, 600'000);
  EXPECT_EQ(pool_.Victim(now), slow);
  pool_.Remove(slow);
  pool_.SetBytes(fresh, 700'000);
  EXPECT_EQ(pool_.Victim(now), paced) << "none is behind: it began first";
}

TEST_F(UnfinishedPoolTest, AByteNowAndThenKeepsNoMessage) {
  UnfinishedNode* const trickling = Begin(kHere, 1, kBegin);
  Begin(kHere, kBound, kBegin + absl::Seconds(1));
  for (size_t bytes = 2; bytes < 100; ++bytes) pool_.SetBytes(trickling, bytes);
  EXPECT_EQ(pool_.Victim(kBegin + absl::Seconds(1)), trickling);
}

TEST_F(UnfinishedPoolTest, AnAddressWithMoreThanAQuarterPaysFirst) {
  UnfinishedNode* const slow_there = Begin(kThere, 200'000, kBegin);
  UnfinishedNode* const first_here = Begin(kHere, 400'000, kBegin + absl::Minutes(1));
  Begin(kHere, 500'000, kBegin + absl::Minutes(1));
  const absl::Time now = kBegin + absl::Minutes(1);
  EXPECT_EQ(pool_.Victim(now), first_here);
  EXPECT_NE(pool_.Victim(now), slow_there);
}

// Whoever spreads over many addresses does not make the honest address the largest.
TEST_F(UnfinishedPoolTest, WithoutALargeShareTheAddressDoesNotCount) {
  UnfinishedNode* const first = Begin(PeerAddress{1'000}, 9'900, kBegin);
  for (uint64_t i = 1; i < 100; ++i) Begin(PeerAddress{1'000 + i}, 9'900, kBegin);
  UnfinishedNode* const honest = Begin(kHere, 60'000, kBegin + absl::Milliseconds(1));
  const absl::Time now = kBegin + absl::Milliseconds(1);
  int closed = 0;
  EXPECT_EQ(pool_.Victim(now), first);
  for (; UnfinishedNode* const victim = pool_.Victim(now); ++closed) {
    ASSERT_NE(victim, honest);
    pool_.Remove(victim);
  }
  EXPECT_EQ(closed, 6);
}

TEST_F(UnfinishedPoolTest, AMessageThatBeginsAnewIsYoung) {
  UnfinishedNode* const streaming = Begin(kHere, 500'000, kBegin);
  UnfinishedNode* const other = Begin(kHere, 500'000, kBegin + absl::Seconds(1));
  pool_.Remove(streaming);
  pool_.Add(streaming, kHere, kBegin + absl::Seconds(2));
  pool_.SetBytes(streaming, 600'000);
  EXPECT_EQ(pool_.Victim(kBegin + absl::Seconds(2)), other);
}

// Against a slow and simple pool.
TEST_F(UnfinishedPoolTest, RandomCallsAgreeWithASearchOfAll) {
  struct Simple {
    UnfinishedNode* node;
    PeerAddress address;
    absl::Time began;
    size_t bytes;
  };
  std::mt19937 random(7);
  std::vector<Simple> simple;
  absl::Time now = kBegin;
  int victims = 0;
  for (int step = 0; step < 20'000; ++step) {
    now += absl::Milliseconds(random() % 50);
    if (simple.empty() || random() % 3 == 0) {
      const PeerAddress address{random() % 6};
      const size_t bytes = random() % 60'000;
      simple.push_back({Begin(address, bytes, now), address, now, bytes});
    } else if (random() % 4 != 0) {
      Simple& one = simple[random() % simple.size()];
      one.bytes += random() % 60'000;
      pool_.SetBytes(one.node, one.bytes);
    } else {
      const size_t index = random() % simple.size();
      pool_.Remove(simple[index].node);
      simple.erase(simple.begin() + static_cast<ptrdiff_t>(index));
    }
    size_t total = 0;
    for (const Simple& one : simple) total += one.bytes;
    ASSERT_EQ(pool_.bytes(), total);
    UnfinishedNode* const victim = pool_.Victim(now);
    ASSERT_EQ(victim != nullptr, total > kBound);
    if (victim == nullptr) continue;
    ++victims;

    size_t shares[6] = {};
    for (const Simple& one : simple) shares[static_cast<size_t>(one.address)] += one.bytes;
    const size_t largest = *std::max_element(std::begin(shares), std::end(shares));
    const auto behind_for = [&](const Simple& one) {
      const absl::Duration allowed = absl::Seconds(static_cast<double>(one.bytes) / (16 << 10));
      return now - one.began - std::max(allowed, absl::Seconds(1));
    };
    const auto looked_at = [&](const Simple& one) {
      return largest <= kBound / 4 || shares[static_cast<size_t>(one.address)] == largest;
    };
    const Simple* first = nullptr;  // in the order of their begin
    const Simple* slowest = nullptr;
    const Simple* chosen = nullptr;
    for (const Simple& one : simple) {
      if (one.node == victim) chosen = &one;
      if (!looked_at(one)) continue;
      if (first == nullptr) first = &one;
      if (slowest == nullptr || behind_for(one) > behind_for(*slowest)) slowest = &one;
    }
    ASSERT_NE(chosen, nullptr);
    ASSERT_TRUE(looked_at(*chosen)) << step;
    if (behind_for(*slowest) >= absl::ZeroDuration()) {
      ASSERT_EQ(behind_for(*chosen), behind_for(*slowest)) << step;
    } else {
      ASSERT_EQ(chosen, first) << step;
    }
    pool_.Remove(victim);
    std::erase_if(simple, [&](const Simple& one) { return one.node == victim; });
  }
  EXPECT_GT(victims, 100);
}

}  // namespace
}  // namespace groupcast::service
