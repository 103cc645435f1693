#include "sdk/cpp/groupcast/session.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "sdk/cpp/groupcast/status.h"

namespace groupcast {
namespace {

using absl::StatusCode;

// Notes all that the application hears, as lines.
class SessionTest : public testing::Test {
 protected:
  static std::string Show(const absl::StatusOr<Position>& result) {
    if (result.ok()) return absl::StrCat(result->epoch, ":", result->offset);
    const std::string word = ErrorWord(result.status());
    return word.empty() ? absl::StatusCodeToString(result.status().code()) : word;
  }

  absl::Status Join(const std::string& group_id) {
    auto callbacks = std::make_shared<GroupCallbacks>();
    callbacks->on_message = [this](const Message& m) {
      heard_.push_back(absl::StrCat(m.group_id, " message ", m.json, " ", m.epoch, ":", m.offset));
    };
    callbacks->on_join = [this, group_id](const absl::StatusOr<Position>& result) {
      heard_.push_back(absl::StrCat(group_id, " join ", Show(result)));
    };
    callbacks->on_gap = [this](const Gap& gap) {
      heard_.push_back(absl::StrCat(gap.group_id, " gap ",
                                    gap.from ? absl::StrCat(*gap.from) : "null", " to ", gap.epoch,
                                    ":", gap.to));
    };
    return session_.Join(group_id, std::move(callbacks));
  }

  absl::Status Send(const std::string& message) {
    return session_.Send("g", message, [this, message](const absl::StatusOr<Position>& result) {
      heard_.push_back(absl::StrCat("sent ", message, " ", Show(result)));
    });
  }

  // The id of the next frame, which must be `command` of `group_id`.
  CommandId Written(absl::string_view command, absl::string_view group_id) {
    const std::optional<std::string> frame = session_.NextFrame();
    const std::string begin =
        absl::StrCat(R"({"cmd":")", command, R"(","group_id":")", group_id, R"(")");
    if (!frame.has_value() || frame->substr(0, begin.size()) != begin) {
      ADD_FAILURE() << "not " << command << " but " << frame.value_or("nothing");
      return CommandId{};
    }
    const size_t id = frame->rfind(R"("id":)");
    return CommandId{id == std::string::npos ? 0 : std::stoull(frame->substr(id + 5))};
  }

  void Reply(CommandId id, Position position) { Take(ReplyEvent{id, std::move(position)}); }
  void Refuse(CommandId id, std::string word, bool retry) {
    Take(ErrorEvent{id, {std::move(word), "no", retry}});
  }
  void Deliver(const std::string& group_id, uint64_t previous, uint64_t offset) {
    Message message;
    message.group_id = group_id;
    message.json = "1";
    message.previous = previous;
    message.offset = offset;
    Take(MessageEvent{std::move(message)});
  }
  void Take(Event event) { EXPECT_EQ(session_.OnEvent(std::move(event)), absl::OkStatus()); }

  void JoinedAt(const std::string& group_id, Position position) {
    ASSERT_EQ(Join(group_id), absl::OkStatus());
    Reply(Written("add_group", group_id), std::move(position));
    Hear();
  }

  std::string Hear() {
    while (const std::function<void()> run = session_.NextCallback()) run();
    return absl::StrJoin(std::exchange(heard_, {}), "\n");
  }

  std::vector<std::string> heard_;
  Session session_{{/*queue_bytes_max=*/1000, /*groups_max=*/3}};
};

TEST_F(SessionTest, NothingIsWrittenBeforeTheWelcome) {
  ASSERT_EQ(Join("g"), absl::OkStatus());
  ASSERT_EQ(Send("1"), absl::OkStatus());
  EXPECT_EQ(session_.NextFrame(), std::nullopt);
  Take(WelcomeEvent{});
  Written("add_group", "g");
}

TEST_F(SessionTest, TheFirstEventMustBeTheWelcomeAndTheOnlyOne) {
  EXPECT_EQ(session_.OnEvent(UnknownEvent{}).code(), StatusCode::kInternal);
  Take(WelcomeEvent{});
  EXPECT_EQ(session_.OnEvent(WelcomeEvent{}).code(), StatusCode::kInternal);
}

TEST_F(SessionTest, JoinReplyComesBeforeMessages) {
  Take(WelcomeEvent{});
  ASSERT_EQ(Join("g"), absl::OkStatus());
  Reply(Written("add_group", "g"), {"e", 7});
  Deliver("g", 7, 9);
  EXPECT_EQ(Hear(), "g join e:7\ng message 1 e:9");
}

TEST_F(SessionTest, DuplicatesAreDropped) {
  Take(WelcomeEvent{});
  JoinedAt("g", {"e", 7});
  Deliver("g", 5, 7);
  Deliver("g", 7, 8);
  Deliver("g", 7, 8);
  EXPECT_EQ(Hear(), "g message 1 e:8");
}

TEST_F(SessionTest, AHoleInTheChainIsAGapAndDeliveryGoesOn) {
  Take(WelcomeEvent{});
  JoinedAt("g", {"e", 7});
  Deliver("g", 10, 12);
  Deliver("g", 12, 13);
  EXPECT_EQ(Hear(), "g gap 7 to e:10\ng message 1 e:12\ng message 1 e:13");
}

TEST_F(SessionTest, APredecessorBelowThePositionIsAnotherHistory) {
  Take(WelcomeEvent{});
  JoinedAt("g", {"e", 7});
  Deliver("g", 3, 12);
  EXPECT_EQ(Hear(), "g gap null to e:3\ng message 1 e:12");
}

TEST_F(SessionTest, GapEventMovesThePositionAndTheEpoch) {
  Take(WelcomeEvent{});
  JoinedAt("g", {"e", 70});
  Take(GapEvent{{"g", "f", std::nullopt, 5}});
  Deliver("g", 5, 6);
  EXPECT_EQ(Hear(), "g gap null to f:5\ng message 1 f:6");
}

TEST_F(SessionTest, AReplyToASendDoesNotMoveThePosition) {
  Take(WelcomeEvent{});
  JoinedAt("g", {"e", 7});
  ASSERT_EQ(Send("1"), absl::OkStatus());
  Reply(Written("send_to_group", "g"), {"e", 9});
  Deliver("g", 7, 8);
  Deliver("g", 8, 9);
  EXPECT_EQ(Hear(), "sent 1 e:9\ng message 1 e:8\ng message 1 e:9");
}

TEST_F(SessionTest, RejoinsAllGroupsFirstAndSendsOnlyAfterTheirReplies) {
  Take(WelcomeEvent{});
  JoinedAt("a", {"e", 1});
  JoinedAt("b", {"e", 2});
  session_.OnDisconnected();
  ASSERT_EQ(Send("1"), absl::OkStatus());
  Take(WelcomeEvent{});
  const CommandId a = Written("add_group", "a");
  const CommandId b = Written("add_group", "b");
  EXPECT_EQ(session_.NextFrame(), std::nullopt);
  Reply(a, {"e", 1});
  EXPECT_EQ(session_.NextFrame(), std::nullopt);
  Refuse(b, "unavailable", true);
  Written("send_to_group", "g");
  EXPECT_EQ(Hear(), "a join e:1\nb join unavailable");
}

TEST_F(SessionTest, LeavingTheLastUnansweredGroupLetsSendsGo) {
  ASSERT_EQ(Join("g"), absl::OkStatus());
  ASSERT_EQ(Send("1"), absl::OkStatus());
  Take(WelcomeEvent{});
  Written("add_group", "g");
  EXPECT_EQ(session_.NextFrame(), std::nullopt);
  session_.Leave("g");
  Written("send_to_group", "g");
  Written("leave_group", "g");
}

TEST_F(SessionTest, WhatWasMissedWhileDisconnectedIsAGap) {
  Take(WelcomeEvent{});
  JoinedAt("g", {"e", 7});
  session_.OnDisconnected();
  Take(WelcomeEvent{});
  Reply(Written("add_group", "g"), {"e", 9});
  EXPECT_EQ(Hear(), "g join e:9\ng gap 7 to e:9");
}

TEST_F(SessionTest, ANewEpochInTheRejoinReplyIsAGapWithoutABeginning) {
  Take(WelcomeEvent{});
  JoinedAt("g", {"e", 700});
  session_.OnDisconnected();
  Take(WelcomeEvent{});
  Reply(Written("add_group", "g"), {"f", 9});
  Deliver("g", 9, 10);
  EXPECT_EQ(Hear(), "g join f:9\ng gap null to f:9\ng message 1 f:10");
}

// The new connection's worker may not have seen yet what the old one delivered.
TEST_F(SessionTest, ARejoinBehindThePositionGivesNothingTwice) {
  Take(WelcomeEvent{});
  JoinedAt("g", {"e", 9});
  session_.OnDisconnected();
  Take(WelcomeEvent{});
  Reply(Written("add_group", "g"), {"e", 7});
  Hear();
  Deliver("g", 7, 9);
  Deliver("g", 9, 10);
  EXPECT_EQ(Hear(), "g message 1 e:10");
}

TEST_F(SessionTest, WrittenSendsHaveAnUnknownOutcomeAndTheOthersWait) {
  Take(WelcomeEvent{});
  ASSERT_EQ(Send("1"), absl::OkStatus());
  ASSERT_EQ(Send("2"), absl::OkStatus());
  ASSERT_EQ(Send("3"), absl::OkStatus());
  Written("send_to_group", "g");
  Written("send_to_group", "g");
  session_.OnDisconnected();
  EXPECT_EQ(Hear(), "sent 1 outcome_unknown\nsent 2 outcome_unknown");
  Take(WelcomeEvent{});
  Reply(Written("send_to_group", "g"), {"e", 3});
  EXPECT_EQ(Hear(), "sent 3 e:3");
}

TEST_F(SessionTest, RepliesAndErrorsFindTheirSends) {
  Take(WelcomeEvent{});
  ASSERT_EQ(Send("1"), absl::OkStatus());
  ASSERT_EQ(Send("2"), absl::OkStatus());
  const CommandId first = Written("send_to_group", "g");
  const CommandId second = Written("send_to_group", "g");
  Reply(second, {"e", 2});
  Refuse(first, "message_too_large", false);
  EXPECT_EQ(Hear(), "sent 2 e:2\nsent 1 message_too_large");
}

TEST_F(SessionTest, TheQueueIsBoundedUntilSendsAreAcknowledged) {
  Take(WelcomeEvent{});
  const std::string message(400, '1');  // Two fit into 1000 bytes with their envelopes.
  ASSERT_EQ(Send(message), absl::OkStatus());
  ASSERT_EQ(Send(message), absl::OkStatus());
  EXPECT_EQ(Send(message).code(), StatusCode::kResourceExhausted);
  const CommandId first = Written("send_to_group", "g");
  EXPECT_EQ(Send(message).code(), StatusCode::kResourceExhausted) << "written is not acknowledged";
  Reply(first, {"e", 1});
  EXPECT_EQ(Send(message), absl::OkStatus());
  Written("send_to_group", "g");
  session_.OnDisconnected();
  EXPECT_EQ(Send(message), absl::OkStatus()) << "an unknown outcome makes room too";
  EXPECT_EQ(Send(std::string(1000, '1')).code(), StatusCode::kInvalidArgument);
}

TEST_F(SessionTest, ASendThatFailsKeepsItsCallback) {
  SendCallback done = [](const absl::StatusOr<Position>&) {};
  EXPECT_FALSE(session_.Send("g", std::string(1000, '1'), std::move(done)).ok());
  EXPECT_TRUE(done);  // NOLINT(bugprone-use-after-move): that it is still there is the point
}

TEST_F(SessionTest, GroupsAreBoundedAndJoinedOnce) {
  for (const char* group_id : {"a", "b", "c"}) ASSERT_EQ(Join(group_id), absl::OkStatus());
  EXPECT_EQ(Join("a").code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(Join("d").code(), StatusCode::kResourceExhausted);
  EXPECT_NE(session_.Leave("b"), nullptr);
  EXPECT_EQ(Join("d"), absl::OkStatus());
}

TEST_F(SessionTest, LeaveTakesBackCallbacksThatAreDue) {
  Take(WelcomeEvent{});
  JoinedAt("g", {"e", 7});
  Deliver("g", 8, 9);  // A gap and a message.
  session_.Leave("g");
  EXPECT_EQ(Hear(), "");
  Written("leave_group", "g");
  Deliver("g", 9, 10);  // The server did not know yet.
  EXPECT_EQ(Hear(), "");
  EXPECT_EQ(session_.Leave("g"), nullptr);
  EXPECT_EQ(session_.NextFrame(), std::nullopt);
}

TEST_F(SessionTest, AJoinThatWasNotWrittenIsLeftWithoutAWord) {
  Take(WelcomeEvent{});
  ASSERT_EQ(Join("g"), absl::OkStatus());
  session_.Leave("g");
  EXPECT_EQ(session_.NextFrame(), std::nullopt);
}

TEST_F(SessionTest, LeaveAndJoinAgainIgnoresTheFirstMembership) {
  Take(WelcomeEvent{});
  ASSERT_EQ(Join("g"), absl::OkStatus());
  const CommandId first = Written("add_group", "g");
  session_.Leave("g");
  ASSERT_EQ(Join("g"), absl::OkStatus());
  Written("leave_group", "g");
  const CommandId second = Written("add_group", "g");
  Reply(first, {"e", 1});
  Deliver("g", 1, 2);
  EXPECT_EQ(Hear(), "");
  Reply(second, {"e", 2});
  Deliver("g", 2, 3);
  EXPECT_EQ(Hear(), "g join e:2\ng message 1 e:3");
}

TEST_F(SessionTest, ATransientRefusalOfAJoinIsRetried) {
  Take(WelcomeEvent{});
  ASSERT_EQ(Join("g"), absl::OkStatus());
  Refuse(Written("add_group", "g"), "unavailable", true);
  EXPECT_EQ(Hear(), "g join unavailable");
  EXPECT_TRUE(session_.has_refused_joins());
  EXPECT_FALSE(session_.joins_settled());
  session_.RetryJoins();
  EXPECT_FALSE(session_.has_refused_joins());
  Reply(Written("add_group", "g"), {"e", 1});
  EXPECT_EQ(Hear(), "g join e:1");
  EXPECT_TRUE(session_.joins_settled());
}

TEST_F(SessionTest, AFinalRefusalOfAJoinEndsTheMembership) {
  Take(WelcomeEvent{});
  ASSERT_EQ(Join("g"), absl::OkStatus());
  Refuse(Written("add_group", "g"), "too_many_groups", false);
  EXPECT_EQ(Hear(), "g join too_many_groups");
  EXPECT_FALSE(session_.has_refused_joins());
  EXPECT_EQ(Join("g"), absl::OkStatus());
}

TEST_F(SessionTest, NothingIsWrittenAfterTheServerAnnouncedToClose) {
  Take(WelcomeEvent{});
  Take(ClosingEvent{absl::Milliseconds(740)});
  ASSERT_EQ(Send("1"), absl::OkStatus());
  EXPECT_EQ(session_.NextFrame(), std::nullopt);
  EXPECT_EQ(session_.OnDisconnected(), absl::Milliseconds(740));
  EXPECT_EQ(session_.OnDisconnected(), std::nullopt);
  EXPECT_EQ(Hear(), "");
  Take(WelcomeEvent{});
  Written("send_to_group", "g");
}

TEST_F(SessionTest, ShutdownAnswersEverythingThatWaits) {
  Take(WelcomeEvent{});
  JoinedAt("a", {"e", 1});
  ASSERT_EQ(Join("b"), absl::OkStatus());
  ASSERT_EQ(Send("1"), absl::OkStatus());
  ASSERT_EQ(Send("2"), absl::OkStatus());
  Written("add_group", "b");
  Written("send_to_group", "g");
  session_.Shutdown(absl::CancelledError("closed"));
  EXPECT_EQ(Hear(), "sent 1 outcome_unknown\nsent 2 CANCELLED\nb join CANCELLED");
  EXPECT_EQ(Join("c").code(), StatusCode::kCancelled);
  EXPECT_EQ(Send("3").code(), StatusCode::kCancelled);
}

TEST_F(SessionTest, AnswersWithoutACommandAreIgnored) {
  Take(WelcomeEvent{});
  Take(ReplyEvent{CommandId{99}, std::nullopt});
  Take(ReplyEvent{std::nullopt, Position{"e", 1}});
  Take(ErrorEvent{CommandId{99}, {"internal", "", true}});
  Take(ErrorEvent{std::nullopt, {"bad_json", "", false}});
  Take(GapEvent{{"nowhere", "e", 1, 2}});
  Take(UnknownEvent{});
  EXPECT_EQ(Hear(), "");
}

TEST_F(SessionTest, AReplyWithoutAPositionIsAgainstTheProtocol) {
  Take(WelcomeEvent{});
  ASSERT_EQ(Send("1"), absl::OkStatus());
  const CommandId id = Written("send_to_group", "g");
  EXPECT_EQ(session_.OnEvent(ReplyEvent{id, std::nullopt}).code(), StatusCode::kInternal);
  session_.OnDisconnected();
  EXPECT_EQ(Hear(), "sent 1 outcome_unknown");
}

}  // namespace
}  // namespace groupcast
