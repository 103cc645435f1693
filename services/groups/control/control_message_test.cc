#include "services/groups/control/control_message.h"

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

ControlQuestion QuestionOf(const ControlCommand& command) {
  return {.number = 0x1f, .answers = AnswersGroup(7), .command = command};
}

ControlCommand AfterTravel(const ControlCommand& command) {
  ControlQuestion question;
  const absl::Status status = ParseQuestion(FormatQuestion(QuestionOf(command)), &question);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(question.number, 0x1fu);
  EXPECT_EQ(question.answers, "$groupcast.answers.0000000000000007");
  EXPECT_EQ(question.command.kind, command.kind);
  return question.command;
}

TEST(ControlMessageTest, CommandsArriveAsTheyWereAsked) {
  const ControlCommand groups = AfterTravel({.kind = ControlCommand::Kind::kGroups,
                                             .prefix = "a\"\\/ü",
                                             .after = "a\"\\/ü1",
                                             .limit = 1'000});
  EXPECT_EQ(groups.prefix, "a\"\\/ü");
  EXPECT_EQ(groups.after, "a\"\\/ü1");
  EXPECT_EQ(groups.limit, 1'000u);
  const ControlCommand busiest = AfterTravel({.kind = ControlCommand::Kind::kBusiest, .limit = 20});
  EXPECT_EQ(busiest.prefix, "");
  EXPECT_EQ(busiest.limit, 20u);
  const ControlCommand count =
      AfterTravel({.kind = ControlCommand::Kind::kCount, .groups = {"a", "ü"}});
  EXPECT_EQ(count.groups, (std::vector<std::string>{"a", "ü"}));
  const ControlCommand disconnect = AfterTravel({.kind = ControlCommand::Kind::kDisconnect,
                                                 .user = "alice",
                                                 .code = static_cast<CloseCode>(4400),
                                                 .reason = "bye"});
  EXPECT_EQ(disconnect.user, "alice");
  EXPECT_EQ(disconnect.member, 0u);
  EXPECT_EQ(disconnect.code, static_cast<CloseCode>(4400));
  EXPECT_EQ(disconnect.reason, "bye");
  const ControlCommand expel = AfterTravel({.kind = ControlCommand::Kind::kExpel,
                                            .member = 0xfedcba9876543210,
                                            .group = "g",
                                            .reason = "bye"});
  EXPECT_EQ(expel.member, 0xfedcba9876543210);
  EXPECT_EQ(expel.group, "g");
}

TEST(ControlMessageTest, AnswersArriveAsTheyWereGiven) {
  const absl::StatusOr<ControlAnswer> answer = ParseAnswer(
      FormatAnswer({.question = 1,
                    .worker = 2,
                    .list = {.groups = {{.id = "a\"", .members = 3},
                                        {.id = "ü", .members = 0, .messages_per_second = 0.25}},
                             .is_cut = true},
                    .count = 5}));
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->question, 1u);
  EXPECT_EQ(answer->worker, 2u);
  EXPECT_EQ(answer->outcome, ControlAnswer::Outcome::kDone);
  ASSERT_EQ(answer->list.groups.size(), 2u);
  EXPECT_EQ(answer->list.groups[0], (ListedGroup{.id = "a\"", .members = 3}));
  EXPECT_EQ(answer->list.groups[1], (ListedGroup{.id = "ü", .messages_per_second = 0.25}));
  EXPECT_TRUE(answer->list.is_cut);
  EXPECT_EQ(answer->count, 5u);
  for (const ControlAnswer::Outcome outcome :
       {ControlAnswer::Outcome::kBusy, ControlAnswer::Outcome::kUnknown}) {
    const absl::StatusOr<ControlAnswer> other =
        ParseAnswer(FormatAnswer({.question = 1, .worker = 2, .outcome = outcome}));
    ASSERT_TRUE(other.ok());
    EXPECT_EQ(other->outcome, outcome);
  }
}

// So that an answer of any list within its bytes fits into a message.
TEST(ControlMessageTest, AnAnswerHasNoMoreBytesThanItsPartsMayHave) {
  ControlAnswer answer{.question = ~uint64_t{0},
                       .worker = ~uint64_t{0},
                       .outcome = ControlAnswer::Outcome::kUnknown,
                       .count = uint64_t{1} << 53};
  answer.list.is_cut = true;
  EXPECT_LE(FormatAnswer(answer).size(), kAnswerBytes);
  const size_t before = FormatAnswer(answer).size();
  const std::string id(128, '"');
  answer.list.groups.push_back(
      {.id = id, .members = uint64_t{1} << 53, .messages_per_second = 1.0 / 3e9});
  EXPECT_LE(FormatAnswer(answer).size(), kAnswerBytes + ListedBytes(id));
  EXPECT_GT(FormatAnswer(answer).size(), before + id.size());
}

TEST(ControlMessageTest, FieldsOfALaterVersionAreIgnored) {
  std::string text =
      FormatQuestion(QuestionOf({.kind = ControlCommand::Kind::kGroups, .limit = 1}));
  text.insert(1, R"("new":[1,{}],)");
  ControlQuestion question;
  EXPECT_TRUE(ParseQuestion(text, &question).ok());
}

TEST(ControlMessageTest, AnUnknownCommandCanBeAnswered) {
  ControlQuestion question;
  const absl::Status status = ParseQuestion(
      R"({"question":"000000000000001f","answers":"$groupcast.answers.x","command":"new"})",
      &question);
  EXPECT_TRUE(absl::IsUnimplemented(status)) << status;
  EXPECT_EQ(question.number, 0x1fu);
  EXPECT_EQ(question.answers, "$groupcast.answers.x");
}

TEST(ControlMessageTest, MalformedQuestionsAreRefused) {
  constexpr absl::string_view kBegin =
      R"({"question":"000000000000001f","answers":"$groupcast.answers.x",)";
  ControlQuestion unused;
  ASSERT_TRUE(
      ParseQuestion(absl::StrCat(kBegin, R"("command":"groups","limit":1})"), &unused).ok());
  for (const std::string& text : {
           std::string(""),
           std::string("nonsense"),
           std::string("[]"),
           std::string("{}"),
           absl::StrCat(kBegin, R"("command":7})"),
           absl::StrCat(kBegin, R"("command":"groups"})"),
           absl::StrCat(kBegin, R"("command":"groups","limit":-1})"),
           absl::StrCat(kBegin, R"("command":"groups","limit":1001})"),
           absl::StrCat(kBegin, R"("command":"groups","limit":1,"prefix":[]})"),
           absl::StrCat(kBegin, R"("command":"count","groups":[7]})"),
           absl::StrCat(kBegin, R"("command":"disconnect","code":4900})"),
           absl::StrCat(kBegin, R"("command":"disconnect","user":"a","code":1000})"),
           absl::StrCat(kBegin, R"("command":"disconnect","user":"a","code":5000})"),
           absl::StrCat(kBegin, R"("command":"disconnect","user":"a","member":"000000000000001f",)",
                        R"("code":4900})"),
           absl::StrCat(kBegin, R"("command":"disconnect","member":"1f","code":4900})"),
           absl::StrCat(kBegin, R"("command":"expel","member":"000000000000001f"})"),
           absl::StrCat(kBegin, R"("command":"expel","group":"g"})"),
           // The group for the answers is another one: a worker must not publish there.
           std::string(R"({"question":"000000000000001f","answers":"g","command":"groups",)"
                       R"("limit":1})"),
       }) {
    ControlQuestion question;
    EXPECT_TRUE(absl::IsInvalidArgument(ParseQuestion(text, &question))) << text;
  }
}

TEST(ControlMessageTest, MalformedAnswersAreRefused) {
  constexpr absl::string_view kBegin =
      R"({"question":"000000000000001f","worker":"0000000000000001")";
  ASSERT_TRUE(ParseAnswer(absl::StrCat(kBegin, "}")).ok());
  for (const std::string& text : {
           std::string(""),
           std::string("7"),
           std::string("{}"),
           absl::StrCat(kBegin, R"(,"count":-1})"),
           absl::StrCat(kBegin, R"(,"count":"1"})"),
           absl::StrCat(kBegin, R"(,"cut":true})"),
           absl::StrCat(kBegin, R"(,"busy":1})"),
           absl::StrCat(kBegin, R"(,"groups":[["a"]]})"),
           absl::StrCat(kBegin, R"(,"groups":[["",1]]})"),
           absl::StrCat(kBegin, R"(,"groups":[["a",-1]]})"),
           absl::StrCat(kBegin, R"(,"groups":[["a",1,"x"]]})"),
           absl::StrCat(kBegin, R"(,"groups":[["a",1,-1]]})"),
           absl::StrCat(kBegin, R"(,"groups":{}})"),
       }) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseAnswer(text).status())) << text;
  }
}

}  // namespace
}  // namespace groupcast::service
