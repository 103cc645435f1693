#include "services/channel/repairs.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

using Words = std::vector<std::string>;

constexpr Epoch kEpoch{7};

// The engine: every group is behind, after offset 5, unless a test says otherwise.
class FakeLink final : public RepairLink {
 public:
  bool CanAsk() const override { return up; }
  std::optional<Position> RepairFrom(absl::string_view group_id) override {
    if (in_step == group_id) return std::nullopt;
    return Position{kEpoch, 5};
  }
  bool AskHistory(uint64_t request, absl::string_view group_id, const Position& after,
                  uint32_t newest) override {
    if (full) return false;
    asked.push_back(absl::StrCat(group_id, " after ", after.offset,
                                 newest > 0 ? absl::StrCat(" newest ", newest) : ""));
    last_request = request;
    return true;
  }

  bool up = true;
  bool full = false;
  std::string in_step;
  Words asked;
  uint64_t last_request = 0;
};

class RepairsTest : public testing::Test {
 protected:
  Words Asked() { return std::exchange(link_.asked, {}); }
  void Pass(absl::Duration time) {
    clock_.Advance(time);
    repairs_.Tick();
  }
  Channel::HistoryCallback Record() {
    return [this](const absl::StatusOr<History>& history) {
      answers_.push_back(absl::StatusCodeToString(history.status().code()));
    };
  }

  FakeClock clock_;
  FakeLink link_;
  Repairs repairs_{{.answer_timeout = absl::Seconds(5), .asked_max = 2}, &clock_, &link_};
  Words answers_;
};

TEST_F(RepairsTest, AsksOnceForAGroup) {
  repairs_.Queue("x");
  repairs_.Queue("x");
  EXPECT_EQ(Asked(), Words({"x after 5"}));
  EXPECT_EQ(repairs_.queued(), 0u);
  EXPECT_EQ(repairs_.Take(link_.last_request)->group_id, "x");
  EXPECT_FALSE(repairs_.Take(link_.last_request).has_value());
  repairs_.Queue("x");
  EXPECT_EQ(Asked(), Words({"x after 5"}));
  EXPECT_EQ(repairs_.count(), 2u);
}

TEST_F(RepairsTest, AFewAtATimeInTheirOrder) {
  for (const char* id : {"a", "b", "c", "d"}) repairs_.Queue(id);
  EXPECT_EQ(Asked(), Words({"a after 5", "b after 5"}));
  EXPECT_EQ(repairs_.queued(), 2u);
  EXPECT_TRUE(repairs_.Take(1).has_value());
  repairs_.SendQueued();
  EXPECT_EQ(Asked(), Words({"c after 5"}));
}

TEST_F(RepairsTest, UsersQuestionsDoNotWaitForRepairs) {
  for (const char* id : {"a", "b", "c"}) repairs_.Queue(id);
  Asked();
  repairs_.FetchHistory("x", {kEpoch, 3}, 10, Record());
  EXPECT_EQ(Asked(), Words({"x after 3 newest 10"}));
  const std::optional<Repairs::Question> question = repairs_.Take(link_.last_request);
  ASSERT_TRUE(question.has_value());
  EXPECT_TRUE(question->newest);
  EXPECT_TRUE(question->done != nullptr);
}

TEST_F(RepairsTest, AGroupThatIsInStepWhenItsTurnComesIsNotAskedFor) {
  for (const char* id : {"a", "b", "c", "d"}) repairs_.Queue(id);
  Asked();
  link_.in_step = "c";
  EXPECT_TRUE(repairs_.Take(1).has_value());
  repairs_.SendQueued();
  EXPECT_EQ(Asked(), Words({"d after 5"}));
  link_.in_step = "";
  EXPECT_TRUE(repairs_.Take(2).has_value());
  repairs_.Queue("c");
  EXPECT_EQ(Asked(), Words({"c after 5"}));
}

TEST_F(RepairsTest, ARepairWithoutAnAnswerIsAskedForAgain) {
  repairs_.Queue("x");
  Asked();
  Pass(absl::Milliseconds(4'950));
  EXPECT_EQ(Asked(), Words());
  Pass(absl::Milliseconds(50));
  EXPECT_EQ(Asked(), Words({"x after 5"}));
  EXPECT_FALSE(repairs_.Take(1).has_value());  // an answer that is too late
  EXPECT_TRUE(repairs_.Take(2).has_value());
}

TEST_F(RepairsTest, AUsersQuestionWithoutAnAnswerFails) {
  repairs_.FetchHistory("x", {}, 0, Record());
  Pass(absl::Seconds(5));
  EXPECT_EQ(answers_, Words());  // not from inside of Tick
  EXPECT_TRUE(repairs_.GiveAnswers());
  EXPECT_EQ(answers_, Words({"UNAVAILABLE"}));
  EXPECT_FALSE(repairs_.GiveAnswers());
}

TEST_F(RepairsTest, WhatCannotBeSentIsSentLater) {
  link_.full = true;
  repairs_.Queue("x");
  repairs_.FetchHistory("y", {}, 0, Record());
  link_.full = false;
  Pass(absl::Milliseconds(50));
  EXPECT_EQ(Asked(), Words({"x after 5"}));
  repairs_.GiveAnswers();
  EXPECT_EQ(answers_, Words({"UNAVAILABLE"}));
}

TEST_F(RepairsTest, NothingIsQueuedWhileNothingCanBeAsked) {
  link_.up = false;
  repairs_.Queue("x");
  link_.up = true;
  Pass(absl::Seconds(10));
  EXPECT_EQ(Asked(), Words());
}

TEST_F(RepairsTest, TheAnswerForAGroupThatWasLeftIsForNobody) {
  repairs_.Queue("x");
  repairs_.Forget("x");
  EXPECT_FALSE(repairs_.Take(1).has_value());
  // Nor for the group when it is there again.
  repairs_.Queue("x");
  repairs_.Forget("x");
  repairs_.Queue("x");
  EXPECT_FALSE(repairs_.Take(2).has_value());
  EXPECT_TRUE(repairs_.Take(3).has_value());
}

// Its entry in the queue is older than its last wish, or nobody wishes it any more.
TEST_F(RepairsTest, AQueuedGroupThatIsLeftIsNotAskedForAndOnceIfItComesBack) {
  for (const char* id : {"a", "b", "x", "y"}) repairs_.Queue(id);
  Asked();
  repairs_.Forget("x");
  repairs_.Forget("y");
  repairs_.Queue("y");
  EXPECT_EQ(repairs_.queued(), 3u);
  EXPECT_TRUE(repairs_.Take(1).has_value());
  EXPECT_TRUE(repairs_.Take(2).has_value());
  repairs_.SendQueued();
  EXPECT_EQ(Asked(), Words({"y after 5"}));
  EXPECT_EQ(repairs_.queued(), 0u);
}

TEST_F(RepairsTest, WhatIsQueuedWaitsWhileNothingCanBeAsked) {
  for (const char* id : {"a", "b", "c"}) repairs_.Queue(id);
  Asked();
  EXPECT_TRUE(repairs_.Take(1).has_value());
  link_.up = false;
  repairs_.SendQueued();
  EXPECT_EQ(Asked(), Words());
  link_.up = true;
  repairs_.SendQueued();
  EXPECT_EQ(Asked(), Words({"c after 5"}));
}

TEST_F(RepairsTest, AUsersQuestionThatCannotBeAskedLeavesNothingBehind) {
  link_.up = false;
  repairs_.FetchHistory("x", {}, 0, Record());
  link_.up = true;
  Pass(absl::Seconds(5));
  repairs_.GiveAnswers();
  EXPECT_EQ(answers_, Words({"UNAVAILABLE"}));
  for (const char* id : {"a", "b", "c"}) repairs_.Queue(id);
  EXPECT_EQ(Asked(), Words({"a after 5", "b after 5"}));
}

TEST_F(RepairsTest, AUsersQuestionIsForTheNewestOrForTheOldest) {
  repairs_.FetchHistory("x", {}, 1, Record());
  EXPECT_TRUE(repairs_.Take(1)->newest);
  repairs_.FetchHistory("x", {}, 0, Record());
  EXPECT_FALSE(repairs_.Take(2)->newest);
}

TEST_F(RepairsTest, ALostConnectionFailsQuestionsAndForgetsRepairs) {
  for (const char* id : {"a", "b", "c"}) repairs_.Queue(id);
  repairs_.FetchHistory("x", {}, 0, Record());
  repairs_.Reset();
  EXPECT_EQ(repairs_.queued(), 0u);
  repairs_.GiveAnswers();
  EXPECT_EQ(answers_, Words({"UNAVAILABLE"}));
  Asked();
  EXPECT_FALSE(repairs_.Take(1).has_value());
  Pass(absl::Seconds(10));
  EXPECT_EQ(Asked(), Words());
  for (const char* id : {"a", "b"}) repairs_.Queue(id);
  EXPECT_EQ(Asked(), Words({"a after 5", "b after 5"}));
}

}  // namespace
}  // namespace groupcast::service
