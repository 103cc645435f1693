// Members that come back, and members that want what was before they came.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gtest/gtest.h"
#include "services/groups/group_service_fixture.h"

namespace groupcast::service {
namespace {

// The unsigned number after `"name":`; -1 if it is not there.
int64_t Number(const std::string& json, const std::string& name) {
  const size_t at = json.find("\"" + name + "\":");
  if (at == std::string::npos || !isdigit(json[at + name.size() + 3])) return -1;
  return std::stoll(json.substr(at + name.size() + 3));
}

// What a v1 member of one group got, in short, from its `from`th block on: "reply 3 true", "4",
// "5x" (excluded), "gap 5-9". Checks that the chain of `previous` is whole from the reply on.
std::string Told(const FakeMember& member, size_t from = 0) {
  std::vector<std::string> told;
  int64_t position = -1;
  for (const std::string& event : member.received) {
    const int64_t offset = Number(event, "offset");
    if (absl::StrContains(event, R"("event":"message")")) {
      EXPECT_EQ(Number(event, "previous"), position) << event;
      EXPECT_GT(offset, position);
      position = offset;
      told.push_back(absl::StrCat(offset, absl::StrContains(event, "excluded") ? "x" : ""));
    } else if (absl::StrContains(event, R"("event":"gap")")) {
      position = Number(event, "to");
      told.push_back(absl::StrCat("gap ", Number(event, "from"), "-", position));
    } else if (absl::StrContains(event, R"("event":"error")")) {
      told.push_back(absl::StrContains(event, "unavailable") ? "unavailable" : event);
    } else if (offset >= 0) {
      position = offset;
      told.push_back(absl::StrCat("reply ", offset,
                                  absl::StrContains(event, "\"recovered\":true")    ? " true"
                                  : absl::StrContains(event, "\"recovered\":false") ? " false"
                                                                                    : ""));
    } else {
      told.push_back("reply");
    }
  }
  told.erase(told.begin(), told.begin() + static_cast<ptrdiff_t>(from));
  return absl::StrJoin(told, ", ");
}

// A small ring: four messages of a group are recent.
class RecoveryTest : public GroupServiceFixture {
 protected:
  RecoveryTest() : GroupServiceFixture({.recent = {.group_messages_max = 4}}) {
    // Keeps the group, so that what comes is recent.
    keeper_ = Bare();
    Join(keeper_.get(), "");
    hub_.Pump();
  }

  // Offsets are consecutive: there is one group.
  void Publish(int count) {
    for (int i = 0; i < count; ++i) {
      channel_.Publish({.group_id = "g", .content = {.data = absl::StrCat("m", ++published_)}},
                       [](const absl::StatusOr<Position>&) {});
    }
    hub_.Pump();
  }
  static std::string Since(uint64_t offset, const char* epoch = "000000000000000a") {
    return absl::StrCat(R"(,"since":{"epoch":")", epoch, R"(","offset":)", offset, "}");
  }
  static void Join(FakeMember* member, const std::string& fields) {
    member->Do(absl::StrCat(R"({"cmd":"add_group","group_id":"g","id":1)", fields, "}"));
  }
  // A v1 member that joins so, with all that follows at once.
  std::unique_ptr<FakeMember> Joined(const std::string& fields) {
    auto member = V1();
    Join(member.get(), fields);
    hub_.Pump();
    return member;
  }

  std::unique_ptr<FakeMember> keeper_;
  int published_ = 0;
};

TEST_F(RecoveryTest, WhoHasMissedNothingIsLiveAtOnce) {
  Publish(3);
  const auto member = Joined(Since(3));
  EXPECT_EQ(member->recoveries, 0u);
  Publish(1);
  EXPECT_EQ(Told(*member), "reply 3 true, 4");
  EXPECT_EQ(channel_.fetches(), 0u);
  EXPECT_EQ(service_.counters().recoveries, 1u);
}

TEST_F(RecoveryTest, WhoHasMissedNothingOfAGroupThatIsNewHereIsLiveAtOnce) {
  keeper_.reset();
  Publish(3);
  EXPECT_EQ(Told(*Joined(Since(3))), "reply 3 true");
  EXPECT_EQ(channel_.fetches(), 0u);
}

TEST_F(RecoveryTest, RecentMessagesComeWithoutAFetchAndShareTheirBlocks) {
  Publish(6);
  const auto a = Joined(Since(3));
  const auto b = Joined(Since(3));
  const auto floor = Joined(Since(2));
  EXPECT_EQ(Told(*a), "reply 3 true, 4, 5, 6");
  EXPECT_EQ(Told(*floor), "reply 2 true, 3, 4, 5, 6");
  EXPECT_EQ(channel_.fetches(), 0u);
  for (size_t i = 1; i < a->blocks.size(); ++i) {
    EXPECT_EQ(a->blocks[i].bytes().data(), b->blocks[i].bytes().data());
  }
}

TEST_F(RecoveryTest, WhatRecoveringMembersGetIsCounted) {
  Publish(6);
  const uint64_t before = service_.counters().deliveries;
  Joined(Since(3));
  EXPECT_EQ(service_.counters().deliveries, before + 3);
}

// Else the smaller ones after it would come first, and it never.
TEST_F(RecoveryTest, ARecentMessageThatDoesNotFitIsNotPassedOver) {
  Publish(1);
  channel_.Publish({.group_id = "g", .content = {.data = std::string(500, 'b')}},
                   [](const auto&) {});
  Publish(1);
  const auto member = V1();
  member->block_bytes_max = 300;
  Join(member.get(), Since(1));
  EXPECT_EQ(Told(*member), "reply 1 true");
  member->block_bytes_max = 1'000;
  member->Drain(100);
  EXPECT_EQ(Told(*member), "reply 1 true, 2, 3");
  EXPECT_EQ(channel_.fetches(), 0u);
}

TEST_F(RecoveryTest, OlderOnesAreFetchedPageByPageAndThenItIsLive) {
  Publish(12);
  hub_.SetAnswerMax(3);
  const auto member = Joined(Since(1));
  Publish(1);
  EXPECT_EQ(Told(*member), "reply 1 true, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13");
  EXPECT_EQ(channel_.fetches(), 3u);  // to 10; the rest is recent
  EXPECT_EQ(member->recoveries, 0u);
}

TEST_F(RecoveryTest, WhatComesMeanwhileIsNotDeliveredBeforeItsTurn) {
  Publish(6);
  channel_.HoldAnswers(true);
  const auto member = V1();
  Join(member.get(), Since(1));
  Publish(6);
  EXPECT_EQ(Told(*member), "");
  channel_.HoldAnswers(false);
  hub_.Pump();
  EXPECT_EQ(Told(*member), "reply 1 true, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12");
}

// The answer is newer than what the worker was delivered: the rest must not come twice.
TEST_F(RecoveryTest, HistoryBeyondTheGroupsPositionComesLive) {
  Publish(8);
  channel_.HoldMessages(true);
  Publish(2);
  const auto since = Joined(Since(1));
  const auto history = Joined(R"(,"history":6)");
  const auto all_ahead = Joined(R"(,"history":1)");
  EXPECT_EQ(Told(*since), "reply 1 true, 2, 3, 4, 5, 6, 7, 8");
  EXPECT_EQ(Told(*history), "reply 4, 5, 6, 7, 8");
  channel_.HoldMessages(false);
  hub_.Pump();
  EXPECT_EQ(Told(*since), "reply 1 true, 2, 3, 4, 5, 6, 7, 8, 9, 10");
  EXPECT_EQ(Told(*history), "reply 4, 5, 6, 7, 8, 9, 10");
  EXPECT_EQ(Told(*all_ahead), "reply 7, 8, 9, 10");  // from what is recent
}

// The newest messages were asked for, and meanwhile the worker was delivered enough to answer. What
// the answer leaves out is not lost.
TEST_F(RecoveryTest, AnAnswerThatComesWhenTheJoinIsDecidedIsNotUsed) {
  Publish(2);
  channel_.HoldMessages(true);
  channel_.HoldAnswers(true);
  Publish(6);
  const auto member = V1();
  member->room = 3;
  Join(member.get(), R"(,"history":3)");
  hub_.Pump();
  EXPECT_EQ(Told(*member), "");
  channel_.HoldMessages(false);
  hub_.Pump();
  EXPECT_EQ(Told(*member), "reply 0, 1, 2");
  channel_.HoldAnswers(false);
  hub_.Pump();
  member->Drain(100);
  hub_.Pump();
  EXPECT_EQ(Told(*member), "reply 0, 1, 2, 3, 4, 5, 6, 7, 8");
}

TEST_F(RecoveryTest, AJoinWithHistoryIsDecidedWhenThereAreEnoughRecentMessages) {
  channel_.HoldAnswers(true);
  const auto member = V1();
  Join(member.get(), R"(,"history":3)");
  Publish(2);
  EXPECT_EQ(Told(*member), "");
  Publish(1);
  EXPECT_EQ(Told(*member), "reply 0, 1, 2, 3");
}

TEST_F(RecoveryTest, OfTheJoinsThatAMessageDecidesTheOldestGoesFirstWhateverItAskedFor) {
  channel_.HoldAnswers(true);
  channel_.HoldMessages(true);
  Publish(2);
  std::string order;
  const auto since = V1();
  const auto history = V1();
  since->on_send = [&] { order += 's'; };
  history->on_send = [&] { order += order.ends_with('h') ? "" : "h"; };
  Join(since.get(), Since(2));
  Join(history.get(), R"(,"history":2)");
  hub_.Pump();
  EXPECT_EQ(order, "");
  channel_.HoldMessages(false);
  hub_.Pump();
  EXPECT_EQ(order, "sh");
}

// The answer was given before the messages that the group has by now.
TEST_F(RecoveryTest, AnAnswerThatBringsNothingIsNotFollowedByTheSameQuestionAtOnce) {
  channel_.HoldAnswers(true);
  const auto member = V1();
  Join(member.get(), R"(,"history":50)");
  Publish(6);
  channel_.HoldAnswers(false);
  hub_.Pump();
  EXPECT_EQ(Told(*member), "reply 0");
  EXPECT_EQ(channel_.fetches(), 1u);
  clock_.Advance(absl::Milliseconds(200));
  service_.CheckDeadlines();
  hub_.Pump();
  EXPECT_EQ(Told(*member), "reply 0, 1, 2, 3, 4, 5, 6");
  EXPECT_EQ(channel_.fetches(), 2u);
}

TEST_F(RecoveryTest, WhatCannotBeRecoveredIsSaidInTheReply) {
  Publish(10);
  hub_.RaiseFloor("g", 3);
  EXPECT_EQ(Told(*Joined(Since(3))), "reply 3 true, 4, 5, 6, 7, 8, 9, 10");
  EXPECT_EQ(Told(*Joined(Since(2))), "reply 10 false");
  EXPECT_EQ(Told(*Joined(Since(5, "000000000000000b"))), "reply 10 false");
  EXPECT_EQ(Told(*Joined(Since(11))), "reply 10 false");
  EXPECT_EQ(service_.counters().recoveries, 1u);
  EXPECT_EQ(service_.counters().recoveries_lost, 3u);
}

TEST_F(RecoveryTest, APositionThatIsNoPlaceOfTheGroupIsOfAnotherHistory) {
  Publish(1);
  channel_.Publish({.group_id = "other", .content = {.data = "x"}}, [](const auto&) {});
  Publish(6);
  EXPECT_EQ(Told(*Joined(Since(2))), "reply 8 false");
  EXPECT_EQ(Told(*Joined(Since(1))), "reply 1 true, 3, 4, 5, 6, 7, 8");
}

TEST_F(RecoveryTest, AFloorBetweenTwoMessagesIsAFloorToo) {
  Publish(1);
  channel_.Publish({.group_id = "other", .content = {.data = "x"}}, [](const auto&) {});
  Publish(6);
  hub_.RaiseFloor("g", 2);
  EXPECT_EQ(Told(*Joined(Since(1))), "reply 8 false");
}

TEST_F(RecoveryTest, AMemberThatIsAheadOfItsWorkerWaitsForIt) {
  Publish(2);
  channel_.HoldMessages(true);
  Publish(3);
  const auto member = Joined(Since(4));
  member->Do(R"({"cmd":"ping","id":2})");
  EXPECT_EQ(Told(*member), "");
  EXPECT_EQ(Told(*Joined(Since(6))), "reply 2 false");  // ahead of everybody
  channel_.HoldMessages(false);
  hub_.Pump();
  EXPECT_EQ(Told(*member), "reply 4 true, reply, 5");
}

TEST_F(RecoveryTest, AMessageDecidesTheJoinsThatItReachesAndTheFirstToBeginGoesFirst) {
  channel_.HoldMessages(true);
  Publish(4);
  std::string order;
  std::vector<std::unique_ptr<FakeMember>> members;
  for (const uint64_t since : {4, 3, 1, 3, 4, 3}) {
    members.push_back(V1());
    FakeMember* const member = members.back().get();
    member->on_send = [&order, member, name = static_cast<char>('a' + members.size() - 1)] {
      if (member->received.size() == 1) order += name;
    };
    Join(member, Since(since));
  }
  hub_.Pump();
  EXPECT_EQ(order, "");
  channel_.HoldMessages(false);
  hub_.Pump();
  EXPECT_EQ(order, "cbdfae");
  EXPECT_EQ(Told(*members[0]), "reply 4 true");
  EXPECT_EQ(Told(*members[1]), "reply 3 true, 4");
  EXPECT_EQ(Told(*members[2]), "reply 1 true, 2, 3, 4");
}

TEST_F(RecoveryTest, UndecidedJoinsExpireAtTheirOwnDeadlines) {
  Publish(8);
  channel_.HoldAnswers(true);
  const auto early = V1();
  Join(early.get(), Since(1));
  clock_.Advance(absl::Seconds(2));
  const auto late = V1();
  Join(late.get(), Since(1));
  clock_.Advance(absl::Seconds(3));
  service_.CheckDeadlines();
  EXPECT_EQ(Told(*early), "unavailable");
  EXPECT_EQ(Told(*late), "");
  clock_.Advance(absl::Seconds(2));
  service_.CheckDeadlines();
  EXPECT_EQ(Told(*late), "unavailable");
  EXPECT_EQ(early->recoveries + late->recoveries, 0u);
}

TEST_F(RecoveryTest, FetchesThatFailedTogetherAreRepeatedTogether) {
  Publish(9);
  channel_.SetConnected(false);
  hub_.Pump();
  std::vector<std::unique_ptr<FakeMember>> members;
  for (const uint64_t since : {1, 2, 3}) {
    members.push_back(V1());
    Join(members.back().get(), Since(since));
  }
  hub_.Pump();
  const size_t fetches = channel_.fetches();
  clock_.Advance(absl::Milliseconds(200));
  service_.CheckDeadlines();
  hub_.Pump();  // they fail again
  service_.CheckDeadlines();
  EXPECT_EQ(channel_.fetches(), fetches + 3);
  channel_.SetConnected(true);  // no need to wait
  hub_.Pump();
  EXPECT_EQ(Told(*members[0]), "reply 1 true, 2, 3, 4, 5, 6, 7, 8, 9");
  EXPECT_EQ(Told(*members[2]), "reply 3 true, 4, 5, 6, 7, 8, 9");
}

TEST_F(RecoveryTest, AWorkerThatDoesNotCatchUpInTimeIsUnavailable) {
  channel_.HoldMessages(true);
  Publish(3);
  const auto member = Joined(Since(2));
  clock_.Advance(absl::Seconds(4));
  service_.CheckDeadlines();
  EXPECT_EQ(Told(*member), "");
  clock_.Advance(absl::Seconds(1));
  service_.CheckDeadlines();
  EXPECT_EQ(Told(*member), "unavailable");
  EXPECT_EQ(member->group_count(), 0u);
  EXPECT_EQ(member->pending_answers, 0);
  channel_.HoldMessages(false);
  hub_.Pump();
  EXPECT_EQ(Told(*member), "unavailable");
}

TEST_F(RecoveryTest, AJoinWhoseFetchIsNeverAnsweredIsUnavailableAndCommandsGoOn) {
  Publish(8);
  channel_.HoldAnswers(true);
  const auto member = V1();
  Join(member.get(), Since(1));
  Join(member.get(), Since(1));  // waits for the first
  EXPECT_EQ(member->pending_answers, 1);
  clock_.Advance(absl::Seconds(5));
  service_.CheckDeadlines();
  EXPECT_EQ(Told(*member), "unavailable");
  EXPECT_EQ(member->pending_answers, 1);  // the second is under way
  channel_.HoldAnswers(false);
  hub_.Pump();
  EXPECT_EQ(Told(*member), "unavailable, reply 1 true, 2, 3, 4, 5, 6, 7, 8");
}

TEST_F(RecoveryTest, JoinsThatBeginWithTheirGroup) {
  keeper_.reset();
  Publish(6);
  const auto member = V1();
  Join(member.get(), Since(2));
  member->Do(R"({"cmd":"ping","id":2})");
  EXPECT_EQ(Told(*member), "");
  hub_.Pump();
  EXPECT_EQ(Told(*member), "reply 2 true, 3, 4, 5, 6, reply");
}

TEST_F(RecoveryTest, IsPacedByTheRoomInTheOutbox) {
  Publish(20);
  hub_.SetAnswerMax(5);
  const auto member = V1();
  member->room = 4;
  Join(member.get(), Since(1));
  hub_.Pump();
  EXPECT_EQ(Told(*member), "reply 1 true, 2, 3, 4");
  const size_t fetches = channel_.fetches();
  Publish(1);
  service_.CheckDeadlines();
  hub_.Pump();
  EXPECT_EQ(member->received.size(), 4u);
  EXPECT_EQ(channel_.fetches(), fetches);  // nothing is fetched that cannot be taken
  for (int i = 0; i < 10 && member->recoveries > 0; ++i) {
    member->Drain(3);
    hub_.Pump();
    EXPECT_LE(member->received.size(), 4u + 3 * (static_cast<size_t>(i) + 1));
  }
  EXPECT_EQ(Told(*member),
            "reply 1 true, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21");
  Publish(1);
  EXPECT_EQ(Told(*member, 21), "22");
}

// A page ended just where the outbox did.
TEST_F(RecoveryTest, NothingIsFetchedForAnOutboxThatIsFull) {
  Publish(20);
  hub_.SetAnswerMax(3);
  const auto member = V1();
  member->room = 4;
  Join(member.get(), Since(1));
  hub_.Pump();
  EXPECT_EQ(Told(*member), "reply 1 true, 2, 3, 4");
  EXPECT_EQ(channel_.fetches(), 1u);
  member->Drain(3);
  hub_.Pump();
  EXPECT_EQ(Told(*member), "reply 1 true, 2, 3, 4, 5, 6, 7");
}

TEST_F(RecoveryTest, ABlockedMemberGoesOnWhenItSaysThatItHasRoomAndNotWithTheNextMessage) {
  channel_.HoldAnswers(true);
  const auto member = V1();
  member->room = 2;
  Join(member.get(), R"(,"history":3)");
  Publish(3);
  EXPECT_EQ(Told(*member), "reply 0, 1");
  member->room = 100;
  Publish(1);
  EXPECT_EQ(Told(*member), "reply 0, 1");
  member->Drain(100);
  EXPECT_EQ(Told(*member), "reply 0, 1, 2, 3, 4");
}

// The answer of the first question would be taken twice, and the second time bring nothing.
TEST_F(RecoveryTest, AMemberThatHasRoomTwiceAsksOnce) {
  Publish(20);
  hub_.SetAnswerMax(3);
  const auto member = V1();
  member->room = 2;
  Join(member.get(), Since(1));
  hub_.Pump();
  EXPECT_EQ(Told(*member), "reply 1 true, 2");
  channel_.HoldAnswers(true);
  for (int i = 0; i < 2; ++i) member->Drain(100);
  channel_.HoldAnswers(false);
  hub_.Pump();
  EXPECT_EQ(Told(*member),
            "reply 1 true, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20");
}

// What did not fit is fetched again when there is room, and not before.
TEST_F(RecoveryTest, AMessageThatDoesNotFitWaitsForTheOutboxToDrain) {
  Publish(10);
  const auto member = V1();
  member->block_bytes_max = 10;
  Join(member.get(), Since(1));
  hub_.Pump();
  Publish(1);
  service_.CheckDeadlines();
  hub_.Pump();
  EXPECT_EQ(Told(*member), "reply 1 true");
  EXPECT_EQ(channel_.fetches(), 1u);
  member->block_bytes_max = 1'000;
  member->Drain(100);
  hub_.Pump();
  EXPECT_EQ(Told(*member), "reply 1 true, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11");
  EXPECT_EQ(channel_.fetches(), 2u);
}

TEST_F(RecoveryTest, RetentionThatOvertakesASlowMemberIsTold) {
  Publish(20);
  const auto v1 = V1();
  const auto bare = Bare();
  v1->room = 3;
  bare->room = 3;
  Join(v1.get(), Since(1));
  Join(bare.get(), Since(1));
  hub_.Pump();
  EXPECT_EQ(Told(*v1), "reply 1 true, 2, 3");
  hub_.RaiseFloor("g", 15);
  v1->Drain(100);
  bare->Drain(100);
  hub_.Pump();
  EXPECT_EQ(Told(*v1), "reply 1 true, 2, 3, gap 3-15, 16, 17, 18, 19, 20");
  EXPECT_EQ(bare->received,
            Received({bare->received[0], "m2", "m3", "m16", "m17", "m18", "m19", "m20"}));
  EXPECT_EQ(service_.counters().recoveries_lost, 2u);
  EXPECT_EQ(service_.counters().gaps, 2u);
}

TEST_F(RecoveryTest, AGapOfTheWorkerIsToldToTheRecoveringWhenTheyGetThere) {
  Publish(6);
  const auto member = V1();
  member->room = 2;
  Join(member.get(), Since(1));
  hub_.Pump();
  channel_.HoldMessages(true);
  Publish(3);
  hub_.RaiseFloor("g", 8);
  channel_.TellGap("g", {.from = 6, .to = {kEpoch, 8}});
  channel_.HoldMessages(false);
  hub_.Pump();
  EXPECT_EQ(Told(*member), "reply 1 true, 2");
  member->Drain(100);
  hub_.Pump();
  EXPECT_EQ(Told(*member), "reply 1 true, 2, gap 2-8, 9");
  // What was recent before the gap is no way over it.
  EXPECT_EQ(Told(*Joined(Since(5))), "reply 9 false");
}

TEST_F(RecoveryTest, AFetchThatFailsIsTriedAgainAsLongAsTheConnectionLives) {
  Publish(9);
  const auto member = V1();
  member->room = 3;
  Join(member.get(), Since(1));
  hub_.Pump();
  channel_.SetConnected(false);
  member->Drain(100);
  hub_.Pump();
  for (int i = 0; i < 100; ++i) {
    clock_.Advance(absl::Milliseconds(250));
    service_.CheckDeadlines();
    hub_.Pump();
  }
  EXPECT_EQ(Told(*member), "reply 1 true, 2, 3");
  EXPECT_EQ(member->recoveries, 1u);
  channel_.SetConnected(true);
  hub_.Pump();
  EXPECT_EQ(Told(*member), "reply 1 true, 2, 3, 4, 5, 6, 7, 8, 9");
}

// The member may have room again before the tick that repeats the fetch.
TEST_F(RecoveryTest, AFetchThatFailsTwiceIsTriedAgain) {
  Publish(9);
  const auto member = V1();
  member->room = 3;
  Join(member.get(), Since(1));
  hub_.Pump();
  channel_.SetConnected(false);
  const size_t fetches = channel_.fetches();
  for (int i = 0; i < 2; ++i) {
    member->Drain(100);
    hub_.Pump();
    clock_.Advance(absl::Milliseconds(200));
  }
  EXPECT_EQ(channel_.fetches(), fetches + 2);
  channel_.SetConnected(true);
  hub_.Pump();
  EXPECT_EQ(Told(*member), "reply 1 true, 2, 3, 4, 5, 6, 7, 8, 9");
}

TEST_F(RecoveryTest, RetriesAreNotMoreOftenThanTheyShould) {
  Publish(9);
  channel_.SetConnected(false);
  hub_.Pump();
  const auto member = V1();
  Join(member.get(), Since(1));
  hub_.Pump();
  const size_t fetches = channel_.fetches();
  service_.CheckDeadlines();
  clock_.Advance(absl::Milliseconds(199));
  service_.CheckDeadlines();
  EXPECT_EQ(channel_.fetches(), fetches);
  clock_.Advance(absl::Milliseconds(1));
  service_.CheckDeadlines();
  EXPECT_EQ(channel_.fetches(), fetches + 1);
}

TEST_F(RecoveryTest, ANewEpochEndsRecoveriesAndIsTold) {
  Publish(9);
  const auto slow = V1();
  slow->room = 2;
  Join(slow.get(), Since(1));
  hub_.Pump();
  channel_.HoldAnswers(true);
  const auto undecided = V1();
  Join(undecided.get(), Since(1));
  const auto history = V1();
  Join(history.get(), R"(,"history":9)");
  const auto live = Joined("");
  hub_.BeginEpoch(Epoch{0x0b});
  hub_.Pump();
  published_ = 0;
  Publish(1);
  channel_.HoldAnswers(false);
  hub_.Pump();
  clock_.Advance(absl::Milliseconds(200));
  service_.CheckDeadlines();
  hub_.Pump();
  EXPECT_EQ(Told(*slow), "reply 1 true, 2, gap -1-0, 1");
  EXPECT_TRUE(absl::StrContains(slow->received[2], R"("epoch":"000000000000000b","from":null)"));
  EXPECT_EQ(Told(*undecided), "reply 0 false, 1");
  EXPECT_EQ(Told(*history), "reply 0, 1");
  EXPECT_EQ(Told(*live), "reply 9, gap -1-0, 1");
  EXPECT_EQ(slow->recoveries, 0u);
}

TEST_F(RecoveryTest, HistoryIsReplayedFromWhatIsRecentOrFetched) {
  EXPECT_EQ(Told(*Joined(R"(,"history":3)")), "reply 0");
  Publish(6);
  EXPECT_EQ(channel_.fetches(), 1u);
  EXPECT_EQ(Told(*Joined(R"(,"history":3)")), "reply 3, 4, 5, 6");
  EXPECT_EQ(Told(*Joined(R"(,"history":0)")), "reply 6");
  EXPECT_EQ(channel_.fetches(), 1u);
  EXPECT_EQ(Told(*Joined(R"(,"history":5)")), "reply 1, 2, 3, 4, 5, 6");
  EXPECT_EQ(Told(*Joined(R"(,"history":50)")), "reply 0, 1, 2, 3, 4, 5, 6");
  EXPECT_EQ(channel_.fetches(), 3u);
}

TEST_F(RecoveryTest, BareMembersGetBareMessages) {
  Publish(6);
  const auto member = Bare();
  member->Do(R"({"cmd":"add_group","group_id":"g","history":2})");
  const auto since = Bare();
  since->Do(absl::StrCat(R"({"cmd":"add_group","group_id":"g")", Since(4), "}"));
  hub_.Pump();
  EXPECT_EQ(member->received, Received({"m5", "m6"}));
  EXPECT_EQ(since->received, member->received);
}

TEST_F(RecoveryTest, ExcludedMessagesKeepTheirPlaceWhenRecovering) {
  const auto sender = V1();
  sender->set_session(FingerprintOf({"s"}));
  for (int i = 0; i < 2; ++i) {
    sender->Do(R"({"cmd":"send_to_group","group_id":"g","message":1,"exclude_self":true})");
    Publish(4);
  }
  const auto returned = V1();
  returned->set_session(FingerprintOf({"s"}));
  Join(returned.get(), Since(0));
  const auto bare = Bare();
  bare->set_session(FingerprintOf({"s"}));
  bare->Do(R"({"cmd":"add_group","group_id":"g","history":50})");
  hub_.Pump();
  EXPECT_EQ(Told(*returned), "reply 0 true, 1x, 2, 3, 4, 5, 6x, 7, 8, 9, 10");
  EXPECT_EQ(Told(*Joined(Since(0))), "reply 0 true, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10");
  EXPECT_EQ(bare->received, Received({"m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8"}));
}

TEST_F(RecoveryTest, AThousandThatComeBackTogetherAskOnce) {
  Publish(10);
  std::vector<std::unique_ptr<FakeMember>> members;
  for (int i = 0; i < 1'000; ++i) {
    members.push_back(V1());
    Join(members.back().get(), Since(2));
  }
  EXPECT_EQ(channel_.fetches(), 1u);
  hub_.Pump();
  for (const auto& member : members) {
    ASSERT_EQ(Told(*member), "reply 2 true, 3, 4, 5, 6, 7, 8, 9, 10");
    ASSERT_EQ(member->blocks[1].bytes().data(), members[0]->blocks[1].bytes().data());
  }
  EXPECT_EQ(channel_.fetches(), 1u);
}

TEST_F(RecoveryTest, FetchesUnderWayAreBoundedAndTheRestFollow) {
  Publish(100);
  channel_.HoldAnswers(true);
  std::vector<std::unique_ptr<FakeMember>> members;
  for (uint64_t since = 1; since <= 90; ++since) {
    members.push_back(V1());
    Join(members.back().get(), Since(since));
  }
  EXPECT_EQ(channel_.fetches(), HistoryFetcher::kFetchesMax);
  channel_.HoldAnswers(false);
  hub_.Pump();
  for (const auto& member : members) {
    EXPECT_EQ(member->recoveries, 0u);
    EXPECT_TRUE(absl::EndsWith(Told(*member), ", 99, 100"));
  }
}

TEST_F(RecoveryTest, WhoLeavesOrIsGoneWhileRecoveringLeavesNoTrace) {
  Publish(8);
  const auto leaver = V1();
  leaver->room = 2;
  Join(leaver.get(), Since(1));
  hub_.Pump();
  leaver->Do(R"({"cmd":"leave_group","group_id":"g","id":2})");
  EXPECT_EQ(leaver->recoveries, 0u);
  leaver->Drain(100);
  Publish(1);
  EXPECT_EQ(Told(*leaver), "reply 1 true, 2, reply");
  channel_.HoldAnswers(true);
  auto gone = V1();
  Join(gone.get(), Since(1));
  gone.reset();  // with a fetch under way
  keeper_.reset();
  channel_.HoldAnswers(false);
  hub_.Pump();
  EXPECT_EQ(service_.table().group_count(), 0u);
}

// An answer that was for the membership before must not be taken for the new one's.
TEST_F(RecoveryTest, AMemberThatLeavesAndComesBackGetsWhatItsNewJoinSays) {
  Publish(8);
  const auto member = V1();
  member->room = 2;
  Join(member.get(), Since(1));
  hub_.Pump();
  channel_.HoldAnswers(true);
  member->Drain(100);  // a fetch is under way
  member->Do(R"({"cmd":"leave_group","group_id":"g","id":2})");
  Join(member.get(), Since(3));
  channel_.HoldAnswers(false);
  hub_.Pump();
  EXPECT_EQ(Told(*member), "reply 1 true, 2, reply, reply 3 true, 4, 5, 6, 7, 8");
}

TEST_F(RecoveryTest, ARepeatedJoinSaysWhereTheMemberIsAndReplaysNothing) {
  Publish(8);
  const auto member = V1();
  member->room = 3;
  Join(member.get(), Since(1));
  hub_.Pump();
  Join(member.get(), Since(3));
  Join(member.get(), Since(1));
  Join(member.get(), R"(,"history":5)");
  EXPECT_EQ(member->received.size(), 6u);
  EXPECT_TRUE(absl::EndsWith(member->received[3], R"("offset":3,"recovered":true})"));
  EXPECT_TRUE(absl::EndsWith(member->received[4], R"("offset":3,"recovered":false})"));
  EXPECT_TRUE(absl::EndsWith(member->received[5], R"("offset":3})"));
  member->Drain(100);
  hub_.Pump();
  EXPECT_EQ(Told(*member, 6), "4, 5, 6, 7, 8");
}

TEST_F(RecoveryTest, GroupHistoryIsReadInTurnAndWithoutJoining) {
  Publish(3);
  const auto reader = V1();
  reader->Do(R"({"cmd":"group_history","group_id":"g","limit":2,"id":9})");
  reader->Do(R"({"cmd":"ping","id":10})");
  EXPECT_EQ(reader->received, Received());
  hub_.Pump();
  ASSERT_EQ(reader->received.size(), 2u);
  EXPECT_EQ(
      reader->received[0],
      R"({"event":"reply","id":9,"group_id":"g","epoch":"000000000000000a","offset":3,"messages":[)"
      R"({"message":"m2","offset":2,"previous":1,"sent_at":0},)"
      R"({"message":"m3","offset":3,"previous":2,"sent_at":0}]})");
  reader->Do(absl::StrCat(R"({"cmd":"group_history","group_id":"g","id":9)", Since(3), "}"));
  hub_.Pump();
  EXPECT_TRUE(absl::EndsWith(reader->received[2], R"("recovered":true,"messages":[]})"));
  channel_.SetConnected(false);
  reader->Do(R"({"cmd":"group_history","group_id":"g","id":9})");
  hub_.Pump();
  EXPECT_TRUE(
      absl::StrContains(reader->received[3], R"("cmd":"group_history","code":"unavailable")"));
  EXPECT_EQ(reader->pending_answers, 0);
}

}  // namespace
}  // namespace groupcast::service
