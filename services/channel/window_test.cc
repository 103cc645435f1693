#include "services/channel/window.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "services/channel/wire_content.h"

namespace groupcast::service {
namespace {

using channel::v1::Refusal;
using Words = std::vector<std::string>;

constexpr uint64_t kEpoch = 7;
constexpr Fingerprint kKey{1, 2};

// Publications are their bodies; answers are "body: offset" or "body: error".
class WindowTest : public testing::Test {
 protected:
  explicit WindowTest(const WindowOptions& options = {.bytes_max = 1000,
                                                      .wait_max = absl::Seconds(30)})
      : window_(options) {}

  void Add(const std::string& body) {
    window_.Add(
        LiveFramePrefix(
            "x", {.kind = LiveKind::kPublication, .publisher = PublisherId{9}, .key = kKey}) +
            body,
        1,
        [this, body](const absl::StatusOr<Position>& result) {
          given_.push_back(absl::StrCat(body, ": ",
                                        result.ok()
                                            ? absl::StrCat(result->offset)
                                            : absl::StatusCodeToString(result.status().code())));
          EXPECT_EQ(result.ok() ? result->epoch : Epoch{kEpoch}, Epoch{kEpoch});
        },
        now_);
  }

  // What is sent now, as "number body" or "number void", with the first unacknowledged number if
  // that is another.
  Words Send() {
    Words sent;
    window_.Send([&](absl::string_view bytes) {
      const LiveFrame frame = *ParseLiveFrame(bytes);
      const bool is_void = frame.header.kind == LiveKind::kVoid;
      EXPECT_EQ(frame.group_id, "x");
      EXPECT_EQ(frame.header.publisher, PublisherId{9});
      EXPECT_EQ(frame.header.key, is_void ? Fingerprint{} : kKey);
      EXPECT_EQ(frame.header.offset, window_.first_unacknowledged());
      sent.push_back(absl::StrCat(frame.header.number, " ", is_void ? "void" : frame.body));
    });
    return sent;
  }

  void Results(uint64_t first_number, const std::vector<uint64_t>& offsets,
               const std::vector<std::pair<uint64_t, Refusal::Reason>>& refusals = {}) {
    channel::v1::Acknowledgement results;
    results.set_epoch(kEpoch);
    results.set_first_number(first_number);
    for (const uint64_t offset : offsets) results.add_offsets(offset);
    for (const auto& [number, reason] : refusals) {
      Refusal* const refusal = results.add_refusals();
      refusal->set_number(number);
      refusal->set_reason(reason);
    }
    window_.OnResults(results, &answers_);
  }

  void Expire(absl::Duration after) {
    now_ += after;
    window_.Expire(now_, &answers_);
  }

  // The answers that are due are given.
  Words Answers() {
    for (const Window::Answer& answer : std::exchange(answers_, {})) answer.done(answer.result);
    return std::exchange(given_, {});
  }

  absl::Time now_ = absl::UnixEpoch();
  Window window_;
  Window::Answers answers_;
  Words given_;
};

TEST_F(WindowTest, NumbersPublicationsWhenTheyAreSentFirst) {
  Add("a");
  Add("b");
  EXPECT_FALSE(window_.awaits_results());
  EXPECT_EQ(Send(), Words({"1 a", "2 b"}));
  EXPECT_TRUE(window_.awaits_results());
  EXPECT_EQ(Send(), Words());
  Add("c");
  EXPECT_EQ(Send(), Words({"3 c"}));
  EXPECT_EQ(window_.first_unacknowledged(), 1u);
}

TEST_F(WindowTest, SendsAgainUnderTheSameNumbers) {
  Add("a");
  Add("b");
  Send();
  Results(1, {10});
  window_.SendAgain();
  EXPECT_FALSE(window_.awaits_results());
  Add("c");
  EXPECT_EQ(Send(), Words({"2 b", "3 c"}));
}

TEST_F(WindowTest, AnswersAreNotGivenFromInsideAMethod) {
  Add("a");
  Send();
  Results(1, {10});
  EXPECT_EQ(given_, Words());
  EXPECT_EQ(answers_.size(), 1u);
  EXPECT_EQ(Answers(), Words({"a: 10"}));
  EXPECT_EQ(window_.count(), 0u);
  EXPECT_EQ(window_.bytes(), 0u);
}

// Results of one run may come in the answer to a hello while an earlier run was lost.
TEST_F(WindowTest, ResultsComeInAnyOrderAndOnce) {
  for (const char* body : {"a", "b", "c"}) Add(body);
  Send();
  Results(2, {11});
  EXPECT_EQ(Answers(), Words({"b: 11"}));
  EXPECT_EQ(window_.first_unacknowledged(), 1u);
  Results(1, {10, 11, 12});
  EXPECT_EQ(Answers(), Words({"a: 10", "c: 12"}));
  EXPECT_EQ(window_.first_unacknowledged(), 4u);
  Results(1, {10, 11, 12});
  EXPECT_EQ(Answers(), Words());
}

// The server takes numbers without a hole. But one that knows nothing of what was done before must
// not do it again.
TEST_F(WindowTest, WhatWasAnsweredHoldsItsPlaceBetweenOthersAsVoid) {
  for (const char* body : {"a", "b", "c"}) Add(body);
  Send();
  Results(2, {11});
  window_.SendAgain();
  EXPECT_EQ(Send(), Words({"1 a", "2 void", "3 c"}));
}

TEST_F(WindowTest, ResultsOfWhatWasNeverSentAreIgnored) {
  Add("a");
  Results(0, {9, 10, 11});
  Results(~uint64_t{0}, {9, 10, 11});
  EXPECT_EQ(Answers(), Words());
  EXPECT_EQ(Send(), Words({"1 a"}));
}

TEST_F(WindowTest, RefusalsSayWhy) {
  for (const char* body : {"a", "b", "c", "d", "e", "f"}) Add(body);
  Send();
  Results(1, {0, 0, 12, 0, 0, 0},
          {{1, Refusal::TOO_LARGE},
           {2, Refusal::UNAVAILABLE},
           {4, Refusal::VOID},
           {5, Refusal::MALFORMED}});
  EXPECT_EQ(Answers(), Words({"a: RESOURCE_EXHAUSTED", "b: UNAVAILABLE", "c: 12", "d: UNKNOWN",
                              "e: INTERNAL", "f: INTERNAL"}));
}

// A server that has forgotten its publisher may have done what it now refuses.
TEST_F(WindowTest, ARefusalOfWhatMayHaveBeenDoneBeforeIsUnknown) {
  for (const char* body : {"a", "b", "c"}) Add(body);
  Send();
  window_.DoubtSent();
  window_.SendAgain();
  Add("d");
  Send();
  Results(1, {0, 0, 12, 0},
          {{1, Refusal::UNAVAILABLE}, {2, Refusal::TOO_LARGE}, {4, Refusal::UNAVAILABLE}});
  EXPECT_EQ(Answers(), Words({"a: UNKNOWN", "b: RESOURCE_EXHAUSTED", "c: 12", "d: UNAVAILABLE"}));
}

// It was accepted, and the server does not remember what became of it.
TEST_F(WindowTest, WhatWasAcceptedWithoutAResultIsUnknown) {
  for (const char* body : {"a", "b", "c"}) Add(body);
  Send();
  Results(2, {11});
  window_.OnAccepted(2, &answers_);
  EXPECT_EQ(Answers(), Words({"b: 11", "a: UNKNOWN"}));
  EXPECT_EQ(window_.first_unacknowledged(), 3u);
  window_.OnAccepted(3, &answers_);
  EXPECT_EQ(Answers(), Words({"c: UNKNOWN"}));
  EXPECT_EQ(window_.count(), 0u);
}

// What was never sent cannot be accepted, whatever the server says.
TEST_F(WindowTest, WhatWasNeverSentIsNotAccepted) {
  Add("a");
  Send();
  Add("b");
  window_.OnAccepted(2, &answers_);
  EXPECT_EQ(Answers(), Words({"a: UNKNOWN"}));
  EXPECT_EQ(Send(), Words({"3 b"}));
}

// A stranger has used the publisher's id. What was sent is in doubt, and what follows is accepted.
TEST_F(WindowTest, GoesOnAfterANumberThatIsNotItsOwn) {
  Add("a");
  Send();
  constexpr uint64_t kFar = 1'000'000'000'000;
  window_.OnAccepted(kFar, &answers_);
  EXPECT_EQ(Answers(), Words({"a: UNKNOWN"}));
  EXPECT_EQ(window_.first_unacknowledged(), kFar + 1);
  Add("b");
  EXPECT_EQ(Send(), Words({absl::StrCat(kFar + 1, " b")}));
  Results(kFar + 1, {10});
  EXPECT_EQ(Answers(), Words({"b: 10"}));
}

// The answer to a hello comes while the publish link is away.
TEST_F(WindowTest, ResultsMayComeBeforeThePublicationsAreSentAgain) {
  Add("a");
  Add("b");
  Send();
  window_.SendAgain();
  EXPECT_FALSE(window_.awaits_results());
  Results(1, {10});
  EXPECT_EQ(Answers(), Words({"a: 10"}));
  EXPECT_FALSE(window_.awaits_results());
  EXPECT_EQ(Send(), Words({"2 b"}));
  Expire(absl::Seconds(30));
  EXPECT_EQ(Answers(), Words({"b: UNKNOWN"}));
}

TEST_F(WindowTest, AReasonIsForItsNumberAlone) {
  for (const char* body : {"a", "b", "c"}) Add(body);
  Send();
  Results(1, {0, 0, 0}, {{2, Refusal::TOO_LARGE}});
  EXPECT_EQ(Answers(), Words({"a: INTERNAL", "b: RESOURCE_EXHAUSTED", "c: INTERNAL"}));
}

// Only what an earlier server may have taken is in doubt.
TEST_F(WindowTest, WhatIsNotSentYetIsNotInDoubt) {
  Add("a");
  Send();
  Add("b");
  window_.DoubtSent();
  Send();
  Results(1, {0, 0}, {{1, Refusal::UNAVAILABLE}, {2, Refusal::UNAVAILABLE}});
  EXPECT_EQ(Answers(), Words({"a: UNKNOWN", "b: UNAVAILABLE"}));
}

TEST_F(WindowTest, WhatWasNeverSentExpiresAsNotDoneAndTakesNoNumber) {
  Add("a");
  now_ += absl::Seconds(1);
  Add("b");
  Expire(absl::Seconds(28));
  EXPECT_EQ(Answers(), Words());
  Expire(absl::Seconds(1));
  EXPECT_EQ(Answers(), Words({"a: UNAVAILABLE"}));
  EXPECT_EQ(Send(), Words({"1 b"}));
}

// Nobody knows whether it was done. If it has to go out again, it must not be done later than its
// key is remembered, so only its number goes.
TEST_F(WindowTest, WhatWasSentExpiresAsUnknownAndGoesOutAgainAsVoid) {
  Add("a");
  Send();
  Add("never sent");
  Expire(absl::Seconds(30));
  EXPECT_EQ(Answers(), Words({"a: UNKNOWN", "never sent: UNAVAILABLE"}));
  EXPECT_EQ(window_.count(), 1u);
  EXPECT_EQ(Send(), Words());  // what is under way needs no copy
  Add("b");
  window_.SendAgain();
  EXPECT_EQ(Send(), Words({"1 void", "2 b"}));
  Expire(absl::Seconds(1));
  Results(1, {0, 10}, {{1, Refusal::VOID}});
  EXPECT_EQ(Answers(), Words({"b: 10"}));
  EXPECT_EQ(window_.bytes(), 0u);
}

TEST_F(WindowTest, AResultAfterTheExpiryGivesNoSecondAnswer) {
  Add("a");
  Send();
  Expire(absl::Seconds(30));
  Answers();
  Results(1, {10});
  EXPECT_EQ(Answers(), Words());
  EXPECT_EQ(window_.count(), 0u);
}

TEST_F(WindowTest, WhatComesAfterOneThatExpiredExpiresInItsOwnTime) {
  Add("a");
  Send();
  Expire(absl::Seconds(30));
  Results(1, {10});
  Add("b");
  Send();
  Expire(absl::Seconds(30));
  EXPECT_EQ(Answers(), Words({"a: UNKNOWN", "b: UNKNOWN"}));
}

TEST_F(WindowTest, WhatHasItsResultDoesNotExpire) {
  Add("a");
  Add("b");
  Send();
  Results(2, {11});
  Answers();
  Expire(absl::Seconds(30));
  EXPECT_EQ(Answers(), Words({"a: UNKNOWN"}));
  window_.SendAgain();
  EXPECT_EQ(Send(), Words({"1 void", "2 void"}));
}

TEST_F(WindowTest, HasRoomUpToItsBytesAndForAnythingWhenItIsEmpty) {
  EXPECT_TRUE(window_.HasRoomFor(1'000'000));
  Add(std::string(5000, 'a'));
  EXPECT_FALSE(window_.HasRoomFor(1));
  Send();
  Results(1, {10});
  EXPECT_TRUE(window_.HasRoomFor(1'000'000));
  Add(std::string(600, 'a'));
  const size_t left = 1000 - window_.bytes();
  EXPECT_TRUE(window_.HasRoomFor(left));
  EXPECT_FALSE(window_.HasRoomFor(left + 1));
}

// So publications for which there was room never take the window over its bound.
TEST_F(WindowTest, APublicationUsesNoMoreThanItsCost) {
  const std::string data(300, 'a');
  const Content content{.kind = Content::Kind::kJson,
                        .data = data,
                        .sent_at_ms = -1,
                        .excluded_session = {~uint64_t{0}, ~uint64_t{0}}};
  channel::v1::Content wire;
  ContentToWire(content, &wire);
  Add(wire.SerializeAsString());
  EXPECT_LE(window_.bytes(), Window::CostOf({.bytes = 1 + 300}));
  EXPECT_GT(window_.bytes() + 20, Window::CostOf({.bytes = 1 + 300}));
  EXPECT_EQ(Window::CostOf({.count = 3, .bytes = 3 * 301}), 3 * Window::CostOf({.bytes = 301}));
}

TEST_F(WindowTest, WhatExpiredFreesItsBytes) {
  Add(std::string(5000, 'a'));
  Send();
  Expire(absl::Seconds(30));
  EXPECT_TRUE(window_.HasRoomFor(700));
  EXPECT_GT(window_.bytes(), 128u);  // its number is still awaited
  EXPECT_LT(window_.bytes(), 300u);
}

// A body may have kContentOverheadBytes more than its message.
TEST_F(WindowTest, GivesUpWhatIsLargerThanTheServerTakesAndKeepsItsNumbers) {
  const std::string largest(10 + kContentOverheadBytes, 'l');
  const std::string large(11 + kContentOverheadBytes, 'L');
  Add(large);
  Add(largest);
  Send();
  Add(large);
  window_.SendAgain();
  window_.GiveUpLarger(10, &answers_);
  EXPECT_EQ(Answers(), Words({large + ": RESOURCE_EXHAUSTED", large + ": RESOURCE_EXHAUSTED"}));
  EXPECT_EQ(window_.count(), 2u);
  Add("a");
  EXPECT_EQ(Send(), Words({"1 void", "2 " + largest, "3 a"}));
  window_.GiveUpLarger(10, &answers_);
  Results(1, {0, 20, 21}, {{1, Refusal::VOID}});
  EXPECT_EQ(Answers(), Words({largest + ": 20", "a: 21"}));
  EXPECT_EQ(window_.bytes(), 0u);
}

TEST_F(WindowTest, WhatIsTooLargeNowMayHaveBeenTakenByAnEarlierServer) {
  const std::string large(11 + kContentOverheadBytes, 'L');
  Add(large);
  Send();
  window_.DoubtSent();
  Add(large);
  window_.GiveUpLarger(10, &answers_);
  EXPECT_EQ(Answers(), Words({large + ": UNKNOWN", large + ": RESOURCE_EXHAUSTED"}));
}

}  // namespace
}  // namespace groupcast::service
