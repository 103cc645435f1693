// Tokens and rights, as a worker's groups keep them.

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "services/groups/access_fixture.h"

namespace groupcast::service {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST_F(AccessTest, WithoutATokenThereIsNothingButTheCommandForOne) {
  auto member = V1();
  Show(member.get(), "");
  EXPECT_THAT(member->received, IsEmpty());
  EXPECT_EQ(Join(member.get(), "open:1"), "unauthorized");
  EXPECT_EQ(SendTo(member.get(), "open:1"), "unauthorized");
  EXPECT_EQ(Read(member.get(), "open:1"), "");  // it is refused before that
  EXPECT_THAT(member->received[0], HasSubstr("unauthorized"));
  EXPECT_EQ(ErrorOf(member.get(), R"({"cmd":"ping","id":1})"), "");
  EXPECT_EQ(member->disconnected, std::nullopt);
  EXPECT_EQ(channel_.connected(), true);
  EXPECT_EQ(service_.counters().refused, 3u);
}

TEST_F(AccessTest, WithoutATokenInTimeItIsDisconnected) {
  auto member = V1();
  Show(member.get(), "");
  clock_.Advance(absl::Milliseconds(9'999));
  service_.CheckDeadlines();
  EXPECT_EQ(member->disconnected, std::nullopt);
  clock_.Advance(absl::Milliseconds(1));
  service_.CheckDeadlines();
  EXPECT_EQ(member->disconnected, CloseCode::kNotAuthenticated);
}

TEST_F(AccessTest, ABadTokenAtConnectIsToldAndEndsTheConnection) {
  auto member = V1();
  Show(member.get(), "no token");
  EXPECT_THAT(member->received, ElementsAre(HasSubstr(R"("code":"unauthorized")")));
  EXPECT_EQ(member->disconnected, CloseCode::kNotAuthenticated);
  auto late = Connect(R"({"exp":1})");
  EXPECT_THAT(late->received, ElementsAre(HasSubstr(R"("code":"token_expired")")));
  EXPECT_EQ(late->disconnected, CloseCode::kTokenExpired);
}

TEST_F(AccessTest, AReservedGroupCannotBeLeft) {
  auto member = Connect("{}");
  EXPECT_EQ(ErrorOf(member.get(), R"({"cmd":"leave_group","group_id":"$groupcast.x","id":1})"),
            "forbidden");
  EXPECT_EQ(ErrorOf(member.get(), R"({"cmd":"leave_group","group_id":"$groupcast.x"})"),
            "forbidden");
  EXPECT_EQ(ErrorOf(member.get(), R"({"cmd":"leave_group","group_id":"$groupcast","id":1})"), "");
}

TEST_F(AccessTest, TheCommandAuthenticate) {
  auto member = V1();
  Show(member.get(), "");
  Do(member.get(),
     absl::StrCat(R"({"cmd":"authenticate","id":7,"token":")",
                  Signed(R"({"sub":"alice","exp":99999999999,"groups":["a","b"]})"), "\"}"));
  EXPECT_THAT(
      member->received,
      ElementsAre(R"({"event":"reply","id":7,"user":"alice","expires_at":99999999999000})"));
  EXPECT_EQ(Join(member.get(), "a"), "");
  // A refused one says why. The connection keeps its rights.
  EXPECT_EQ(ErrorOf(member.get(), R"({"cmd":"authenticate","id":8,"token":"x"})"), "unauthorized");
  EXPECT_EQ(SendTo(member.get(), "b"), "");
  EXPECT_EQ(member->disconnected, std::nullopt);
}

TEST_F(AccessTest, ARefusedFirstTokenEndsTheConnection) {
  auto member = V1();
  Show(member.get(), "");
  EXPECT_EQ(ErrorOf(member.get(), R"({"cmd":"authenticate","token":"x"})"), "unauthorized");
  EXPECT_EQ(member->disconnected, CloseCode::kNotAuthenticated);
}

TEST_F(AccessTest, ManyRefusedTokensEndTheConnection) {
  auto member = Connect("{}");
  for (int i = 0; i < Authenticator::kRefusedTokensMax; ++i) {
    Do(member.get(), R"({"cmd":"authenticate","token":"x"})");
    EXPECT_EQ(member->disconnected, std::nullopt);
  }
  Do(member.get(), R"({"cmd":"add_group","group_id":"a","token":"x"})");
  EXPECT_EQ(member->disconnected, CloseCode::kNotAuthenticated);
}

TEST_F(AccessTest, EachCommandNeedsItsRight) {
  for (const Right right : kAllRights) {
    auto member = Connect(absl::StrCat(R"({"groups":{")", RightName(right), R"(":["a"]}})"));
    EXPECT_EQ(SendTo(member.get(), "a"), right == Right::kSend ? "" : "forbidden");
    EXPECT_EQ(Read(member.get(), "a"), right == Right::kRead ? "" : "forbidden");
    EXPECT_EQ(Join(member.get(), "a"), right == Right::kJoin ? "" : "forbidden");
    EXPECT_EQ(Join(member.get(), "b"), "forbidden");
  }
}

TEST_F(AccessTest, AJoinWithHistoryNeedsTheRightToRead) {
  auto joins = Connect(R"({"groups":{"join":["a"]}})");
  EXPECT_EQ(Join(joins.get(), "a", R"(,"history":5)"), "forbidden");
  EXPECT_EQ(Join(joins.get(), "a", R"(,"since":{"epoch":"000000000000000a","offset":0})"), "");
  auto reads = Connect(R"({"groups":{"join":["b"],"read":["b"]}})");
  EXPECT_EQ(Join(reads.get(), "b", R"(,"history":5)"), "");
}

TEST_F(AccessTest, OfManyGroupsTheForbiddenOnesAreRefused) {
  auto member = Connect(R"({"groups":{"send":["a"]}})");
  Do(member.get(), R"({"cmd":"send_to_group","id":1,"group_ids":["a","b"],"message":"m"})");
  ASSERT_EQ(member->received.size(), 1u);
  EXPECT_THAT(member->received[0], HasSubstr(R"({"group_id":"a","epoch")"));
  EXPECT_THAT(member->received[0], HasSubstr(R"({"group_id":"b","code":"forbidden")"));
}

TEST_F(AccessTest, WhatIsSentToAUserReachesAllItsConnections) {
  auto first = Connect(R"({"sub":"alice"})");
  auto second = Connect(R"({"sub":"alice"})");
  auto other = Connect(R"({"sub":"bob"})");
  auto sender = Connect(R"({"groups":{"send":["user:*"]}})");
  EXPECT_EQ(SendTo(sender.get(), "user:alice"), "");
  EXPECT_THAT(first->received, ElementsAre(HasSubstr(R"("message":"m")")));
  EXPECT_THAT(second->received, ElementsAre(HasSubstr(R"("message":"m")")));
  EXPECT_THAT(other->received, IsEmpty());
  EXPECT_EQ(Join(other.get(), "user:alice"), "forbidden");
}

TEST_F(AccessTest, APersonalGroupRecovers) {
  auto first = Connect(R"({"sub":"alice"})");
  Publish("user:alice", "one");
  ASSERT_EQ(first->received.size(), 1u);
  // Its position is known from a join, which changes nothing else.
  EXPECT_EQ(Join(first.get(), "user:alice"), "");
  const std::string position = first->received[0].substr(first->received[0].find("\"epoch\""));
  first.reset();
  Publish("user:alice", "two");
  auto second = Connect(R"({"sub":"alice"})");
  Publish("user:alice", "three");
  EXPECT_THAT(second->received, ElementsAre(HasSubstr("three")));
  second->received.clear();
  second->Do(absl::StrCat(R"({"cmd":"add_group","id":2,"group_id":"user:alice","since":{)",
                          position, "}"));
  hub_.Pump();
  EXPECT_THAT(second->received,
              ElementsAre(HasSubstr(R"("recovered":true)"), HasSubstr("two"), HasSubstr("three")));
  // From now on it is a membership like any other.
  second->received.clear();
  second->Do(absl::StrCat(R"({"cmd":"add_group","id":3,"group_id":"user:alice","since":{)",
                          position, "}"));
  hub_.Pump();
  EXPECT_THAT(second->received, ElementsAre(HasSubstr(R"("recovered":false)")));
  Publish("user:alice", "four");
  EXPECT_EQ(second->received.size(), 2u);
}

TEST_F(AccessTest, APersonalGroupIsJoinedWhenTheChannelIsBack) {
  channel_.SetConnected(false);
  hub_.Pump();
  auto member = Connect(R"({"sub":"alice"})");
  clock_.Advance(absl::Seconds(6));
  service_.CheckDeadlines();
  EXPECT_THAT(member->received, IsEmpty());  // the client has not asked for it
  channel_.SetConnected(true);
  hub_.Pump();
  service_.CheckDeadlines();
  hub_.Pump();
  Publish("user:alice", "one");
  EXPECT_THAT(member->received, ElementsAre(HasSubstr("one")));
}

// It has its place beside the groups of the client, also when it comes after them.
TEST_F(AccessTest, APersonalGroupDoesNotCountForTheBound) {
  auto member = Connect(R"({"groups":["*"]})");  // without a user yet
  for (int i = 0; i < 128; ++i) EXPECT_EQ(Join(member.get(), absl::StrCat("g", i)), "");
  EXPECT_EQ(Join(member.get(), "one more"), "too_many_groups");
  auto alice = Connect(R"({"sub":"alice","groups":["*"]})");
  for (int i = 0; i < 128; ++i) EXPECT_EQ(Join(alice.get(), absl::StrCat("g", i)), "");
  EXPECT_EQ(Join(alice.get(), "one more"), "too_many_groups");
  channel_.SetConnected(false);
  hub_.Pump();
  auto late = Connect(R"({"sub":"bob","groups":["*"]})");
  clock_.Advance(absl::Seconds(6));
  service_.CheckDeadlines();  // its personal group was not joined
  channel_.SetConnected(true);
  hub_.Pump();
  for (int i = 0; i < 128; ++i) EXPECT_EQ(Join(late.get(), absl::StrCat("g", i)), "");
  late->received.clear();
  service_.CheckDeadlines();
  hub_.Pump();
  Publish("user:bob", "one");
  EXPECT_THAT(late->received, ElementsAre(HasSubstr("one")));
}

TEST_F(AccessTest, TheExpiryIsToldAndThenEndsTheConnection) {
  const int64_t end = absl::ToUnixSeconds(absl::Now()) + 60;
  auto member = Connect(absl::StrCat(R"({"exp":)", end, R"(,"groups":["a"]})"));
  clock_.Advance(absl::Seconds(61));
  service_.CheckDeadlines();
  EXPECT_THAT(member->received, ElementsAre(HasSubstr(R"("code":"token_expired")")));
  EXPECT_EQ(member->disconnected, std::nullopt);
  EXPECT_EQ(SendTo(member.get(), "a"), "");  // within the grace
  clock_.Advance(absl::Seconds(25));
  service_.CheckDeadlines();
  EXPECT_EQ(member->disconnected, CloseCode::kTokenExpired);
}

TEST_F(AccessTest, AFreshTokenBehindASendThatWaitsForRoomComesInTime) {
  const int64_t end = absl::ToUnixSeconds(absl::Now()) + 60;
  auto member = Connect(absl::StrCat(R"({"exp":)", end, R"(,"groups":["a"]})"));
  channel_.SetRoom(false);
  Do(member.get(), R"({"cmd":"send_to_group","group_id":"a","message":"m"})");
  ASSERT_TRUE(member->waits_for_room);
  member->Do(absl::StrCat(R"({"cmd":"authenticate","id":1,"token":")",
                          Signed(R"({"groups":["a"]})"), "\"}"));
  clock_.Advance(absl::Seconds(61 + 25));
  service_.CheckDeadlines();
  EXPECT_EQ(member->disconnected, std::nullopt);
  member->received.clear();
  channel_.SetRoom(true);
  service_.CheckDeadlines();
  hub_.Pump();
  EXPECT_THAT(member->received, ElementsAre(HasSubstr(R"("event":"reply","id":1)")));
  clock_.Advance(absl::Hours(1));
  service_.CheckDeadlines();
  EXPECT_EQ(member->disconnected, std::nullopt);
}

TEST_F(AccessTest, AFreshTokenMayTakeGroupsAway) {
  auto member = Connect(R"({"sub":"alice","groups":["a","b"]})");
  EXPECT_EQ(Join(member.get(), "a"), "");
  EXPECT_EQ(Join(member.get(), "b"), "");
  Do(member.get(), absl::StrCat(R"({"cmd":"authenticate","id":1,"token":")",
                                Signed(R"({"sub":"alice","groups":["b"]})"), "\"}"));
  ASSERT_EQ(member->received.size(), 2u);
  EXPECT_THAT(member->received[1], HasSubstr(R"("group_id":"a","code":"forbidden")"));
  member->received.clear();
  Publish("a", "one");
  Publish("b", "two");
  Publish("user:alice", "three");
  EXPECT_THAT(member->received, ElementsAre(HasSubstr("two"), HasSubstr("three")));
}

TEST_F(AccessTest, ATokenForAGroup) {
  const int64_t end = absl::ToUnixSeconds(absl::Now()) + 60;
  auto member = Connect(R"({"sub":"alice"})");
  EXPECT_EQ(Join(member.get(), "room"), "forbidden");
  const std::string token =
      Signed(absl::StrCat(R"({"sub":"alice","group":"room","exp":)", end, "}"));
  EXPECT_EQ(Join(member.get(), "other", absl::StrCat(R"(,"token":")", token, "\"")), "forbidden");
  EXPECT_EQ(Join(member.get(), "room", absl::StrCat(R"(,"token":")", token, "\"")), "");
  clock_.Advance(absl::Seconds(80));
  service_.CheckDeadlines();
  Publish("room", "one");
  EXPECT_THAT(member->received.back(), HasSubstr("one"));
  member->received.clear();
  clock_.Advance(absl::Seconds(6));
  service_.CheckDeadlines();
  Publish("room", "two");
  EXPECT_THAT(member->received,
              ElementsAre(HasSubstr(R"("group_id":"room","code":"token_expired")")));
  EXPECT_EQ(member->disconnected, std::nullopt);
}

TEST_F(AccessTest, AWeakerTokenForAGroupDoesNotKeepTheMembership) {
  auto member = Connect(R"({"sub":"alice"})");
  const auto with = [](absl::string_view rights) {
    return absl::StrCat(
        R"(,"token":")",
        Signed(absl::StrCat(R"({"sub":"alice","group":"room","rights":[)", rights, "]}")), "\"");
  };
  EXPECT_EQ(Join(member.get(), "room", with("\"join\"")), "");
  Do(member.get(),
     absl::StrCat(R"({"cmd":"add_group","id":1,"group_id":"room")", with("\"send\""), "}"));
  ASSERT_EQ(member->received.size(), 2u);
  EXPECT_THAT(member->received[1], HasSubstr(R"("group_id":"room","code":"forbidden")"));
  member->received.clear();
  Publish("room", "one");
  EXPECT_THAT(member->received, IsEmpty());
  EXPECT_EQ(SendTo(member.get(), "room"), "forbidden");  // the refused token gives nothing
}

// Without room, a send that may go waits. One that may not is refused at once, and never as
// something to try again.
TEST_F(AccessTest, AForbiddenSendDoesNotWaitForRoom) {
  channel_.SetRoom(false);
  auto member = Connect(R"({"groups":{"send":["a"]}})");
  EXPECT_EQ(SendTo(member.get(), "b"), "forbidden");
  EXPECT_EQ(SendTo(member.get(), "a"), "no answer");
  EXPECT_TRUE(member->waits_for_room);
}

// A refused group has no part in the room that a large send takes. If the service gave its room
// back too, no large send of any member would find room any more.
TEST_F(AccessTest, AForbiddenGroupOfALargeSendTakesNoRoom) {
  auto member = Connect(R"({"groups":{"send":["a"]}})");
  const std::string large(20'000, 'm');
  Do(member.get(),
     absl::StrCat(R"({"cmd":"send_to_group","id":1,"group_ids":["a","b"],"message":")", large,
                  "\"}"));
  ASSERT_EQ(member->received.size(), 1u);
  EXPECT_THAT(member->received[0], HasSubstr(R"({"group_id":"b","code":"forbidden")"));
  EXPECT_EQ(ErrorOf(member.get(),
                    absl::StrCat(R"({"cmd":"send_to_group","id":2,"group_id":"a","message":")",
                                 large.substr(2'000), "\"}")),
            "");
  EXPECT_FALSE(member->waits_for_room);
}

TEST_F(AccessTest, TheLeaveOfAGroupEndsItsToken) {
  auto member = Connect(R"({"sub":"alice"})");
  const std::string token = Signed(R"({"sub":"alice","group":"room"})");
  EXPECT_EQ(Join(member.get(), "room", absl::StrCat(R"(,"token":")", token, "\"")), "");
  Do(member.get(), R"({"cmd":"leave_group","group_id":"room"})");
  EXPECT_EQ(Join(member.get(), "room"), "forbidden");
}

TEST_F(AccessTest, MessagesNameTheirSenderWhereTheRuleSaysSo) {
  auto sender = Connect(R"({"sub":"al\"ice","groups":["named:1","other"]})");
  auto reader = Connect(R"({"groups":["named:1","other"]})");
  EXPECT_EQ(Join(reader.get(), "named:1"), "");
  EXPECT_EQ(Join(reader.get(), "other"), "");
  const std::string from = absl::StrCat(
      R"("from":{"user":"al\"ice","connection_id":")",
      absl::Hex(static_cast<uint64_t>(sender->connection_id()), absl::kZeroPad16), "\"}");
  Do(reader.get(), R"({"cmd":"ping"})");
  // What a client says of itself counts for nothing.
  Do(sender.get(), R"({"cmd":"send_to_group","group_id":"named:1","message":"m","from":"x"})");
  Do(sender.get(), R"({"cmd":"send_to_group","group_id":"other","message":"m","from":"x"})");
  ASSERT_EQ(reader->received.size(), 2u);
  EXPECT_THAT(reader->received[0], HasSubstr(from));
  EXPECT_THAT(reader->received[1], ::testing::Not(HasSubstr("from")));
  // In the history and in recovery too.
  EXPECT_EQ(Read(reader.get(), "named:1"), "");
  EXPECT_THAT(reader->received[0], HasSubstr(from));
  // From the channel too, when the worker has no member and no recent message of the group.
  Do(reader.get(), R"({"cmd":"leave_group","group_id":"named:1"})");
  auto late = Connect(R"({"groups":["named:1"]})");
  late->Do(R"({"cmd":"add_group","id":1,"group_id":"named:1","history":1})");
  hub_.Pump();
  EXPECT_THAT(late->received.back(), HasSubstr(from));
}

// The groups of one user.
class CountedGroups final : public UserCounts {
 public:
  bool AddBelow(uint32_t max, uint64_t) override {
    if (count_ >= max) return false;
    ++count_;
    return true;
  }
  void Remove(uint64_t) override { --count_; }
  int64_t count() const { return count_; }

 private:
  int64_t count_ = 0;
};

// Otherwise a client could join without a token, and show it then.
TEST(UserGroupsTest, GroupsFromBeforeTheTokenCountToo) {
  CountedGroups counts;
  GroupServiceOptions options = Options(/*allow_anonymous=*/true);
  options.users.groups_max = 2;
  options.users.groups = &counts;
  FakeClock clock;
  GroupService service(options, &clock);
  MemoryHub hub(kEpoch);
  MemoryChannel channel(&hub, &service);
  service.SetChannel(&channel);
  channel.SetConnected(true);
  hub.Pump();
  {
    FakeMember member(1, &kPlainV1Encoding, &service);
    for (const char* group : {"open:1", "open:2", "open:3", "open:4"}) {
      member.Do(absl::StrCat(R"({"cmd":"add_group","group_id":")", group, "\"}"));
    }
    hub.Pump();
    ASSERT_EQ(member.group_count(), 4u) << absl::StrJoin(member.received, " ");
    member.Do(absl::StrCat(R"({"cmd":"authenticate","id":7,"token":")",
                           Signed(R"({"sub":"alice"})"), "\"}"));
    EXPECT_THAT(
        member.received,
        ElementsAre(
            HasSubstr(R"("user":"alice")"),
            AllOf(HasSubstr(R"("code":"too_many_groups")"), HasSubstr(R"("group_id":"open:4")")),
            AllOf(HasSubstr(R"("code":"too_many_groups")"), HasSubstr(R"("group_id":"open:3")"))));
    EXPECT_EQ(counts.count(), 2);
    hub.Pump();  // the personal group
    member.received.clear();
    member.Do(R"({"cmd":"add_group","group_id":"open:5","id":8})");
    EXPECT_THAT(member.received, ElementsAre(HasSubstr("too_many_groups")));
    member.Do(R"({"cmd":"leave_group","group_id":"open:1"})");
    EXPECT_EQ(counts.count(), 1);
  }
  EXPECT_EQ(counts.count(), 0);
}

// Any further connection of a user is one too many.
class NoMoreConnections final : public UserCounts {
 public:
  bool AddBelow(uint32_t, uint64_t) override { return std::exchange(has_room_, false); }
  void Remove(uint64_t) override {}

 private:
  bool has_room_ = true;
};

TEST(UserConnectionsTest, OneTooManyIsToldAndEnds) {
  NoMoreConnections counts;
  GroupServiceOptions options = Options(/*allow_anonymous=*/false);
  options.users.connections_max = 1;
  options.users.connections = &counts;
  FakeClock clock;
  GroupService service(options, &clock);
  MemoryHub hub(kEpoch);
  MemoryChannel channel(&hub, &service);
  service.SetChannel(&channel);
  const std::string token = Signed(R"({"sub":"alice"})");
  FakeMember first(1, &kPlainV1Encoding, &service);
  service.Admit(&first, service.Identify(&first, token));
  EXPECT_EQ(first.disconnected, std::nullopt);

  FakeMember at_connect(2, &kPlainV1Encoding, &service);
  service.Admit(&at_connect, service.Identify(&at_connect, token));
  EXPECT_THAT(
      at_connect.received,
      ElementsAre(
          R"({"event":"error","code":"too_many_connections","message":"the user has 1 connections","retry":true})"));
  EXPECT_EQ(at_connect.disconnected, CloseCode::kOverLimit);

  FakeMember by_command(3, &kPlainV1Encoding, &service);
  by_command.Do(absl::StrCat(R"({"cmd":"authenticate","id":7,"token":")", token, "\"}"));
  EXPECT_THAT(
      by_command.received,
      ElementsAre(HasSubstr(
          R"("id":7,"cmd":"authenticate","code":"too_many_connections","message":"the user has 1)")));
  EXPECT_EQ(by_command.disconnected, CloseCode::kOverLimit);
  EXPECT_EQ(service.counters().user_connections, 2u);
}

class AnonymousAccessTest : public AccessTest {
 protected:
  AnonymousAccessTest() : AccessTest(/*allow_anonymous=*/true) {}
};

TEST_F(AnonymousAccessTest, HasWhatIsForAnyone) {
  auto member = V1();
  Show(member.get(), "");
  EXPECT_EQ(Join(member.get(), "open:1"), "");
  EXPECT_EQ(Join(member.get(), "closed"), "forbidden");
  EXPECT_EQ(ErrorOf(member.get(), R"({"cmd":"authenticate","id":1,"token":"x"})"), "unauthorized");
  EXPECT_EQ(member->disconnected, std::nullopt);
}

TEST_F(AnonymousAccessTest, ABadTokenAtConnectIsNotAnonymity) {
  auto member = V1();
  Show(member.get(), "no token");
  EXPECT_EQ(member->disconnected, CloseCode::kNotAuthenticated);
}

}  // namespace
}  // namespace groupcast::service
