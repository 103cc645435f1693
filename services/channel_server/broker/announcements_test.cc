#include "services/channel_server/broker/announcements.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

using Words = std::vector<std::string>;

std::string WordOf(const Announcements::Entry& entry) {
  const auto nonce = static_cast<uint64_t>(entry.nonce);
  return nonce == 0 ? entry.group_id : absl::StrCat(entry.group_id, "/", nonce);
}

class AnnouncementsTest : public testing::Test {
 protected:
  // One turn, in which at most `room` find room.
  Words Turn(size_t room = 1'000'000) {
    Words sent;
    const auto send = [&](const Announcements::Entry& entry) {
      if (sent.size() == room) return false;
      sent.push_back(WordOf(entry));
      return true;
    };
    announcements_.SendWaiting(send);
    announcements_.SendNew(send, Dropped());
    return sent;
  }
  Announcements::Visit Dropped() {
    return [this](const Announcements::Entry& entry) { dropped_.push_back(WordOf(entry)); };
  }
  // As a worker does that subscribes to all groups again.
  void AddMany(size_t count) {
    for (size_t i = 1; i <= count; ++i) announcements_.Add(absl::StrCat("g", i), PublisherId{i});
  }

  Announcements announcements_;
  Words dropped_;
};

TEST_F(AnnouncementsTest, GoInTheTurnInWhichTheyCome) {
  announcements_.Add("a", PublisherId{});
  announcements_.Add("b", PublisherId{7});
  EXPECT_EQ(Turn(), Words({"a", "b/7"}));
  EXPECT_EQ(Turn(), Words());
  EXPECT_EQ(announcements_.waiting(), 0u);
  EXPECT_FALSE(announcements_.found_no_room());
}

TEST_F(AnnouncementsTest, WithoutRoomTheyWaitAndGoFirst) {
  announcements_.Add("a", PublisherId{});
  announcements_.Add("b", PublisherId{7});
  EXPECT_EQ(Turn(/*room=*/0), Words());
  EXPECT_TRUE(announcements_.found_no_room());
  EXPECT_EQ(announcements_.waiting(), 2u);
  announcements_.Add("c", PublisherId{});
  EXPECT_EQ(Turn(), Words({"a", "b/7", "c"}));
  EXPECT_FALSE(announcements_.found_no_room());
}

TEST_F(AnnouncementsTest, OneWorkersFloodDoesNotHoldUpAnothers) {
  AddMany(100'000);
  EXPECT_EQ(Turn().size(), Announcements::kPerTurnMax);
  announcements_.Add("other", PublisherId{1'000'001});
  const Words next = Turn();
  EXPECT_EQ(next.size(), Announcements::kPerTurnMax + 1);
  EXPECT_EQ(next.back(), "other/1000001");
  EXPECT_FALSE(announcements_.found_no_room());
  size_t sent = 0;
  while (announcements_.waiting() > 0) sent += Turn().size();
  EXPECT_EQ(sent, 100'000 - 2 * Announcements::kPerTurnMax);
}

// Looking at each of them in each turn would cost more than the messages.
TEST_F(AnnouncementsTest, AFullQueueIsNotTriedForEachThatWaits) {
  AddMany(10'000);
  Turn(/*room=*/0);
  size_t tries = 0;
  const auto send = [&tries](const Announcements::Entry&) {
    ++tries;
    return false;
  };
  announcements_.SendWaiting(send);
  EXPECT_EQ(tries, Announcements::kMissesMax);
  EXPECT_EQ(announcements_.waiting(), 10'000u);
}

// A worker that has waited for long subscribes again.
TEST_F(AnnouncementsTest, ANonceWaitsOnce) {
  announcements_.Add("a", PublisherId{7});
  Turn(/*room=*/0);
  announcements_.Add("a", PublisherId{7});
  Turn(/*room=*/0);
  EXPECT_EQ(announcements_.waiting(), 1u);
  announcements_.Add("a", PublisherId{7});
  // Either may find room first; the other is not sent any more.
  EXPECT_EQ(Turn(/*room=*/1), Words({"a/7"}));
  Turn();
  EXPECT_EQ(announcements_.waiting(), 0u);
}

TEST_F(AnnouncementsTest, WhatWasAnsweredMeanwhileIsNotSentAgain) {
  AddMany(Announcements::kPerTurnMax + 1);
  Turn(/*room=*/0);
  const std::string last = absl::StrCat("g", Announcements::kPerTurnMax + 1);
  announcements_.Add(last, PublisherId{Announcements::kPerTurnMax + 1});
  Words sent;
  const auto only_last = [&](const Announcements::Entry& entry) {
    if (entry.group_id != last) return false;
    sent.push_back(entry.group_id);
    return true;
  };
  announcements_.SendNew(only_last, Dropped());
  EXPECT_EQ(sent, Words({last}));
  EXPECT_EQ(Turn().size(), Announcements::kPerTurnMax);
  EXPECT_EQ(Turn(), Words());
  EXPECT_EQ(announcements_.waiting(), 0u);
}

TEST_F(AnnouncementsTest, PostponedOnesWaitButProofsAreAskedForAgain) {
  announcements_.Add("a", PublisherId{});
  announcements_.Add("b", PublisherId{7});
  announcements_.Postpone(Dropped());
  EXPECT_EQ(dropped_, Words({"b/7"}));
  EXPECT_EQ(Turn(), Words({"a"}));
}

TEST_F(AnnouncementsTest, ProofsThatWaitAreBounded) {
  AddMany(Announcements::kProofsWaitingMax);
  Turn(/*room=*/0);
  EXPECT_EQ(dropped_, Words());
  announcements_.Add("a", PublisherId{Announcements::kProofsWaitingMax + 1});
  Turn(/*room=*/0);
  EXPECT_EQ(dropped_.size(), 1u);
  EXPECT_EQ(announcements_.waiting(), Announcements::kProofsWaitingMax);
}

TEST_F(AnnouncementsTest, WhatStillFindsNoRoomIsTriedAgain) {
  announcements_.Add("a", PublisherId{});
  Turn(/*room=*/0);
  Turn(/*room=*/0);
  EXPECT_TRUE(announcements_.found_no_room());
  EXPECT_EQ(Turn(), Words({"a"}));
  EXPECT_FALSE(announcements_.found_no_room());
}

TEST_F(AnnouncementsTest, AProofThatWasSentMayWaitAgain) {
  for (int times = 0; times < 2; ++times) {
    announcements_.Add("a", PublisherId{7});
    EXPECT_EQ(Turn(/*room=*/0), Words());
    EXPECT_EQ(announcements_.waiting(), 1u);
    EXPECT_EQ(Turn(), Words({"a/7"}));
  }
}

TEST_F(AnnouncementsTest, ErasesWhatIsGoneWhereverItIs) {
  announcements_.Add("a", PublisherId{7});
  announcements_.Add("b", PublisherId{});
  Turn(/*room=*/0);
  announcements_.Add("a", PublisherId{8});
  announcements_.Add("c", PublisherId{});
  announcements_.EraseIf([](const Announcements::Entry& entry) { return entry.group_id == "a"; });
  announcements_.Add("a", PublisherId{7});
  EXPECT_EQ(Turn(/*room=*/0), Words());
  EXPECT_EQ(Turn(), Words({"b", "c", "a/7"}));
}

// Nothing waits for room while it waits for the log.
TEST_F(AnnouncementsTest, WhatIsPostponedDoesNotWaitForRoom) {
  announcements_.Add("a", PublisherId{});
  Turn(/*room=*/0);
  announcements_.Postpone(Dropped());
  EXPECT_FALSE(announcements_.found_no_room());
  EXPECT_EQ(announcements_.waiting(), 1u);
}

}  // namespace
}  // namespace groupcast::service
