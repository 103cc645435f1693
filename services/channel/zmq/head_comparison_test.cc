// How a ChannelClient compares all heads: page by page.

#include "services/channel/zmq/head_comparison.h"

#include <set>

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

}  // namespace
}  // namespace groupcast::service
