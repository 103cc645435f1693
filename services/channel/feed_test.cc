#include "services/channel/feed.h"

#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

constexpr Epoch kEpoch{7};
constexpr Epoch kOther{8};

Position At(uint64_t offset) { return {kEpoch, offset}; }

Feed WarmFeed(uint64_t offset) {
  Feed feed;
  feed.OnHead(At(offset));
  return feed;
}

// They are part of the head that will be announced; delivering them would put them before the
// join's position.
TEST(FeedTest, DropsWhatComesBeforeTheFirstAnnouncement) {
  Feed feed;
  EXPECT_EQ(feed.OnMessage(At(5), 4), Feed::Verdict::kDrop);
  EXPECT_FALSE(feed.warm());
  EXPECT_EQ(feed.OnHead(At(5)), Feed::HeadVerdict::kWarm);
  EXPECT_EQ(feed.position(), At(5));
}

TEST(FeedTest, DeliversAChainWhoseOffsetsSkip) {
  Feed feed = WarmFeed(5);
  EXPECT_EQ(feed.OnMessage(At(9), 5), Feed::Verdict::kDeliver);
  EXPECT_EQ(feed.OnMessage(At(10), 9), Feed::Verdict::kDeliver);
  EXPECT_EQ(feed.position(), At(10));
}

TEST(FeedTest, DropsAMessageThatCameAlready) {
  Feed feed = WarmFeed(5);
  EXPECT_EQ(feed.OnMessage(At(6), 5), Feed::Verdict::kDeliver);
  EXPECT_EQ(feed.OnMessage(At(6), 5), Feed::Verdict::kDrop);
  EXPECT_EQ(feed.OnMessage(At(5), 4), Feed::Verdict::kDrop);
  EXPECT_EQ(feed.position(), At(6));
}

TEST(FeedTest, NamesTheGapBeforeAMessageWhosePredecessorIsUnknown) {
  Feed feed = WarmFeed(5);
  EXPECT_EQ(feed.OnMessage(At(9), 8), Feed::Verdict::kGap);
  EXPECT_FALSE(feed.gap().new_epoch);
  EXPECT_EQ(feed.gap().from, 5u);
  EXPECT_EQ(feed.gap().to, 8u);
  EXPECT_EQ(feed.position(), At(9));
  EXPECT_EQ(feed.OnMessage(At(10), 9), Feed::Verdict::kDeliver);
}

// Its predecessor is older than what was delivered: it does not come after that, whatever its
// offset says.
TEST(FeedTest, AMessageThatSkipsWhatWasDeliveredIsOfAnotherHistory) {
  Feed feed = WarmFeed(5);
  EXPECT_EQ(feed.OnMessage(At(9), 3), Feed::Verdict::kGap);
  EXPECT_EQ(feed.gap().from, 5u);
  EXPECT_EQ(feed.gap().to, 3u);
}

TEST(FeedTest, AnAnnouncementOfWhatWasDeliveredChangesNothing) {
  Feed feed = WarmFeed(5);
  EXPECT_EQ(feed.OnHead(At(5)), Feed::HeadVerdict::kInStep);
  feed.OnMessage(At(6), 5);
  EXPECT_EQ(feed.OnHead(At(5)), Feed::HeadVerdict::kInStep);
  EXPECT_EQ(feed.position(), At(6));
}

TEST(FeedTest, AnAnnouncementAheadShowsALostTail) {
  Feed feed = WarmFeed(5);
  EXPECT_EQ(feed.OnHead(At(8)), Feed::HeadVerdict::kGap);
  EXPECT_EQ(feed.gap().from, 5u);
  EXPECT_EQ(feed.gap().to, 8u);
  EXPECT_EQ(feed.OnMessage(At(9), 8), Feed::Verdict::kDeliver);
}

TEST(FeedTest, ANewEpochIsAGapWhicheverComesFirst) {
  Feed announced = WarmFeed(5);
  EXPECT_EQ(announced.OnHead({kOther, 2}), Feed::HeadVerdict::kGap);
  EXPECT_TRUE(announced.gap().new_epoch);
  EXPECT_EQ(announced.gap().to, 2u);
  EXPECT_EQ(announced.OnMessage({kOther, 3}, 2), Feed::Verdict::kDeliver);

  Feed surprised = WarmFeed(5);
  EXPECT_EQ(surprised.OnMessage({kOther, 3}, 2), Feed::Verdict::kGap);
  EXPECT_TRUE(surprised.gap().new_epoch);
  EXPECT_EQ(surprised.gap().to, 2u);
  EXPECT_EQ(surprised.OnHead({kOther, 3}), Feed::HeadVerdict::kInStep);
}

}  // namespace
}  // namespace groupcast::service
