#include "services/http_gateway/exchange.h"

#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "services/protocol/event.h"

namespace groupcast::service {
namespace {

constexpr Position kPosition{Epoch{0x0a}, 42};

Calls Sends(size_t count) {
  Calls calls;
  calls.is_list = true;
  for (size_t i = 0; i < count; ++i) {
    calls.items.push_back(Command{.kind = Command::Kind::kSendToGroup, .id = std::to_string(i)});
  }
  return calls;
}

Answer Reply(const std::string& id) { return ReadAnswer(PositionReply(id, "g", kPosition)); }

Answer Error(const std::string& id, ErrorCode code) {
  return ReadAnswer(ErrorEvent({.code = code, .message = "why", .id = id, .cmd = "send_to_group"}));
}

constexpr char kResult[] = R"({"group_id":"g","epoch":"000000000000000a","offset":42})";

TEST(ExchangeTest, AQuestionToAllWorkersHasNoCommands) {
  Calls calls;
  calls.control.emplace();
  Exchange exchange(std::move(calls));
  ASSERT_NE(exchange.control(), nullptr);
  EXPECT_EQ(exchange.Next(), nullptr);
  EXPECT_FALSE(exchange.is_complete());
  exchange.question = 1;
  exchange.OnControl("{}");
  EXPECT_TRUE(exchange.is_complete());
  EXPECT_EQ(exchange.question, std::nullopt) << "there is nothing to drop";
  EXPECT_EQ(exchange.problem(), std::nullopt);
  EXPECT_EQ(exchange.TakeJson(), "{}");
}

TEST(ExchangeTest, AQuestionThatFailsIsAProblem) {
  Calls calls;
  calls.control.emplace();
  Exchange exchange(std::move(calls));
  exchange.OnControl(ProblemOf(ErrorCode::kUnavailable, "why"));
  ASSERT_TRUE(exchange.is_complete());
  EXPECT_EQ(exchange.problem()->status, 503);
}

TEST(ExchangeTest, OneCommandHasOneAnswer) {
  Calls calls = Sends(1);
  calls.is_list = false;
  Exchange exchange(std::move(calls));
  ASSERT_NE(exchange.Next(), nullptr);
  exchange.Ran();
  EXPECT_EQ(exchange.Next(), nullptr);
  EXPECT_FALSE(exchange.is_complete());
  exchange.OnAnswer(Reply("0"));
  ASSERT_TRUE(exchange.is_complete());
  EXPECT_EQ(exchange.problem(), std::nullopt);
  EXPECT_EQ(exchange.TakeJson(), kResult);
}

TEST(ExchangeTest, ItsErrorIsTheProblem) {
  Calls calls = Sends(1);
  calls.is_list = false;
  Exchange exchange(std::move(calls));
  exchange.Ran();
  exchange.OnAnswer(Error("0", ErrorCode::kForbidden));
  ASSERT_TRUE(exchange.is_complete());
  EXPECT_EQ(exchange.problem()->status, 403);
}

TEST(ExchangeTest, AListHasEachResultInItsPlace) {
  Calls calls = Sends(3);
  CommandError defect;
  defect.code = ErrorCode::kMessageMissing;
  defect.message = "no message";
  calls.items[1] = defect;
  Exchange exchange(std::move(calls));
  EXPECT_EQ(exchange.Next()->id, "0");
  exchange.Ran();
  EXPECT_EQ(exchange.Next()->id, "2") << "what is no command does not run";
  exchange.Ran();
  exchange.OnAnswer(Error("2", ErrorCode::kUnavailable));
  EXPECT_FALSE(exchange.is_complete());
  exchange.OnAnswer(Reply("2"));
  EXPECT_FALSE(exchange.is_complete()) << "a result counts once";
  exchange.OnAnswer(Reply("0"));
  ASSERT_TRUE(exchange.is_complete());
  EXPECT_EQ(exchange.TakeJson(),
            std::string("{\"results\":[") + kResult +
                R"(,{"status":400,"code":"message_missing","detail":"no message","retry":false},)"
                R"({"status":503,"code":"unavailable","detail":"why","retry":true}]})");
}

TEST(ExchangeTest, AnEmptyListIsComplete) {
  Exchange exchange(Sends(0));
  EXPECT_EQ(exchange.Next(), nullptr);
  ASSERT_TRUE(exchange.is_complete());
  EXPECT_EQ(exchange.TakeJson(), "{\"results\":[]}");
}

TEST(ExchangeTest, AStreamKeepsTheEventsBeforeItBegins) {
  Calls calls;
  calls.is_stream = true;
  calls.groups = {"a", "b"};
  for (const char* id : {"0", "1"}) {
    Command command;
    command.kind = Command::Kind::kAddGroup;
    command.id = id;
    calls.items.emplace_back(std::move(command));
  }
  Exchange exchange(std::move(calls));
  exchange.Ran();
  exchange.Ran();
  exchange.OnAnswer(Reply("1"));
  exchange.OnAnswer(ReadAnswer(MemberLeftEvent("b", {.connection_id = 1})));
  EXPECT_FALSE(exchange.is_complete());
  exchange.OnAnswer(Reply("0"));
  ASSERT_TRUE(exchange.is_complete());
  EXPECT_EQ(exchange.replies()[0], kResult);
  ASSERT_EQ(exchange.events().size(), 1u);
  EXPECT_EQ(exchange.events()[0].name, "member_left");
}

TEST(ExchangeTest, AProblemEndsItAndNothingElseRuns) {
  Exchange exchange(Sends(2));
  exchange.Ran();
  exchange.Fail(MakeProblem(503, "unavailable", "first"));
  exchange.Fail(MakeProblem(500, "internal", "second"));
  EXPECT_EQ(exchange.Next(), nullptr);
  ASSERT_TRUE(exchange.is_complete());
  EXPECT_EQ(exchange.problem()->detail, "first");
}

}  // namespace
}  // namespace groupcast::service
