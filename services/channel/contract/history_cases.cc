// History.

#include "services/channel/contract/channel_contract.h"

namespace groupcast::service::contract {
namespace {

constexpr size_t kLargeBytes = 16 * 1024;

}  // namespace

TEST_P(ChannelContractTest, HistoryIsWhatCameAfterAPosition) {
  const auto peer = Connect();
  const std::vector<Position> positions = PublishMany(peer.get(), "g", 5, 1);
  PublishAndWait(peer.get(), "other", "x");
  const absl::StatusOr<History> history = peer->FetchHistory("g", positions[1], 0);
  ASSERT_TRUE(history.ok()) << history.status();
  EXPECT_EQ(history->head, positions[4]);
  EXPECT_LE(history->floor, positions[0].offset);
  ASSERT_EQ(history->messages.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(history->messages[i].offset, positions[i + 2].offset);
    EXPECT_EQ(history->messages[i].previous, positions[i + 1].offset);
  }
  EXPECT_TRUE(peer->FetchHistory("g", positions[4], 0)->messages.empty());
}

TEST_P(ChannelContractTest, HistoryOfTheNewestEndsAtTheHead) {
  const auto peer = Connect();
  const std::vector<Position> positions = PublishMany(peer.get(), "g", 5, 1);
  const absl::StatusOr<History> two = peer->FetchHistory("g", {positions[0].epoch, 0}, 2);
  ASSERT_TRUE(two.ok()) << two.status();
  ASSERT_EQ(two->messages.size(), 2u);
  EXPECT_EQ(two->messages[0].offset, positions[3].offset);
  EXPECT_EQ(two->messages[1].offset, positions[4].offset);
  // Not more than there are after the position.
  EXPECT_EQ(peer->FetchHistory("g", positions[3], 100)->messages.size(), 1u);
  EXPECT_EQ(peer->FetchHistory("g", {positions[0].epoch, 0}, 100)->messages.size(), 5u);
}

TEST_P(ChannelContractTest, APositionOfAnotherEpochIsBeforeAllMessages) {
  const auto peer = Connect();
  const std::vector<Position> positions = PublishMany(peer.get(), "g", 3, 1);
  const Epoch other{static_cast<uint64_t>(positions[0].epoch) + 1};
  const absl::StatusOr<History> history = peer->FetchHistory("g", {other, positions[2].offset}, 0);
  ASSERT_TRUE(history.ok()) << history.status();
  EXPECT_EQ(history->messages.size(), 3u);
  EXPECT_EQ(history->head, positions[2]);
  EXPECT_EQ(peer->FetchHistory("g", {other, positions[2].offset}, 1)->messages.size(), 1u);
}

TEST_P(ChannelContractTest, HistoryOfAGroupWithoutMessagesIsEmpty) {
  const auto peer = Join("g");
  const absl::StatusOr<History> history = peer->FetchHistory("g", {}, 0);
  ASSERT_TRUE(history.ok()) << history.status();
  EXPECT_TRUE(history->messages.empty());
  EXPECT_EQ(history->head, peer->position("g"));
}

// "If the last one is below the head, there are more."
TEST_P(ChannelContractTest, HistoryComesPageByPage) {
  const auto peer = Connect();
  const std::vector<Position> positions = PublishMany(peer.get(), "g", 30, kLargeBytes);
  std::vector<uint64_t> offsets;
  Position after{positions[0].epoch, 0};
  int pages = 0;
  for (; after.offset < positions.back().offset && pages < 30; ++pages) {
    const absl::StatusOr<History> page = peer->FetchHistory("g", after, 0);
    ASSERT_TRUE(page.ok()) << page.status();
    ASSERT_FALSE(page->messages.empty());
    EXPECT_EQ(page->head, positions.back());
    if (pages > 0) {
      EXPECT_EQ(page->messages[0].previous, after.offset);
    }
    for (const History::Entry& entry : page->messages) offsets.push_back(entry.offset);
    after.offset = page->messages.back().offset;
  }
  EXPECT_GT(pages, 1);
  ASSERT_EQ(offsets.size(), 30u);
  for (size_t i = 0; i < 30; ++i) EXPECT_EQ(offsets[i], positions[i].offset);
  // The newest are fewer if one answer cannot carry them, but they end at the head.
  const absl::StatusOr<History> newest = peer->FetchHistory("g", {positions[0].epoch, 0}, 30);
  ASSERT_TRUE(newest.ok()) << newest.status();
  ASSERT_FALSE(newest->messages.empty());
  EXPECT_EQ(newest->messages.back().offset, positions.back().offset);
}

// The floor says from where on history is complete.
TEST_P(ChannelContractTest, WhatLeavesRetentionRaisesTheFloor) {
  const auto peer = Connect();
  const Position first = PublishAndWait(peer.get(), "g", "first");
  absl::StatusOr<History> history;
  Position last;
  for (int i = 0; i < 10; ++i) {
    last = PublishMany(peer.get(), "g", 25, kLargeBytes).back();
    history = peer->FetchHistory("g", {first.epoch, 0}, 0);
    ASSERT_TRUE(history.ok()) << history.status();
    if (history->floor >= first.offset) break;
    ASSERT_FALSE(history->messages.empty());
    EXPECT_EQ(history->messages[0].offset, first.offset) << "it left without raising the floor";
  }
  ASSERT_GE(history->floor, first.offset);
  EXPECT_EQ(history->head, last);
  ASSERT_FALSE(history->messages.empty());
  EXPECT_EQ(history->messages[0].previous, history->floor);
  const absl::StatusOr<History> complete =
      peer->FetchHistory("g", {first.epoch, history->floor}, 0);
  ASSERT_TRUE(complete.ok()) << complete.status();
  ASSERT_FALSE(complete->messages.empty());
  EXPECT_EQ(complete->messages[0].previous, history->floor);
}

TEST_P(ChannelContractTest, HistoryIsUnavailableWithoutAConnection) {
  const auto peer = Join("g");
  DisconnectAll({peer.get()});
  const auto answer = peer->AskHistory("g", {}, 0);
  ASSERT_TRUE(RunUntil([&] { return answer->times > 0; }));
  EXPECT_EQ(answer->history.status().code(), absl::StatusCode::kUnavailable);
}

TEST_P(ChannelContractTest, AQuestionWhoseConnectionIsLostIsAnsweredOnce) {
  const auto peer = Join("g");
  const auto answer = peer->AskHistory("g", {}, 0);
  DisconnectAll({peer.get()});
  ASSERT_TRUE(RunUntil([&] { return answer->times > 0; }));
  if (!answer->history.ok()) {
    EXPECT_EQ(answer->history.status().code(), absl::StatusCode::kUnavailable);
  }
  engine_->Reconnect();
  ASSERT_TRUE(RunUntil([&] { return peer->is_told_connected(); }));
  Settle(peer.get());
  EXPECT_EQ(answer->times, 1);
}

}  // namespace groupcast::service::contract
