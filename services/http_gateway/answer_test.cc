#include "services/http_gateway/answer.h"

#include "gtest/gtest.h"
#include "services/protocol/event.h"

namespace groupcast::service {
namespace {

constexpr Position kPosition{Epoch{0x0a}, 42};

TEST(AnswerTest, AReplyIsTheJsonWithoutEventAndId) {
  const Answer answer = ReadAnswer(PositionReply("7", "a\"b", kPosition));
  EXPECT_EQ(answer.kind, Answer::Kind::kReply);
  EXPECT_EQ(answer.id, 7u);
  EXPECT_EQ(answer.json, R"({"group_id":"a\"b","epoch":"000000000000000a","offset":42})");
}

TEST(AnswerTest, ReadsEveryReply) {
  EXPECT_EQ(ReadAnswer(ResultsReply("0", {{.group_id = "g", .position = kPosition}})).json,
            R"({"results":[{"group_id":"g","epoch":"000000000000000a","offset":42}]})");
  MembersReplyWriter members("12", "g", 3);
  EXPECT_EQ(ReadAnswer(members.Finish(std::nullopt)).json, R"({"group_id":"g","count":3})");
  const History history{.head = kPosition, .floor = 0, .messages = {}};
  EXPECT_EQ(
      ReadAnswer(HistoryReplyHead("3") + HistoryReplyBody("g", std::nullopt, history, {}, 1'000))
          .json,
      R"({"group_id":"g","epoch":"000000000000000a","offset":42,"messages":[]})");
}

TEST(AnswerTest, AReplyHasItsPosition) {
  EXPECT_EQ(ReadPosition(ReadAnswer(PositionReply("7", "a", kPosition, true)).json), kPosition);
  EXPECT_EQ(ReadPosition(R"({"group_id":"a"})"), std::nullopt);
  EXPECT_EQ(ReadPosition("x"), std::nullopt);
}

TEST(AnswerTest, AnErrorIsAProblem) {
  const Answer answer = ReadAnswer(ErrorEvent({.code = ErrorCode::kUnavailable,
                                               .message = "the \"channel\" is away",
                                               .id = "9",
                                               .cmd = "send_to_group"}));
  EXPECT_EQ(answer.kind, Answer::Kind::kError);
  EXPECT_EQ(answer.id, 9u);
  EXPECT_EQ(answer.problem.status, 503);
  EXPECT_EQ(answer.problem.code, "unavailable");
  EXPECT_EQ(answer.problem.detail, "the \"channel\" is away");
  EXPECT_TRUE(answer.problem.retry);
  EXPECT_EQ(ProblemJson(answer.problem),
            R"({"status":503,"title":"Service Unavailable",)"
            R"("detail":"the \"channel\" is away","code":"unavailable","retry":true})");
}

TEST(AnswerTest, AnErrorWithoutACommandHasNoId) {
  const Answer answer = ReadAnswer(
      ErrorEvent({.code = ErrorCode::kTokenExpired, .message = "m", .id = "", .cmd = ""}));
  EXPECT_EQ(answer.kind, Answer::Kind::kError);
  EXPECT_EQ(answer.id, std::nullopt);
  EXPECT_EQ(answer.problem.status, 401);
}

// A stream may have several groups.
TEST(AnswerTest, TheLossOfAGroupNamesTheGroup) {
  const Answer answer = ReadAnswer(ErrorEvent({.code = ErrorCode::kForbidden,
                                               .message = "m",
                                               .id = "",
                                               .cmd = "add_group",
                                               .group_id = "a\"b"}));
  EXPECT_EQ(ProblemJson(answer.problem),
            R"({"status":403,"title":"Forbidden","detail":"m","code":"forbidden","retry":false,)"
            R"("group_id":"a\"b"})");
}

TEST(AnswerTest, OtherEventsKeepTheirJson) {
  const std::string event = MemberLeftEvent("g", {.connection_id = 5});
  const Answer answer = ReadAnswer(event);
  EXPECT_EQ(answer.kind, Answer::Kind::kEvent);
  EXPECT_EQ(answer.name, "member_left");
  EXPECT_EQ(answer.json, event);
}

TEST(AnswerTest, WhatIsNoEventIsAnInternalError) {
  for (const char* text : {"", "{", "[]", "{}", R"({"event":"error"})", R"({"event":"reply","id":)",
                           R"({"event":"reply","id":"x"})"}) {
    const Answer answer = ReadAnswer(text);
    if (answer.kind == Answer::Kind::kEvent) continue;  // a reply of another client's form
    EXPECT_EQ(answer.kind, Answer::Kind::kError) << text;
    EXPECT_EQ(answer.problem.status, 500) << text;
  }
}

// A code without a status would be told as 500.
TEST(AnswerTest, EveryErrorCodeHasItsStatus) {
  for (int code = 0; code <= static_cast<int>(ErrorCode::kInternal); ++code) {
    const int status = StatusOfErrorWord(ErrorWord(static_cast<ErrorCode>(code)));
    EXPECT_EQ(status == 500, static_cast<ErrorCode>(code) == ErrorCode::kInternal) << code;
    EXPECT_NE(ReasonPhrase(status), "Error") << status;
  }
}

}  // namespace
}  // namespace groupcast::service
