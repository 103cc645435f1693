#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "services/groups/group_service_fixture.h"

namespace groupcast::service {
namespace {

using SendsTest = GroupServiceFixture;

TEST_F(SendsTest, TheReplyToASendIsItsPosition) {
  const auto client = Bare();
  client->Do(R"({"cmd":"send_to_group","group_id":"g","message":"m","id":"x"})");
  hub_.Pump();
  EXPECT_EQ(
      client->received,
      Received(
          {R"({"event":"reply","id":"x","group_id":"g","epoch":"000000000000000a","offset":1})"}));
}

TEST_F(SendsTest, ASendToManyGroupsIsAnsweredOnceWithEachResult) {
  const auto client = Bare();
  client->Do(R"({"cmd":"send_to_group","group_ids":["a","","b"],"message":"m","id":1})");
  hub_.Pump();
  ASSERT_EQ(client->received.size(), 1u);
  EXPECT_TRUE(absl::StrContains(client->received[0],
                                R"({"group_id":"a","epoch":"000000000000000a","offset":1})"));
  EXPECT_TRUE(
      absl::StrContains(client->received[0], R"({"group_id":"","code":"group_id_invalid")"));
  EXPECT_TRUE(absl::StrContains(client->received[0],
                                R"({"group_id":"b","epoch":"000000000000000a","offset":2})"));
}

TEST_F(SendsTest, ASendWaitsWhileTheChannelIsAway) {
  channel_.SetConnected(false);
  hub_.Pump();
  const auto client = Bare();
  client->Do(R"({"cmd":"send_to_group","group_id":"g","message":"m","id":1})");
  hub_.Pump();
  EXPECT_EQ(client->received, Received());
  channel_.SetConnected(true);
  hub_.Pump();
  EXPECT_EQ(
      client->received,
      Received(
          {R"({"event":"reply","id":1,"group_id":"g","epoch":"000000000000000a","offset":1})"}));
}

TEST_F(SendsTest, WhatTheChannelCouldNotDoIsToldInTheProtocolsWords) {
  channel_.SetConnected(false);
  const std::pair<absl::Status, const char*> cases[] = {
      {absl::UnavailableError("x"), R"("code":"unavailable","message":"x","retry":true)"},
      {absl::UnknownError("x"), R"("code":"outcome_unknown","message":"x","retry":true)"},
      {absl::ResourceExhaustedError("x"),
       R"("code":"message_too_large","message":"x","retry":false)"},
      {absl::InternalError("x"), R"("code":"internal","message":"x","retry":true)"}};
  for (const auto& [status, words] : cases) {
    const auto client = Bare();
    client->Do(R"({"cmd":"send_to_group","group_id":"g","message":"m"})");
    channel_.FailWaiting(status);
    hub_.Pump();
    ASSERT_EQ(client->received.size(), 1u);
    EXPECT_TRUE(absl::StrContains(client->received[0], words)) << client->received[0];
  }
}

class MessageRulesTest : public GroupServiceFixture {
 protected:
  MessageRulesTest()
      : GroupServiceFixture({.commands = {.message_bytes_max = 30},
                             .send_rules = {.message_bytes_by_prefix = PrefixMap<size_t>(
                                                {{"", 20}, {"news.", 4}, {"news.long.", 25}})}}) {}

  // The answer to a send of `bytes` bytes. Empty: there is no error.
  std::string Send(const std::string& group, size_t bytes) {
    const auto client = Bare();
    client->Do(absl::StrCat(R"({"cmd":"send_to_group","group_id":")", group, R"(","message":")",
                            std::string(bytes, 'm'), "\"}"));
    hub_.Pump();
    return client->received.empty() ? "" : client->received[0];
  }
};

TEST_F(MessageRulesTest, TheLimitOfAMessageIsThatOfTheGroupsLongestPrefix) {
  EXPECT_EQ(Send("x", 20), "");
  EXPECT_EQ(Send("news.x", 4), "");
  EXPECT_EQ(Send("news.long.x", 25), "");
  const auto refusal = [](size_t bytes, size_t limit) {
    return absl::StrCat(R"({"event":"error","cmd":"send_to_group","code":"message_too_large",)",
                        R"("message":"the message has )", bytes,
                        " bytes; the limit of this group is ", limit, R"(","retry":false})");
  };
  EXPECT_EQ(Send("x", 21), refusal(21, 20));
  EXPECT_EQ(Send("news.x", 5), refusal(5, 4));
  EXPECT_EQ(Send("news.long.x", 26), refusal(26, 25));
  EXPECT_TRUE(absl::StrContains(Send("news.long.x", 31), "the limit is 30"));
}

TEST_F(MessageRulesTest, ASendToManyGroupsIsRefusedForThoseWithALowerLimit) {
  const auto client = Bare();
  client->Do(R"({"cmd":"send_to_group","group_ids":["x","news.x"],"message":"12345","id":1})");
  hub_.Pump();
  ASSERT_EQ(client->received.size(), 1u);
  EXPECT_TRUE(absl::StrContains(client->received[0], R"("group_id":"x","epoch")"))
      << client->received[0];
  EXPECT_TRUE(absl::StrContains(
      client->received[0], R"("message":"the message has 5 bytes; the limit of this group is 4")"))
      << client->received[0];
}

TEST_F(SendsTest, AKeyCountsOnceInItsSessionAndGroup) {
  const auto first = Bare();
  const auto again = Bare();
  const auto other = Bare();
  first->set_session(FingerprintOf({"s"}));
  again->set_session(FingerprintOf({"s"}));
  for (FakeMember* sender : {first.get(), again.get(), other.get()}) {
    sender->Do(R"({"cmd":"send_to_group","group_id":"g","message":1,"key":"k","id":1})");
    sender->Do(R"({"cmd":"send_to_group","group_id":"h","message":1,"key":"k","id":1})");
    sender->Do(R"({"cmd":"send_to_group","group_id":"g","message":1,"key":"l","id":1})");
  }
  hub_.Pump();
  EXPECT_EQ(first->received, again->received);
  EXPECT_NE(first->received, other->received);
  EXPECT_TRUE(absl::StrContains(other->received[2], "\"offset\":6"));
}

TEST_F(SendsTest, TheSendersSessionGetsThePlaceAndNotTheMessage) {
  const auto sender = V1();
  const auto same_session = V1();
  const auto same_session_bare = Bare();
  const auto other = V1();
  const auto nameless = Bare();
  for (FakeMember* member : {sender.get(), same_session.get(), same_session_bare.get()}) {
    member->set_session(FingerprintOf({"s"}));
  }
  for (FakeMember* member :
       {sender.get(), same_session.get(), same_session_bare.get(), other.get(), nameless.get()}) {
    member->Do(R"({"cmd":"add_group","group_id":"g"})");
  }
  hub_.Pump();
  sender->Do(R"({"cmd":"send_to_group","group_id":"g","message":"m","exclude_self":true})");
  // A connection without a session is its own.
  nameless->Do(R"({"cmd":"send_to_group","group_id":"g","message":"n","exclude_self":true})");
  hub_.Pump();
  ASSERT_EQ(sender->received.size(), 2u);
  EXPECT_EQ(sender->received[0],
            R"({"event":"message","group_id":"g","offset":1,"previous":0,"excluded":true})");
  EXPECT_TRUE(absl::StrContains(sender->received[1], R"("message":"n","offset":2,"previous":1)"));
  EXPECT_EQ(same_session->received, sender->received);
  EXPECT_EQ(same_session->blocks[0].bytes().data(), sender->blocks[0].bytes().data());
  EXPECT_EQ(same_session_bare->received, Received({"n"}));
  ASSERT_EQ(other->received.size(), 2u);
  EXPECT_TRUE(absl::StrContains(other->received[0], R"("message":"m")"));
  EXPECT_EQ(nameless->received, Received({"m"}));
}

// Not lost, not refused: whoever sends is not read until there is room.
TEST_F(SendsTest, SendsWaitForRoomInTheChannelAndGoOnInTurn) {
  const auto reader = Bare();
  reader->Do(R"({"cmd":"add_group","group_id":"g"})");
  hub_.Pump();
  channel_.SetRoom(false);
  const auto a = Bare();
  const auto b = Bare();
  auto gone = Bare();
  const auto no_sender = Bare();
  a->Do(R"({"cmd":"send_to_group","group_id":"g","message":"a1"})");
  b->Do(R"({"cmd":"send_to_group","group_id":"g","message":"b1"})");
  gone->Do(R"({"cmd":"send_to_group","group_id":"g","message":"gone"})");
  a->Do(R"({"cmd":"send_to_group","group_id":"g","message":"a2"})");
  no_sender->Do(R"({"cmd":"ping","id":1})");
  gone.reset();
  hub_.Pump();
  EXPECT_EQ(reader->received, Received());
  EXPECT_EQ(no_sender->received.size(), 1u);
  EXPECT_TRUE(a->waits_for_room);
  channel_.SetRoom(true);
  channel_.SetRoom(false);  // it is gone again before anybody could use it
  hub_.Pump();
  EXPECT_EQ(reader->received, Received());
  channel_.SetRoom(true);
  hub_.Pump();
  EXPECT_EQ(reader->received, Received({"a1", "b1", "a2"}));
  EXPECT_FALSE(a->waits_for_room);
}

// The channel has room for five publications while it is away.
class RoomTest : public GroupServiceFixture {
 protected:
  RoomTest() {
    for (const char* id : {"a", "b", "c"}) {
      reader_->Do(absl::StrCat(R"({"cmd":"add_group","group_id":")", id, R"("})"));
    }
    hub_.Pump();
    channel_.SetWaitingMax(5);
    channel_.SetConnected(false);
    hub_.Pump();
  }
  void Reconnect() {
    channel_.SetConnected(true);
    hub_.Pump();
  }

  static std::string ToOne(absl::string_view text) {
    return absl::StrCat(R"({"cmd":"send_to_group","id":1,"group_id":"a","message":")", text,
                        R"("})");
  }
  static std::string ToThree(absl::string_view text) {
    return absl::StrCat(R"({"cmd":"send_to_group","id":1,"group_ids":["a","b","c"],"message":")",
                        text, R"("})");
  }

  std::unique_ptr<FakeMember> reader_ = Bare();
};

TEST_F(RoomTest, ASendToSeveralGroupsIsTakenWholeOrWaitsWhole) {
  const auto first = V1();
  const auto second = V1();
  first->Do(ToThree("x"));
  second->Do(ToThree("y"));
  EXPECT_FALSE(first->waits_for_room);
  EXPECT_TRUE(second->waits_for_room);
  Reconnect();
  EXPECT_EQ(reader_->received, Received({"x", "x", "x", "y", "y", "y"}));
  for (const auto* member : {&first, &second}) {
    ASSERT_EQ((*member)->received.size(), 1u);
    EXPECT_FALSE(absl::StrContains((*member)->received[0], "unavailable"));
  }
}

TEST_F(RoomTest, SmallSendsDoNotOvertakeALargeOneThatWaits) {
  const auto small = V1();
  const auto large = V1();
  const auto late = V1();
  for (int i = 0; i < 3; ++i) small->Do(ToOne("s"));
  large->Do(ToThree("l"));
  late->Do(ToOne("late"));
  small->Do(ToOne("late too"));
  EXPECT_FALSE(channel_.HasRoomFor({.count = 3}));
  EXPECT_TRUE(channel_.HasRoomFor({}));  // and yet they wait
  EXPECT_TRUE(late->waits_for_room && small->waits_for_room);
  Reconnect();
  // The reader gets one group after the other: first all of "a".
  EXPECT_EQ(reader_->received, Received({"s", "s", "s", "l", "late", "late too", "l", "l"}));
}

TEST_F(RoomTest, WhatIsLargerThanAllRoomGoesWhenNothingElseWaits) {
  channel_.SetWaitingMax(2);
  const auto small = V1();
  const auto large = V1();
  small->Do(ToOne("s"));
  large->Do(ToThree("l"));
  EXPECT_TRUE(large->waits_for_room);
  Reconnect();
  EXPECT_EQ(reader_->received, Received({"s", "l", "l", "l"}));
  EXPECT_FALSE(absl::StrContains(large->received[0], "unavailable"));
}

TEST_F(RoomTest, IfTheFirstThatWaitsHasGoneTheNextContinues) {
  const auto small = V1();
  auto large = V1();
  const auto late = V1();
  for (int i = 0; i < 3; ++i) small->Do(ToOne("s"));
  large->Do(ToThree("l"));
  late->Do(ToOne("late"));
  large.reset();
  service_.CheckDeadlines();
  EXPECT_FALSE(late->waits_for_room);
  Reconnect();
  EXPECT_EQ(reader_->received, Received({"s", "s", "s", "late"}));
}

TEST_F(RoomTest, AfterALongTimeASendToSeveralGroupsIsRefusedWhole) {
  const auto small = V1();
  const auto large = V1();
  for (int i = 0; i < 3; ++i) small->Do(ToOne("s"));
  large->Do(ToThree("l"));
  clock_.Advance(absl::Seconds(10));
  service_.CheckDeadlines();
  ASSERT_EQ(large->received.size(), 1u);
  for (const char* id : {"a", "b", "c"}) {
    EXPECT_TRUE(absl::StrContains(
        large->received[0], absl::StrCat(R"({"group_id":")", id, R"(","code":"unavailable")")));
  }
  Reconnect();
  EXPECT_EQ(reader_->received, Received({"s", "s", "s"}));
}

// What is not read grows old where nobody sees it, and its key might be forgotten when it is done.
TEST_F(SendsTest, SendsDoNotWaitForRoomWhileTheChannelIsAwayForLong) {
  channel_.SetRoom(false);
  const auto member = Bare();
  member->Do(R"({"cmd":"send_to_group","group_id":"g","message":"x","id":1})");
  clock_.Advance(absl::Minutes(5));
  service_.CheckDeadlines();
  channel_.SetConnected(false);
  hub_.Pump();
  clock_.Advance(absl::Milliseconds(9'999));
  service_.CheckDeadlines();
  hub_.Pump();
  EXPECT_TRUE(member->waits_for_room);
  clock_.Advance(absl::Milliseconds(1));
  service_.CheckDeadlines();
  hub_.Pump();
  ASSERT_EQ(member->received.size(), 1u);
  EXPECT_TRUE(absl::StrContains(member->received[0], R"("code":"unavailable")"));
  member->Do(R"({"cmd":"send_to_group","group_id":"g","message":"x","id":2})");
  hub_.Pump();
  EXPECT_EQ(member->received.size(), 2u);
}

class SendRateRulesTest : public GroupServiceFixture {
 protected:
  SendRateRulesTest()
      : GroupServiceFixture(
            {.send_rules = {.message_bytes_by_prefix = PrefixMap<size_t>({{"chat.", 9}}),
                            .send_rate_by_prefix = PrefixMap<TokenRate>(
                                {{"chat.", {.per_second = 2, .burst = 3}}, {"chat.vip.", {}}})}}) {}

  // For each of `count` sends: whether it was published.
  std::string Answers(FakeMember* member, const std::string& group, int count) {
    std::string answers;
    for (int i = 0; i < count; ++i) {
      member->received.clear();
      member->Do(
          absl::StrCat(R"({"cmd":"send_to_group","id":1,"message":1,"group_id":")", group, "\"}"));
      hub_.Pump();
      answers += absl::StrContains(member->received.at(0), R"("event":"reply")")         ? 'r'
                 : absl::StrContains(member->received.at(0), R"("code":"rate_limited")") ? 'l'
                                                                                         : '?';
    }
    return answers;
  }
};

TEST_F(SendRateRulesTest, AGroupTakesABurstFromOneConnectionAndThenTheRate) {
  const auto client = V1();
  EXPECT_EQ(Answers(client.get(), "chat.a", 5), "rrrll");
  EXPECT_EQ(client->received.back(),
            R"({"event":"error","id":1,"cmd":"send_to_group","code":"rate_limited","message":)"
            R"("this group takes 2 messages a second from one connection, after 3 at once",)"
            R"("retry":true})");
  EXPECT_EQ(Answers(client.get(), "chat.b", 1), "r") << "each group has its own";
  EXPECT_EQ(Answers(V1().get(), "chat.a", 1), "r") << "each connection has its own";
  EXPECT_EQ(Answers(client.get(), "chat.vip.a", 9), "rrrrrrrrr") << "the longest prefix counts";
  EXPECT_EQ(Answers(client.get(), "other", 9), "rrrrrrrrr");
  clock_.Advance(absl::Milliseconds(500));
  EXPECT_EQ(Answers(client.get(), "chat.a", 2), "rl");
  EXPECT_EQ(service_.counters().sends_limited, 3u);
}

TEST_F(SendRateRulesTest, AMessageThatIsTooLargeCostsNothing) {
  const auto client = V1();
  for (int i = 0; i < 4; ++i) {
    client->Do(R"({"cmd":"send_to_group","id":1,"message":"0123456789","group_id":"chat.a"})");
    EXPECT_TRUE(absl::StrContains(client->received.back(), "message_too_large"));
  }
  EXPECT_EQ(Answers(client.get(), "chat.a", 4), "rrrl");
  EXPECT_EQ(service_.counters().message_too_large, 4u);
}

TEST_F(SendRateRulesTest, ASendToManyGroupsIsRefusedForThoseOverTheirRate) {
  const auto client = V1();
  ASSERT_EQ(Answers(client.get(), "chat.a", 3), "rrr");
  client->Do(R"({"cmd":"send_to_group","group_ids":["chat.a","other"],"message":1,"id":2})");
  hub_.Pump();
  EXPECT_TRUE(absl::StrContains(client->received.back(),
                                R"({"group_id":"chat.a","code":"rate_limited","message":)"))
      << client->received.back();
  EXPECT_TRUE(absl::StrContains(client->received.back(), R"({"group_id":"other","epoch":)"));
}

}  // namespace
}  // namespace groupcast::service
