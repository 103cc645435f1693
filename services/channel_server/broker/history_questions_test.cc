#include "services/channel_server/broker/history_questions.h"

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

using Words = std::vector<std::string>;

class HistoryQuestionsTest : public testing::Test {
 protected:
  void Ask(uint64_t worker, uint64_t request) {
    channel::v1::FetchHistory question;
    question.set_request(request);
    questions_.Add(PublisherId{worker}, question);
  }
  // The answers of a turn, as "worker:request".
  Words Turn(size_t bytes = 40) {
    Words answers;
    questions_.AnswerSome([&](PublisherId to, const channel::v1::FetchHistory& question) {
      answers.push_back(absl::StrCat(static_cast<uint64_t>(to), ":", question.request()));
      return bytes;
    });
    return answers;
  }

  HistoryQuestions questions_{{.per_worker_max = 3, .all_max = 5, .turn_bytes = 100}};
};

TEST_F(HistoryQuestionsTest, ATurnGivesAFewAnswersAndLeavesTheOthersForTheNext) {
  for (uint64_t request = 1; request <= 3; ++request) Ask(1, request);
  EXPECT_EQ(Turn(50), Words({"1:1", "1:2"}));
  EXPECT_EQ(questions_.waiting(), 1u);
  EXPECT_EQ(Turn(50), Words({"1:3"}));
  EXPECT_EQ(Turn(50), Words());
  // One answer goes, whatever its size.
  Ask(1, 4);
  Ask(1, 5);
  EXPECT_EQ(Turn(1'000), Words({"1:4"}));
  EXPECT_EQ(Turn(1'000), Words({"1:5"}));
}

TEST_F(HistoryQuestionsTest, WorkersAreAnsweredInTurn) {
  for (uint64_t request = 1; request <= 3; ++request) Ask(1, request);
  Ask(2, 1);
  Ask(2, 2);
  EXPECT_EQ(Turn(), Words({"1:1", "2:1", "1:2"}));
  EXPECT_EQ(Turn(), Words({"2:2", "1:3"}));
}

TEST_F(HistoryQuestionsTest, TooManyAreDropped) {
  for (uint64_t request = 1; request <= 4; ++request) Ask(1, request);
  for (uint64_t request = 1; request <= 3; ++request) Ask(2, request);
  EXPECT_EQ(questions_.waiting(), 5u);
  EXPECT_EQ(Turn(1), Words({"1:1", "2:1", "1:2", "2:2", "1:3"}));
  Ask(2, 4);
  EXPECT_EQ(Turn(1), Words({"2:4"}));
}

}  // namespace
}  // namespace groupcast::service
