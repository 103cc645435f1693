// GiveUp: at the end of a drain, each command that was read gets one answer.

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/groups/group_service_fixture.h"

namespace groupcast::service {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// The text after `name` in an event, up to the next comma or brace.
std::string Field(const std::string& event, const std::string& name) {
  const std::string start = absl::StrCat("\"", name, "\":");
  const size_t at = event.find(start);
  if (at == std::string::npos) return "";
  const size_t begin = at + start.size();
  return event.substr(begin, event.find_first_of(",}", begin) - begin);
}

// The answers that came since the last call: the id and the code, or `ok`.
Received TakeAnswers(FakeMember* client) {
  Received answers;
  for (const std::string& event : client->received) {
    if (!absl::StrContains(event, R"("event":"error")") &&
        !absl::StrContains(event, R"("event":"reply")")) {
      continue;
    }
    const std::string code = Field(event, "code");
    answers.push_back(absl::StrCat(Field(event, "id"), " ", code.empty() ? "ok" : code));
  }
  client->received.clear();
  return answers;
}

std::string Join(const std::string& group, int id) {
  return absl::StrCat(R"({"cmd":"add_group","group_id":")", group, R"(","id":)", id, "}");
}

std::string SendTo(const std::string& group, int id) {
  return absl::StrCat(R"({"cmd":"send_to_group","group_id":")", group, R"(","message":1,"id":)", id,
                      "}");
}

std::string ReadHistory(const std::string& group, int id) {
  return absl::StrCat(R"({"cmd":"group_history","group_id":")", group, R"(","id":)", id, "}");
}

class GroupServiceDrainTest : public GroupServiceFixture {
 protected:
  void Disconnect() {
    channel_.SetConnected(false);
    hub_.Pump();
  }

  // All results that the channel still owes come. None is for a client any more.
  void ExpectNothingMore(FakeMember* client) {
    channel_.HoldAnswers(false);
    channel_.SetConnected(true);
    hub_.Pump();
    clock_.Advance(absl::Minutes(1));
    service_.CheckDeadlines();
    service_.ServeReaders();
    hub_.Pump();
    EXPECT_THAT(TakeAnswers(client), IsEmpty());
    EXPECT_EQ(client->pending_answers, 0);
    EXPECT_EQ(client->pending_sends, 0u);
    EXPECT_FALSE(client->waits_for_room);
    EXPECT_EQ(service_.pending_sends(), 0u);
  }
};

TEST_F(GroupServiceDrainTest, AJoinAndTheSendBehindItAreRefused) {
  const auto client = V1();
  Disconnect();
  client->Do(Join("g", 1));
  client->Do(SendTo("g", 2));
  service_.GiveUp();
  EXPECT_THAT(TakeAnswers(client.get()), ElementsAre(R"(1 "unavailable")", R"(2 "unavailable")"));
  ExpectNothingMore(client.get());
}

// The worker knows the group, so the join waits for the channel's answer alone.
TEST_F(GroupServiceDrainTest, AJoinWithSinceAndTheSendBehindItAreRefused) {
  const auto other = V1();
  other->Do(Join("g", 1));
  hub_.Pump();
  const auto client = V1();
  channel_.HoldAnswers(true);
  client->Do(R"({"cmd":"add_group","group_id":"g","id":1,)"
             R"("since":{"epoch":"000000000000000a","offset":5}})");
  client->Do(SendTo("g", 2));
  ASSERT_EQ(client->pending_answers, 1);
  service_.GiveUp();
  EXPECT_THAT(TakeAnswers(client.get()), ElementsAre(R"(1 "unavailable")", R"(2 "unavailable")"));
  ExpectNothingMore(client.get());
}

TEST_F(GroupServiceDrainTest, AReadOfHistoryAndTheSendBehindItAreRefused) {
  const auto client = V1();
  channel_.HoldAnswers(true);
  client->Do(ReadHistory("g", 1));
  client->Do(SendTo("g", 2));
  ASSERT_EQ(client->pending_answers, 1);
  service_.GiveUp();
  EXPECT_THAT(TakeAnswers(client.get()), ElementsAre(R"(1 "unavailable")", R"(2 "unavailable")"));
  ExpectNothingMore(client.get());
}

TEST_F(GroupServiceDrainTest, ASendWithoutAResultIsToldAndTheSendBehindItIsRefused) {
  const auto client = V1();
  Disconnect();
  client->Do(SendTo("g", 1));
  channel_.SetRoom(false);
  client->Do(SendTo("g", 2));
  client->Do(SendTo("g", 3));
  ASSERT_TRUE(client->waits_for_room);
  service_.GiveUp();
  EXPECT_THAT(TakeAnswers(client.get()),
              ElementsAre(R"(1 "outcome_unknown")", R"(2 "unavailable")", R"(3 "unavailable")"));
  channel_.SetRoom(true);
  ExpectNothingMore(client.get());
}

// A refused command lets the next one run. That one must not wait again.
TEST_F(GroupServiceDrainTest, WhatRunsBehindARefusedCommandDoesNotWait) {
  const auto client = V1();
  Disconnect();
  client->Do(Join("a", 1));
  client->Do(SendTo("a", 2));
  client->Do(Join("b", 3));
  client->Do(SendTo("b", 4));
  client->Do(ReadHistory("b", 5));
  client->Do(SendTo("b", 6));
  client->Do(R"({"cmd":"ping","id":7})");
  service_.GiveUp();
  EXPECT_THAT(
      TakeAnswers(client.get()),
      ElementsAre(R"(1 "unavailable")", R"(2 "unavailable")", R"(3 "unavailable")",
                  R"(4 "unavailable")", R"(5 "unavailable")", R"(6 "unavailable")", "7 ok"));
  EXPECT_EQ(service_.table().membership_count(), 0u);
  ExpectNothingMore(client.get());
}

// A join runs beside a read of history. The send behind both runs when both are refused.
TEST_F(GroupServiceDrainTest, ASendBehindAReadAndAJoinIsRefusedOnce) {
  const auto client = V1();
  channel_.HoldAnswers(true);
  channel_.HoldMessages(true);
  client->Do(ReadHistory("g", 1));
  client->Do(Join("h", 2));
  client->Do(SendTo("h", 3));
  ASSERT_EQ(client->pending_answers, 2);
  service_.GiveUp();
  EXPECT_THAT(TakeAnswers(client.get()),
              ElementsAre(R"(2 "unavailable")", R"(1 "unavailable")", R"(3 "unavailable")"));
  channel_.HoldMessages(false);
  ExpectNothingMore(client.get());
}

// Without an id, each group of a send has its own error. Later results must not add to them.
TEST_F(GroupServiceDrainTest, ASendToSeveralGroupsWithoutAnIdIsToldOnce) {
  const auto client = V1();
  Disconnect();
  client->Do(R"({"cmd":"send_to_group","group_ids":["a","b"],"message":1})");
  service_.GiveUp();
  EXPECT_THAT(TakeAnswers(client.get()), ElementsAre(R"( "outcome_unknown")"));
  channel_.FailWaiting(absl::UnavailableError("it waited too long"));
  ExpectNothingMore(client.get());
}

}  // namespace
}  // namespace groupcast::service
