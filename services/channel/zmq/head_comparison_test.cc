// How a ChannelClient compares all heads: page by page.

#include "services/channel/zmq/head_comparison.h"

#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/channel/zmq/channel_client.h"
#include "services/channel/zmq/channel_client_harness.h"

namespace groupcast::service {
namespace {

class HeadComparisonTest : public ChannelClientTest {
 protected:
  // Connected, with groups g0, g1, … of head 5, and nothing to be compared.
  void JoinGroups(int count) {
    Connect();
    for (int i = 0; i < count; ++i) Join(absl::StrCat("g", i), 5);
  }
  // Answers the oldest page with nothing new. Returns its groups.
  std::vector<std::string> AnswerPage() {
    const channel::v1::CompareHeads page = TakeCompare();
    std::vector<std::string> groups;
    for (const channel::v1::Head& head : page.heads()) groups.push_back(head.group_id());
    Heads(page);
    return groups;
  }
};

TEST_F(HeadComparisonTest, AFewPagesAreUnderWayAtATime) {
  JoinGroups(3'001);
  Digest(7);
  std::set<std::string> groups;
  size_t pages = 0;
  for (; !links_.controls.empty(); ++pages) {
    EXPECT_EQ(links_.controls.size(), std::min<size_t>(4, 7 - pages));
    for (const std::string& group_id : AnswerPage()) {
      EXPECT_TRUE(groups.insert(group_id).second) << group_id;
    }
  }
  EXPECT_EQ(pages, 7u);
  EXPECT_EQ(groups.size(), 3'001u);
  EXPECT_EQ(client_.counters().resyncs, 2u);  // with that of the hello
}

// The groups that were compared before the new reason are compared again, at the end.
TEST_F(HeadComparisonTest, ANewReasonGoesOnWhereTheComparisonStandsAndOnceAround) {
  JoinGroups(5'000);
  Digest(7);
  EXPECT_EQ(AnswerPage().front(), "g0");
  EXPECT_EQ(links_.controls.size(), 4u);
  Digest(9);
  EXPECT_EQ(links_.controls.size(), 4u);  // none is added
  std::multiset<std::string> groups;
  while (!links_.controls.empty()) {
    for (const std::string& group_id : AnswerPage()) groups.insert(group_id);
  }
  // 2,500 had been asked about: four pages of them were still without an answer.
  EXPECT_EQ(groups.size(), 5'000u + 2'000u);
  for (int i = 0; i < 5'000; ++i) EXPECT_GE(groups.count(absl::StrCat("g", i)), 1u) << i;
}

TEST_F(HeadComparisonTest, APageWithoutAnAnswerIsSentAgainUnlessAllBeginsAnew) {
  JoinGroups(1);
  Digest(7);
  TakeCompare();
  Pass(absl::Seconds(5));
  EXPECT_EQ(links_.controls.size(), 1u);
  TakeCompare();
  Digest(9);
  TakeCompare();  // the new one's
  Pass(absl::Seconds(5));
  EXPECT_EQ(links_.controls.size(), 1u);
  AnswerPage();
  EXPECT_EQ(links_.controls, Words());
}

// Else a lost message would be repaired seconds later.
TEST_F(HeadComparisonTest, LostAnswersToAnOldComparisonHoldUpTheNextOneForAMoment) {
  JoinGroups(2'001);
  Digest(7);
  for (int i = 0; i < 4; ++i) TakeCompare();  // their answers are lost
  Digest(9);
  EXPECT_EQ(links_.controls, Words());
  Pass(absl::Milliseconds(300));
  EXPECT_EQ(links_.controls.size(), 4u);
}

TEST_F(HeadComparisonTest, APageThatCannotBeSentIsSentLater) {
  JoinGroups(2);
  links_.control_full = true;
  Digest(7);
  links_.control_full = false;
  Pass(absl::Milliseconds(250));
  EXPECT_EQ(AnswerPage().size(), 2u);
  Pass(absl::Seconds(10));
  EXPECT_EQ(links_.controls, Words());
}

TEST_F(HeadComparisonTest, ALostConnectionEndsItAndTheNextHelloBeginsAnother) {
  JoinGroups(3'000);
  Digest(7);
  links_.controls.clear();
  client_.OnControlDown();
  Pass(absl::Seconds(10));
  EXPECT_EQ(links_.controls, Words());
  client_.OnControlUp();
  AnswerHello();
  std::set<std::string> groups;
  while (!links_.controls.empty()) {
    for (const std::string& group_id : AnswerPage()) groups.insert(group_id);
  }
  EXPECT_EQ(groups.size(), 3'000u);
}

TEST_F(HeadComparisonTest, AnotherControlLinkDoesNotWaitForThePagesOfTheOneBefore) {
  JoinGroups(2'001);
  Digest(7);
  EXPECT_EQ(links_.controls.size(), 4u);
  links_.controls.clear();
  client_.OnControlUp();
  AnswerHello();
  EXPECT_EQ(links_.controls.size(), 4u);
}

// Groups of another epoch are repaired. The queue of repairs stays short meanwhile.
TEST_F(HeadComparisonTest, ANewEpochRepairsAllGroupsAFewAtATime) {
  JoinGroups(3'000);
  Digest(1, {}, kNextEpoch);
  size_t repaired = 0;
  while (!links_.controls.empty()) {
    ASSERT_LE(links_.controls.size(), 16u);
    History(TakeFetch(), 2, 2, {}, kNextEpoch);
    ++repaired;
  }
  EXPECT_EQ(repaired, 3'000u);
  EXPECT_EQ(client_.counters().gaps, 3'000u);
}

// ---- By itself, with pages of two groups and at most two pages.

class SmallPagesTest : public testing::Test, private RepairLink {
 protected:
  SmallPagesTest() {
    // "g0" is cold, and the others are at 5.
    subscriptions_.Subscribe("g0");
    for (int i = 1; i < 7; ++i) Join(absl::StrCat("g", i));
  }
  void Join(const std::string& id) {
    subscriptions_.Subscribe(id);
    const std::string announcement = LiveFramePrefix(id, {.kind = LiveKind::kAnnouncement,
                                                          .publisher = links_.last_nonce,
                                                          .epoch = kEpoch,
                                                          .offset = 5});
    EXPECT_FALSE(subscriptions_.OnAnnouncement(*ParseLiveFrame(announcement), kEpoch));
  }
  // The pages since the last call: "2: g0 0, g1 5".
  Words Pages() {
    Words pages;
    for (const std::string& frame : std::exchange(links_.controls, {})) {
      channel::v1::CompareHeads page;
      EXPECT_TRUE(page.ParseFromString(std::string(ParseControlFrame(frame)->body)));
      pages.push_back(absl::StrCat(page.request(), ":"));
      for (const channel::v1::Head& head : page.heads()) {
        absl::StrAppend(&pages.back(), " ", head.group_id(), " ", head.offset());
      }
    }
    return pages;
  }
  void After(absl::Duration time) {
    clock_.Advance(time);
    comparison_.Continue(kEpoch);
  }

  FakeClock clock_;
  FakeLinks links_;
  FakeListener listener_;
  const ChannelClientOptions options_{.publisher = kPublisher, .heads_per_page = 2, .pages_max = 2};
  Subscriptions subscriptions_{options_, &clock_, &links_, &listener_};
  Repairs repairs_{{}, &clock_, this};
  HeadComparison comparison_{options_, &clock_, &links_, &subscriptions_, &repairs_};

 private:
  bool CanAsk() const override { return true; }
  std::optional<Position> RepairFrom(absl::string_view) override { return Position{}; }
  bool AskHistory(uint64_t, absl::string_view, const Position&, uint32_t) override { return true; }
};

TEST_F(SmallPagesTest, AnAnswerMakesRoomForTheNextPageOnce) {
  comparison_.Begin();
  comparison_.Continue(kEpoch);
  EXPECT_EQ(Pages(), Words({"1: g0 0 g1 5", "2: g2 5 g3 5"}));
  EXPECT_FALSE(comparison_.TakeAnswer(3));
  EXPECT_TRUE(comparison_.TakeAnswer(2));
  EXPECT_FALSE(comparison_.TakeAnswer(2));
  comparison_.Continue(kEpoch);
  EXPECT_EQ(Pages(), Words({"3: g4 5 g5 5"}));
}

// The new one must not begin before each group has had its turn.
TEST_F(SmallPagesTest, ReasonsBeforeTheFirstPageAreOneReason) {
  for (int i = 0; i < 2; ++i) comparison_.Begin();
  EXPECT_EQ(comparison_.count(), 1u);
  comparison_.Continue(kEpoch);
  for (int i = 0; i < 2; ++i) comparison_.Begin();
  EXPECT_EQ(comparison_.count(), 2u);
}

TEST_F(SmallPagesTest, APageOfAnOldComparisonKeepsItsPlaceForExactlyAQuarterOfASecond) {
  comparison_.Begin();
  comparison_.Continue(kEpoch);
  comparison_.Begin();
  Pages();
  After(absl::Milliseconds(249));
  EXPECT_EQ(Pages(), Words());
  After(absl::Milliseconds(1));
  EXPECT_EQ(Pages(), Words({"3: g4 5 g5 5", "4: g6 5 g0 0"}));
}

TEST_F(SmallPagesTest, ALostConnectionEndsItsPages) {
  comparison_.Begin();
  comparison_.Continue(kEpoch);
  Pages();
  comparison_.Reset();
  comparison_.Continue(kEpoch);
  EXPECT_EQ(Pages(), Words()) << "pages were left";
  After(absl::Seconds(10));
  EXPECT_EQ(Pages(), Words()) << "pages were without an answer";
  comparison_.Begin();
  comparison_.Continue(kEpoch);
  EXPECT_EQ(Pages().size(), 2u);
}

TEST_F(SmallPagesTest, AThousandRepairsInTheQueueHoldItUp) {
  for (int i = 7; i < 1'200; ++i) Join(absl::StrCat("g", i));
  comparison_.Begin();
  comparison_.Continue(kNextEpoch);
  EXPECT_EQ(repairs_.queued(), 1'000u);
  EXPECT_EQ(Pages(), Words({"1: g0 0"}));  // what it had found before
  EXPECT_TRUE(repairs_.Take(1).has_value());
  repairs_.SendQueued();
  EXPECT_EQ(repairs_.queued(), 999u);
  comparison_.Continue(kNextEpoch);
  EXPECT_EQ(repairs_.queued(), 1'000u);
}

}  // namespace
}  // namespace groupcast::service
