#include "services/groups/control/control_questions.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

using Kind = ControlCommand::Kind;
using Results = std::vector<absl::StatusOr<ControlResult>>;

class ControlQuestionsTest : public testing::Test {
 protected:
  struct Published {
    uint64_t number;
    ControlCommand command;
    std::function<void(const absl::Status&)> failed;
  };

  ControlQuestionsTest()
      : questions_(
            {.timeout = absl::Seconds(2), .workers_timeout = absl::Seconds(5), .questions_max = 3},
            {.clock = &clock_,
             .workers = [this] { return workers_; },
             .publish =
                 [this](uint64_t number, const ControlCommand& command,
                        std::function<void(const absl::Status&)> failed) {
                   published_.push_back({number, command, std::move(failed)});
                   return question_bytes_;
                 },
             .list_bytes_max = [this] { return list_bytes_max_; }}) {}

  uint64_t Ask(const ControlCommand& command) {
    const absl::StatusOr<uint64_t> handle = questions_.Ask(
        command,
        [this](absl::StatusOr<ControlResult> result) { results_.push_back(std::move(result)); });
    EXPECT_TRUE(handle.ok()) << handle.status();
    return handle.value_or(0);
  }
  // For a list that nobody has asked for.
  uint64_t AskGroups() {
    return Ask({.kind = Kind::kGroups, .prefix = std::to_string(++lists_), .limit = 10});
  }
  uint64_t AskUser(const std::string& user) {
    return Ask({.kind = Kind::kDisconnect, .user = user});
  }
  absl::Status Refusal(const ControlCommand& command) {
    return questions_.Ask(command, [](const auto&) { FAIL(); }).status();
  }
  void AnswerBusy(uint64_t worker) {
    questions_.OnAnswer({.question = published_.back().number,
                         .worker = worker,
                         .outcome = ControlAnswer::Outcome::kBusy});
  }
  // To the newest question.
  void Answer(uint64_t worker, GroupList list = {}, uint64_t count = 0) {
    questions_.OnAnswer({.question = published_.back().number,
                         .worker = worker,
                         .list = std::move(list),
                         .count = count});
  }
  void Pass(absl::Duration time) {
    clock_.Advance(time);
    questions_.OnTick();
  }

  FakeClock clock_;
  std::optional<ControlQuestions::Workers> workers_ = ControlQuestions::Workers{1, 2};
  std::vector<Published> published_;
  int lists_ = 0;
  size_t question_bytes_ = 0;
  size_t list_bytes_max_ = 1'000;
  Results results_;
  ControlQuestions questions_;
};

TEST_F(ControlQuestionsTest, AQuestionEndsWithTheLastAnswer) {
  AskGroups();
  Answer(1, {.groups = {{.id = "a", .members = 1}}});
  EXPECT_TRUE(results_.empty());
  Answer(2, {.groups = {{.id = "a", .members = 2}}});
  ASSERT_EQ(results_.size(), 1u);
  ASSERT_TRUE(results_[0].ok());
  EXPECT_TRUE(results_[0]->complete);
  EXPECT_EQ(results_[0]->list.groups[0].members, 3u);
  EXPECT_EQ(questions_.size(), 0u);
}

TEST_F(ControlQuestionsTest, AWorkerCountsOnce) {
  Ask({.kind = Kind::kDisconnect, .user = "u"});
  Answer(1, {}, 5);
  Answer(1, {}, 5);
  EXPECT_TRUE(results_.empty());
  Answer(2, {}, 1);
  EXPECT_EQ(results_.at(0)->count, 6u);
}

TEST_F(ControlQuestionsTest, WithoutAnAnswerInTimeTheResultIsNotComplete) {
  Ask({.kind = Kind::kDisconnect, .user = "u"});
  Answer(2, {}, 4);
  Pass(absl::Milliseconds(1'999));
  EXPECT_TRUE(results_.empty());
  Pass(absl::Milliseconds(1));
  ASSERT_EQ(results_.size(), 1u);
  EXPECT_FALSE(results_[0]->complete);
  EXPECT_EQ(results_[0]->count, 4u);
  Answer(1, {}, 4);  // late, and to nobody
  EXPECT_EQ(results_.size(), 1u);
}

// Otherwise nobody would know whether an empty list is the truth.
TEST_F(ControlQuestionsTest, WithoutAnyAnswerAQuestionFails) {
  AskGroups();
  Ask({.kind = Kind::kExpel, .member = 1, .group = "g"});
  Pass(absl::Seconds(2));
  ASSERT_EQ(results_.size(), 2u);
  EXPECT_TRUE(absl::IsUnavailable(results_[0].status()));
  EXPECT_TRUE(absl::IsUnknown(results_[1].status())) << "some may have done it";
}

TEST_F(ControlQuestionsTest, AWorkerThatHasEndedIsNotWaitedFor) {
  AskGroups();
  Answer(1);
  workers_ = ControlQuestions::Workers{1};
  Pass(absl::Milliseconds(250));
  ASSERT_EQ(results_.size(), 1u);
  EXPECT_TRUE(results_[0]->complete);
}

TEST_F(ControlQuestionsTest, WhileTheWorkersAreNotKnownAQuestionWaitsWithinItsTime) {
  workers_.reset();
  AskGroups();
  EXPECT_TRUE(published_.empty());
  Pass(absl::Seconds(1));
  workers_ = ControlQuestions::Workers{1};
  Pass(absl::ZeroDuration());
  ASSERT_EQ(published_.size(), 1u);
  Answer(1);
  EXPECT_TRUE(results_.at(0).ok());

  workers_.reset();
  AskGroups();
  Pass(absl::Seconds(5));
  ASSERT_EQ(results_.size(), 2u);
  EXPECT_TRUE(absl::IsUnavailable(results_[1].status()));
  EXPECT_EQ(published_.size(), 1u) << "it is not asked after its end";
}

// A channel server that begins again tells no members for some seconds.
TEST_F(ControlQuestionsTest, AQuestionThatHasWaitedForTheWorkersHasItsWholeTimeForAnswers) {
  workers_.reset();
  AskGroups();
  Pass(absl::Seconds(4));
  EXPECT_TRUE(results_.empty());
  workers_ = ControlQuestions::Workers{1};
  Pass(absl::ZeroDuration());
  ASSERT_EQ(published_.size(), 1u);
  Pass(absl::Milliseconds(1'900));
  Answer(1);
  ASSERT_EQ(results_.size(), 1u);
  EXPECT_TRUE(results_[0].ok() && results_[0]->complete);
}

TEST_F(ControlQuestionsTest, AWorkerThatDoesNotKnowTheCommandMakesTheResultPartial) {
  AskGroups();
  questions_.OnAnswer({.question = published_.back().number,
                       .worker = 1,
                       .outcome = ControlAnswer::Outcome::kUnknown});
  Answer(2, {.groups = {{.id = "a", .members = 2}}});
  ASSERT_EQ(results_.size(), 1u);
  EXPECT_FALSE(results_[0]->complete);
  EXPECT_EQ(results_[0]->list.groups.size(), 1u);
}

// The others still work on it, so it keeps its place.
TEST_F(ControlQuestionsTest, ABusyWorkerRefusesAList) {
  const ControlCommand list = {.kind = Kind::kGroups, .limit = 10};
  Ask(list);
  AnswerBusy(1);
  ASSERT_EQ(results_.size(), 1u);
  EXPECT_TRUE(absl::IsAborted(results_[0].status()));
  EXPECT_EQ(questions_.limited(), 1u);
  EXPECT_EQ(questions_.size(), 1u);
  Ask(list);
  EXPECT_EQ(published_.size(), 2u) << "a question that was refused is not shared";
  questions_.OnAnswer({.question = published_[0].number, .worker = 2});
  EXPECT_EQ(questions_.size(), 1u);
  EXPECT_EQ(results_.size(), 1u);
}

TEST_F(ControlQuestionsTest, ABusyWorkerMakesAnEndPartial) {
  AskUser("u");
  AnswerBusy(1);
  EXPECT_TRUE(results_.empty());
  Answer(2, {}, 3);
  ASSERT_EQ(results_.size(), 1u);
  ASSERT_TRUE(results_[0].ok());
  EXPECT_FALSE(results_[0]->complete);
  EXPECT_EQ(results_[0]->count, 3u);
  AskUser("u");
  AnswerBusy(1);
  Answer(2);
  ASSERT_EQ(results_.size(), 2u);
  EXPECT_TRUE(absl::IsAborted(results_[1].status())) << "try again";
}

TEST_F(ControlQuestionsTest, TheQuestionsUnderWayHaveABound) {
  for (int i = 0; i < 3; ++i) AskGroups();
  EXPECT_TRUE(absl::IsUnavailable(Refusal({.kind = Kind::kGroups})));
  Answer(1);
  Answer(2);
  AskGroups();
  EXPECT_EQ(questions_.size(), 3u);
}

TEST_F(ControlQuestionsTest, TheCallersOfOneQuestionCountForTheBound) {
  const ControlCommand list = {.kind = Kind::kGroups, .limit = 10};
  for (int i = 0; i < 3; ++i) Ask(list);
  EXPECT_EQ(questions_.size(), 1u);
  EXPECT_TRUE(absl::IsUnavailable(Refusal(list)));
}

// ---- The rate of questions

TEST_F(ControlQuestionsTest, QuestionsHaveARate) {
  const auto ask_and_answer = [this] {
    AskGroups();
    Answer(1);
    Answer(2);
  };
  for (int i = 0; i < 20; ++i) ask_and_answer();
  EXPECT_TRUE(absl::IsAborted(Refusal({.kind = Kind::kGroups})));
  EXPECT_EQ(questions_.limited(), 1u);
  EXPECT_EQ(questions_.size(), 0u);
  clock_.Advance(absl::Milliseconds(100));
  ask_and_answer();
  EXPECT_TRUE(absl::IsAborted(Refusal({.kind = Kind::kBusiest})));
}

TEST_F(ControlQuestionsTest, WhoAsksForManyListsKeepsNobodyFromEndingConnections) {
  question_bytes_ = 20 * 4'096;
  AskGroups();
  EXPECT_TRUE(absl::IsAborted(Refusal({.kind = Kind::kGroups})));
  AskUser("u");
  EXPECT_EQ(published_.size(), 2u);
  EXPECT_TRUE(absl::IsAborted(Refusal({.kind = Kind::kDisconnect, .user = "v"})));
}

TEST_F(ControlQuestionsTest, TheBytesOfQuestionsCount) {
  question_bytes_ = 18 * 4'096;
  AskGroups();
  AskGroups();
  EXPECT_TRUE(absl::IsAborted(Refusal({.kind = Kind::kGroups})));
  // 16 tokens and one are missing.
  clock_.Advance(absl::Milliseconds(1'699));
  EXPECT_TRUE(absl::IsAborted(Refusal({.kind = Kind::kGroups})));
  clock_.Advance(absl::Milliseconds(1));
  AskGroups();
}

// ---- Lists that several callers share

TEST_F(ControlQuestionsTest, EqualListsHaveOneQuestionAndOneAnswerForASecond) {
  const ControlCommand list = {.kind = Kind::kGroups, .prefix = "a", .limit = 10};
  Ask(list);
  Ask(list);
  EXPECT_EQ(published_.size(), 1u);
  Answer(1, {.groups = {{.id = "a", .members = 1}}});
  EXPECT_TRUE(results_.empty());
  Answer(2);
  EXPECT_EQ(results_.size(), 2u);
  Pass(absl::Milliseconds(999));
  Ask(list);
  ASSERT_EQ(results_.size(), 3u);
  for (const auto& result : results_) EXPECT_EQ(result->list.groups.at(0).members, 1u);
  EXPECT_EQ(published_.size(), 1u);
  clock_.Advance(absl::Milliseconds(1));
  Ask(list);
  EXPECT_EQ(published_.size(), 2u) << "the answer is old";
  Pass(absl::Seconds(1));
  Ask(list);
  EXPECT_EQ(published_.size(), 3u) << "and so is a question under way";
}

TEST_F(ControlQuestionsTest, OtherListsAndEndsAreNotShared) {
  Ask({.kind = Kind::kGroups, .prefix = "a", .limit = 10});
  Ask({.kind = Kind::kGroups, .prefix = "a", .limit = 9});
  Answer(1);
  Answer(2);
  AskUser("u");
  AskUser("u");
  EXPECT_EQ(published_.size(), 4u);
  Answer(1);
  Answer(2);
  EXPECT_EQ(results_.size(), 2u);
}

TEST_F(ControlQuestionsTest, AnAnswerThatIsNotCompleteIsNotShared) {
  const ControlCommand list = {.kind = Kind::kGroups, .limit = 10};
  Ask(list);
  questions_.OnAnswer({.question = published_.back().number,
                       .worker = 1,
                       .outcome = ControlAnswer::Outcome::kUnknown});
  Answer(2);
  EXPECT_FALSE(results_.at(0)->complete);
  Ask(list);
  EXPECT_EQ(published_.size(), 2u);
}

TEST_F(ControlQuestionsTest, APublicationThatFailsFailsItsQuestion) {
  AskGroups();
  published_.back().failed(absl::UnavailableError("away"));
  ASSERT_EQ(results_.size(), 1u);
  EXPECT_EQ(results_[0].status(), absl::UnavailableError("away"));
  published_.back().failed(absl::UnavailableError("away"));  // of a question that has ended
  EXPECT_EQ(results_.size(), 1u);
}

TEST_F(ControlQuestionsTest, AMessageThatIsTooLargeIsNotTheCallersFault) {
  AskGroups();
  published_.back().failed(absl::ResourceExhaustedError("too large"));
  EXPECT_TRUE(absl::IsUnavailable(results_.at(0).status()));
}

// Otherwise a caller that leaves at once could have any number of questions under way.
TEST_F(ControlQuestionsTest, ADroppedQuestionIsNotAnsweredAndKeepsItsPlaceUntilItsEnd) {
  for (int i = 0; i < 3; ++i) questions_.Drop(AskGroups());
  EXPECT_TRUE(absl::IsUnavailable(Refusal({.kind = Kind::kGroups})));
  Answer(1);
  Answer(2);
  EXPECT_EQ(questions_.size(), 2u);
  Pass(absl::Seconds(2));
  EXPECT_EQ(questions_.size(), 0u);
  EXPECT_TRUE(results_.empty());
}

TEST_F(ControlQuestionsTest, ADroppedQuestionHasAnAnswerForOthers) {
  const ControlCommand list = {.kind = Kind::kGroups, .limit = 10};
  questions_.Drop(Ask(list));
  Ask(list);
  Answer(1);
  Answer(2);
  EXPECT_EQ(results_.size(), 1u);
  EXPECT_EQ(published_.size(), 1u);
}

TEST_F(ControlQuestionsTest, ADroppedQuestionThatNobodyWasAskedIsGone) {
  workers_.reset();
  questions_.Drop(AskUser("u"));
  workers_ = ControlQuestions::Workers{1};
  Pass(absl::ZeroDuration());
  EXPECT_TRUE(published_.empty());
  EXPECT_EQ(questions_.size(), 0u);
}

// A worker does not name a group that is not among its own busiest.
TEST_F(ControlQuestionsTest, AllWorkersAreAskedForTheMembersOfTheBusiestGroups) {
  Ask({.kind = Kind::kBusiest, .limit = 1});
  Answer(1, {.groups = {{.id = "a", .members = 1, .messages_per_second = 3}}});
  Answer(2, {.groups = {{.id = "b", .members = 7, .messages_per_second = 2}}});
  EXPECT_TRUE(results_.empty());
  ASSERT_EQ(published_.size(), 2u);
  EXPECT_EQ(published_[1].command.kind, Kind::kCount);
  EXPECT_THAT(published_[1].command.groups, testing::ElementsAre("a"));
  Answer(1, {.groups = {{.id = "a", .members = 1}}});
  Answer(2, {.groups = {{.id = "a", .members = 4}}});
  ASSERT_EQ(results_.size(), 1u);
  EXPECT_TRUE(results_[0]->complete);
  EXPECT_THAT(results_[0]->list.groups,
              testing::ElementsAre(ListedGroup{.id = "a", .members = 5, .messages_per_second = 3}));
}

TEST_F(ControlQuestionsTest, TheBusiestAreAsManyAsAMessageCarriesAndTheCutIsShown) {
  list_bytes_max_ = 2 * ListedBytes("a");
  const GroupList three = {.groups = {{.id = "a", .messages_per_second = 3},
                                      {.id = "b", .messages_per_second = 2},
                                      {.id = "c", .messages_per_second = 1}}};
  const GroupList members = {.groups = {{.id = "a", .members = 1}, {.id = "b", .members = 1}}};
  for (const uint32_t limit : {3, 2}) {
    Ask({.kind = Kind::kBusiest, .limit = limit});
    for (const GroupList& list : {three, members}) {
      for (const uint64_t worker : {1, 2}) Answer(worker, list);
    }
    EXPECT_THAT(published_.back().command.groups, testing::ElementsAre("a", "b"));
    EXPECT_EQ(results_.back()->list.groups.size(), 2u);
    EXPECT_EQ(results_.back()->list.is_cut, limit == 3)
        << "the caller wants no more than its limit";
  }
}

TEST_F(ControlQuestionsTest, MembersThatDoNotFitInAnAnswerAreMissing) {
  const GroupList both = {
      .groups = {{.id = "a", .messages_per_second = 3}, {.id = "b", .messages_per_second = 2}}};
  Ask({.kind = Kind::kBusiest, .limit = 2});
  for (const uint64_t worker : {1, 2}) Answer(worker, both);
  Answer(1, {.groups = {{.id = "a", .members = 1}, {.id = "b", .members = 1}}});
  Answer(2, {.groups = {{.id = "a", .members = 1}}, .is_cut = true});
  EXPECT_FALSE(results_.at(0)->complete);
}

TEST_F(ControlQuestionsTest, NobodyIsAskedForMembersThatNobodyWaitsFor) {
  questions_.Drop(Ask({.kind = Kind::kBusiest, .limit = 1}));
  for (const uint64_t worker : {1, 2}) {
    Answer(worker, {.groups = {{.id = "a", .members = 1, .messages_per_second = 3}}});
  }
  EXPECT_EQ(published_.size(), 1u);
  EXPECT_EQ(questions_.size(), 0u);
}

TEST_F(ControlQuestionsTest, WithoutBusyGroupsThereIsNoSecondQuestion) {
  Ask({.kind = Kind::kBusiest, .limit = 5});
  Answer(1);
  Answer(2);
  ASSERT_EQ(results_.size(), 1u);
  EXPECT_TRUE(results_[0]->list.groups.empty());
  EXPECT_EQ(published_.size(), 1u);
}

TEST_F(ControlQuestionsTest, WhatIsMissingInTheFirstStepIsMissingInTheResult) {
  Ask({.kind = Kind::kBusiest, .limit = 1});
  Answer(1, {.groups = {{.id = "a", .members = 1, .messages_per_second = 3}}});
  Pass(absl::Seconds(2));
  ASSERT_EQ(published_.size(), 2u);
  Answer(1, {.groups = {{.id = "a", .members = 1}}});
  Answer(2, {.groups = {{.id = "a", .members = 1}}});
  ASSERT_EQ(results_.size(), 1u);
  EXPECT_FALSE(results_[0]->complete);
  EXPECT_EQ(results_[0]->list.groups[0].members, 2u);
}

TEST_F(ControlQuestionsTest, AllFailWhenTheWorkerEnds) {
  AskGroups();
  AskGroups();
  questions_.FailAll(absl::UnavailableError("the service stops"));
  EXPECT_EQ(results_.size(), 2u);
  EXPECT_EQ(questions_.size(), 0u);
}

}  // namespace
}  // namespace groupcast::service
