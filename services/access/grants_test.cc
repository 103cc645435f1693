#include "services/access/grants.h"

#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

Rights Only(Right right) {
  Rights rights;
  rights.Add(right);
  return rights;
}

TEST(RightsTest, HasWhatWasAddedAlone) {
  for (const Right added : kAllRights) {
    for (const Right right : kAllRights) {
      EXPECT_EQ(Only(added).Has(right), added == right) << RightName(added) << RightName(right);
    }
    EXPECT_TRUE(Rights::All().Has(added)) << RightName(added);
    EXPECT_FALSE(Rights().Has(added)) << RightName(added);
  }
}

TEST(GrantsTest, OnlyAPrefixCoversAllGroupsThatBeginWithIt) {
  Grants grants;
  grants.Add("chat:*", Only(Right::kObserve));
  grants.Add("news", Only(Right::kObserve));
  EXPECT_TRUE(grants.Cover("chat:", Right::kObserve));
  EXPECT_TRUE(grants.Cover("chat:1", Right::kObserve));
  EXPECT_FALSE(grants.Cover("chat", Right::kObserve));
  EXPECT_FALSE(grants.Cover("", Right::kObserve));
  EXPECT_FALSE(grants.Cover("chat:", Right::kManage));
  EXPECT_FALSE(grants.Cover("news", Right::kObserve)) << "there may be a group news2";
  grants.Add("*", Only(Right::kManage));
  EXPECT_TRUE(grants.Cover("", Right::kManage));
}

TEST(GrantsTest, AnIdIsNotAPrefix) {
  Grants grants;
  grants.Add("chat", Only(Right::kJoin));
  EXPECT_TRUE(grants.Of("chat").Has(Right::kJoin));
  EXPECT_EQ(grants.Of("chat1"), Rights());
  EXPECT_EQ(grants.Of("cha"), Rights());
  EXPECT_EQ(grants.Of(""), Rights());
}

TEST(GrantsTest, AStarAtTheEndMakesAPrefix) {
  Grants grants;
  grants.Add("chat:*", Only(Right::kSend));
  EXPECT_TRUE(grants.Of("chat:").Has(Right::kSend));
  EXPECT_TRUE(grants.Of("chat:1").Has(Right::kSend));
  EXPECT_EQ(grants.Of("chat"), Rights());
  EXPECT_EQ(grants.Of("xchat:1"), Rights());
}

TEST(GrantsTest, AStarInsideIsACharacter) {
  Grants grants;
  grants.Add("a*b", Rights::All());
  EXPECT_EQ(grants.Of("a*b"), Rights::All());
  EXPECT_EQ(grants.Of("axb"), Rights());
}

TEST(GrantsTest, AStarAloneIsEachGroup) {
  Grants grants;
  EXPECT_TRUE(grants.empty());
  grants.Add("*", Only(Right::kRead));
  EXPECT_FALSE(grants.empty());
  EXPECT_EQ(grants.Of("anything"), Only(Right::kRead));
}

TEST(GrantsTest, AllPatternsThatFitCount) {
  Grants grants;
  grants.Add("a:1", Only(Right::kJoin));
  grants.Add("a:*", Only(Right::kSend));
  grants.Add("a*", Only(Right::kObserve));
  Rights expected = Only(Right::kJoin);
  expected.Add(Only(Right::kSend));
  expected.Add(Right::kObserve);
  EXPECT_EQ(grants.Of("a:1"), expected);
  EXPECT_FALSE(grants.Of("a:2").Has(Right::kJoin));
}

}  // namespace
}  // namespace groupcast::service
