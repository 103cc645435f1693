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
      : questions_({.timeout = absl::Seconds(2), .questions_max = 3},
                   {.clock = &clock_,
                    .workers = [this] { return workers_; },
                    .publish =
                        [this](uint64_t number, const ControlCommand& command,
                               std::function<void(const absl::Status&)> failed) {
                          published_.push_back({number, command, std::move(failed)});
                        }}) {}

  uint64_t Ask(const ControlCommand& command) {
    const absl::StatusOr<uint64_t> handle = questions_.Ask(
        command,
        [this](absl::StatusOr<ControlResult> result) { results_.push_back(std::move(result)); });
    EXPECT_TRUE(handle.ok()) << handle.status();
    return handle.value_or(0);
  }
  uint64_t AskGroups(uint32_t limit = 10) { return Ask({.kind = Kind::kGroups, .limit = limit}); }
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
  Pass(absl::Seconds(2));
  ASSERT_EQ(results_.size(), 2u);
  EXPECT_TRUE(absl::IsUnavailable(results_[1].status()));
  EXPECT_EQ(published_.size(), 1u) << "it is not asked after its end";
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

TEST_F(ControlQuestionsTest, ABusyWorkerRefusesTheQuestion) {
  AskGroups();
  questions_.OnAnswer({.question = published_.back().number,
                       .worker = 1,
                       .outcome = ControlAnswer::Outcome::kBusy});
  ASSERT_EQ(results_.size(), 1u);
  EXPECT_TRUE(absl::IsAborted(results_[0].status()));
}

TEST_F(ControlQuestionsTest, TheQuestionsUnderWayHaveABound) {
  for (int i = 0; i < 3; ++i) AskGroups();
  const auto over = questions_.Ask({.kind = Kind::kGroups}, [](const auto&) { FAIL(); });
  EXPECT_TRUE(absl::IsUnavailable(over.status()));
  Answer(1);
  Answer(2);
  AskGroups();
  EXPECT_EQ(questions_.size(), 3u);
}

TEST_F(ControlQuestionsTest, APublicationThatFailsFailsItsQuestion) {
  AskGroups();
  published_.back().failed(absl::UnavailableError("away"));
  ASSERT_EQ(results_.size(), 1u);
  EXPECT_EQ(results_[0].status(), absl::UnavailableError("away"));
  published_.back().failed(absl::UnavailableError("away"));  // of a question that has ended
  EXPECT_EQ(results_.size(), 1u);
}

TEST_F(ControlQuestionsTest, ADroppedQuestionIsNotAnswered) {
  const uint64_t handle = AskGroups();
  questions_.Drop(handle);
  Answer(1);
  Answer(2);
  Pass(absl::Seconds(2));
  EXPECT_TRUE(results_.empty());
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
