#include "services/channel/nats/publications.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/common/clock.h"

namespace groupcast::service {
namespace {

using absl::StatusCode;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr Epoch kEpoch{7};

class Writer final : public NatsWriter {
 public:
  void Publish(absl::string_view subject, absl::string_view reply, Headers headers,
               absl::string_view data) override {
    std::string text = absl::StrCat(subject, " ", reply, " ", data);
    for (const auto& [name, value] : headers) {
      if (name == "Nats-Msg-Id") absl::StrAppend(&text, " ", value);
      if (name == "Nats-Expected-Stream") {
        EXPECT_EQ(value, "s");
      }
    }
    EXPECT_EQ(headers.size(), 2u);
    written.push_back(std::move(text));
  }
  void Subscribe(absl::string_view, uint64_t) override {}
  void Unsubscribe(uint64_t) override {}

  std::vector<std::string> Take() { return std::exchange(written, {}); }
  std::vector<std::string> written;
};

class PublicationsTest : public testing::Test {
 protected:
  void Add(const std::string& body, const Fingerprint& key = {}) {
    publications_.Add(
        {.group_id = "g", .content = {}, .key = key}, body, [](const absl::StatusOr<Position>&) {},
        clock_.Now());
  }
  void Open() {
    publications_.Open(kEpoch, "in.");
    publications_.Send(clock_.Now());
  }
  void Answer(uint64_t number, const std::string& json) {
    publications_.OnAnswer(number, 0, json, clock_.Now());
  }
  void Pass(absl::Duration time) {
    clock_.Advance(time);
    publications_.Tick(clock_.Now());
  }
  // Offsets or codes.
  std::string Results() {
    std::string text;
    for (const Publications::Result& result : publications_.TakeResults()) {
      absl::StrAppend(&text, text.empty() ? "" : " ",
                      result.position.ok()
                          ? absl::StrCat(result.position->offset)
                          : absl::StatusCodeToString(result.position.status().code()));
    }
    return text;
  }

  FakeClock clock_;
  Writer writer_;
  Publications publications_{
      {.stream = "s", .bytes_max = 10'000, .in_flight_max = 3}, 0xab, &writer_};
};

constexpr char kRefusal[] =
    R"({"error":{"code":503,"err_code":10077,"description":"maximum bytes exceeded"}})";

TEST_F(PublicationsTest, WaitForTheStreamAndGetTheirPlaces) {
  Add("a");
  EXPECT_THAT(writer_.Take(), IsEmpty());
  Open();
  EXPECT_THAT(writer_.Take(), ElementsAre("s.g.g in.p1 a ab-1"));
  Add("b");
  EXPECT_THAT(writer_.Take(), ElementsAre("s.g.g in.p2 b ab-2"));
  Answer(1, R"({"stream":"s","seq":10})");
  Answer(2, R"({"stream":"s","seq":11})");
  EXPECT_EQ(Results(), "10 11");
  EXPECT_EQ(publications_.bytes(), 0u);
}

TEST_F(PublicationsTest, AKeyIsTheIdOfItsPublication) {
  Open();
  Add("a", {.high = 1, .low = 0xff});
  EXPECT_THAT(writer_.Take(), ElementsAre("s.g.g in.p1 a 000000000000000100000000000000ff"));
}

TEST_F(PublicationsTest, ResultsKeepTheOrderOfThePublications) {
  Open();
  Add("a");
  Add("b");
  Answer(2, R"({"stream":"s","seq":11})");
  EXPECT_EQ(Results(), "");
  Answer(1, R"({"stream":"s","seq":10})");
  EXPECT_EQ(Results(), "10 11");
}

TEST_F(PublicationsTest, AFewAreUnderWayAtATime) {
  Open();
  for (int i = 0; i < 5; ++i) Add(absl::StrCat(i));
  EXPECT_EQ(writer_.Take().size(), 3u);
  Answer(2, R"({"stream":"s","seq":1})");
  publications_.Send(clock_.Now());
  EXPECT_THAT(writer_.Take(), ElementsAre("s.g.g in.p4 3 ab-4"));
}

TEST_F(PublicationsTest, ANewConnectionGetsAllWithoutAResultAgainWithTheSameIds) {
  Open();
  Add("a");
  Add("b");
  Add("c");
  Answer(2, R"({"stream":"s","seq":11})");
  writer_.Take();
  publications_.Close();
  Open();
  EXPECT_THAT(writer_.Take(), ElementsAre("s.g.g in.p1 a ab-1", "s.g.g in.p3 c ab-3"));
  EXPECT_EQ(publications_.resends(), 2u);
  Answer(1, R"({"stream":"s","seq":10,"duplicate":true})");
  Answer(3, R"({"stream":"s","seq":12})");
  EXPECT_EQ(Results(), "10 11 12");
}

TEST_F(PublicationsTest, WhatTheStreamDidNotTakeIsSentAgainLater) {
  Open();
  Add("a");
  writer_.Take();
  Answer(1, kRefusal);
  EXPECT_THAT(writer_.Take(), IsEmpty());
  Pass(absl::Milliseconds(100));
  EXPECT_THAT(writer_.Take(), ElementsAre("s.g.g in.p1 a ab-1"));
  publications_.OnAnswer(1, 503, "", clock_.Now());
  Pass(absl::Milliseconds(100));
  EXPECT_EQ(writer_.Take().size(), 1u);
  Answer(1, R"({"stream":"s","seq":10})");
  EXPECT_EQ(Results(), "10");
}

TEST_F(PublicationsTest, WhatWasRefusedForSureIsUnavailable) {
  Open();
  Add("a");
  Answer(1, kRefusal);
  std::string results;
  for (int i = 0; i < 1'000 && results.empty(); ++i) {
    Pass(absl::Milliseconds(200));
    results = Results();
    Answer(1, kRefusal);
  }
  EXPECT_EQ(results, "UNAVAILABLE");
  EXPECT_GT(writer_.written.size(), 100u) << "it was tried for 30 s";
}

TEST_F(PublicationsTest, WithoutAnAnswerTheOutcomeIsUnknown) {
  Open();
  Add("a");
  writer_.Take();
  Pass(absl::Seconds(6));
  EXPECT_EQ(writer_.Take().size(), 1u) << "sent again";
  Answer(1, kRefusal);  // of one of the two
  Pass(absl::Seconds(24));
  EXPECT_EQ(Results(), "UNKNOWN");
}

TEST_F(PublicationsTest, WhatWasUnderWayWhenTheConnectionBrokeIsInDoubt) {
  Open();
  Add("a");
  publications_.Close();
  Open();
  Answer(1, kRefusal);  // of the second transmission
  publications_.Close();
  Pass(absl::Seconds(30));
  EXPECT_EQ(Results(), "UNKNOWN");
}

TEST_F(PublicationsTest, WithoutAConnectionNothingWasTaken) {
  Add("a");
  Pass(absl::Seconds(29));
  EXPECT_EQ(Results(), "");
  Pass(absl::Seconds(1));
  EXPECT_EQ(Results(), "UNAVAILABLE");
}

TEST_F(PublicationsTest, WhatCanNeverWorkEndsAtOnce) {
  Open();
  Add("a");
  Answer(1, R"({"error":{"code":400,"err_code":10054,"description":"too large"}})");
  EXPECT_EQ(Results(), "RESOURCE_EXHAUSTED");
}

TEST_F(PublicationsTest, AnswersToStrangersHaveNoEffect) {
  Open();
  Add("a");
  Answer(0, R"({"stream":"s","seq":1})");
  Answer(2, R"({"stream":"s","seq":1})");
  EXPECT_EQ(Results(), "");
  Answer(1, R"({"stream":"s","seq":5})");
  Answer(1, R"({"stream":"s","seq":6})");
  EXPECT_EQ(Results(), "5");
  Answer(1, R"({"stream":"s","seq":6})");
  EXPECT_EQ(Results(), "");
}

TEST_F(PublicationsTest, HaveABound) {
  const size_t cost = Publications::CostOf({.count = 1, .bytes = 1'000});
  EXPECT_TRUE(publications_.HasRoomFor(1'000'000)) << "one alone always fits";
  Add(std::string(5'000, 'x'));
  EXPECT_TRUE(publications_.HasRoomFor(cost));
  Add(std::string(4'000, 'x'));
  EXPECT_FALSE(publications_.HasRoomFor(cost));
}

}  // namespace
}  // namespace groupcast::service
