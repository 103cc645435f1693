#include "services/groups/recent_messages.h"

#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "services/groups/plain_encodings.h"

namespace groupcast::service {
namespace {

class FakeMember final : public Member {
 public:
  explicit FakeMember(const Encoding* encoding) : Member(ConnectionId{1}, encoding) {}
  void Send(const SharedBytes&, TrafficClass) override {}
  bool HasRoomFor(size_t) const override { return true; }
  void Disconnect(CloseCode, absl::string_view) override {}
  void ResumeCommands() override {}
};

EncodedMessage Text(uint64_t offset, uint64_t previous, const std::string& text) {
  return EncodedMessage({Epoch{1}, offset}, previous, {.data = text});
}

// What an empty message takes.
const size_t kBytes = Text(1, 0, "").bytes();

TEST(RecentMessagesTest, FindsWhatFollowsAPlaceInTheChain) {
  RecentMessages all;
  RecentMessages::Ring ring(&all);
  EXPECT_EQ(ring.After(0), std::nullopt);
  ring.Push(Text(10, 4, "a"));
  ring.Push(Text(12, 10, "b"));
  EXPECT_EQ(ring.After(4), 0u);
  EXPECT_EQ(ring.After(10), 1u);
  EXPECT_EQ(ring.After(12), 2u);
  for (const uint64_t offset : {0, 3, 5, 11, 13}) EXPECT_EQ(ring.After(offset), std::nullopt);
  ring.Clear();
  EXPECT_EQ(ring.After(12), std::nullopt);
  EXPECT_EQ(all.bytes(), 0u);
}

TEST(RecentMessagesTest, AGroupKeepsItsNewestWithinItsBounds) {
  RecentMessages all({.group_messages_max = 3, .group_bytes_max = 3 * kBytes + 10});
  RecentMessages::Ring ring(&all);
  for (uint64_t offset = 1; offset <= 5; ++offset) ring.Push(Text(offset, offset - 1, ""));
  EXPECT_EQ(ring.size(), 3u);
  EXPECT_EQ(ring.at(0).offset(), 3u);
  ring.Push(Text(6, 5, std::string(kBytes, 'x')));
  EXPECT_EQ(ring.size(), 2u);
  EXPECT_LE(all.bytes(), 3 * kBytes + 10);
  ring.Push(Text(7, 6, std::string(5 * kBytes, 'x')));  // too large by itself
  EXPECT_EQ(ring.size(), 0u);
  EXPECT_EQ(all.bytes(), 0u);
}

TEST(RecentMessagesTest, ForTheWorkersBoundTheGroupThatIsQuietForLongestGivesItsOldest) {
  RecentMessages all({.bytes_max = 3 * kBytes});
  auto a = std::make_unique<RecentMessages::Ring>(&all);
  RecentMessages::Ring b(&all);
  a->Push(Text(1, 0, ""));
  b.Push(Text(2, 0, ""));
  a->Push(Text(3, 1, ""));
  b.Push(Text(4, 2, ""));
  EXPECT_EQ(a->After(0), std::nullopt);
  EXPECT_EQ(a->After(1), 0u);
  EXPECT_EQ(b.After(0), 0u);
  b.Push(Text(5, 4, ""));
  EXPECT_EQ(a->size(), 0u);
  EXPECT_EQ(b.size(), 3u);
  b.Push(Text(6, 5, ""));
  EXPECT_EQ(b.After(0), std::nullopt);
  b.Clear();
  a->Push(Text(7, 3, ""));
  EXPECT_EQ(all.bytes(), kBytes);
  a.reset();  // a group that is gone takes its messages with it
  EXPECT_EQ(all.bytes(), 0u);
}

TEST(RecentMessagesTest, WhatFitsToTheByteStays) {
  RecentMessages all({.group_bytes_max = 3 * kBytes, .bytes_max = 3 * kBytes});
  RecentMessages::Ring ring(&all);
  for (uint64_t offset = 1; offset <= 3; ++offset) ring.Push(Text(offset, offset - 1, ""));
  EXPECT_EQ(ring.size(), 3u);
  ring.Push(Text(4, 3, ""));
  EXPECT_EQ(ring.size(), 3u);
}

TEST(RecentMessagesTest, AGroupThatWasClearedGivesNothingAndBeginsAnew) {
  RecentMessages all({.bytes_max = 2 * kBytes});
  RecentMessages::Ring a(&all);
  RecentMessages::Ring b(&all);
  a.Push(Text(1, 0, ""));
  a.Clear();
  for (uint64_t offset = 2; offset <= 4; ++offset) b.Push(Text(offset, offset - 1, ""));
  EXPECT_EQ(b.size(), 2u);
  EXPECT_EQ(all.bytes(), 2 * kBytes);
  a.Push(Text(5, 4, ""));
  EXPECT_EQ(a.size(), 1u);
  EXPECT_EQ(b.size(), 1u);
}

TEST(RecentMessagesTest, ABlockThatIsMadeLaterCountsForItsGroup) {
  RecentMessages all({.group_bytes_max = 2 * kBytes + 20});
  RecentMessages::Ring ring(&all);
  FakeMember v1(&kPlainV1Encoding);
  ring.Push(Text(1, 0, ""));
  const size_t grown = ring.BytesFor(0, "g", &v1).size();
  ASSERT_GT(grown, 20u);
  ring.Push(Text(2, 1, ""));
  EXPECT_EQ(ring.size(), 1u);
  EXPECT_EQ(all.bytes(), kBytes);
}

TEST(RecentMessagesTest, ABlockIsMadeOnceAndCounted) {
  RecentMessages all;
  RecentMessages::Ring ring(&all);
  ring.Push(Text(1, 0, "text"));
  const size_t before = all.bytes();
  FakeMember v1(&kPlainV1Encoding);
  FakeMember bare(&kPlainBareEncoding);
  const SharedBytes event = ring.BytesFor(0, "g", &v1);
  EXPECT_EQ(all.bytes(), before + event.size());
  EXPECT_EQ(ring.BytesFor(0, "g", &v1).bytes().data(), event.bytes().data());
  EXPECT_EQ(ring.BytesFor(0, "g", &bare).bytes(), "text");
  EXPECT_EQ(all.bytes(), before + event.size() + 4);
}

}  // namespace
}  // namespace groupcast::service
