#include "services/channel/nats/history_read.h"

#include <map>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "boost/json.hpp"
#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

constexpr Epoch kEpoch{7};

// A stream with the messages of one group.
class Stream {
 public:
  uint64_t first = 1;
  uint64_t last = 0;
  std::map<uint64_t, std::string> messages;

  std::string Answer(const HistoryRead::Request& request) {
    ++requests;
    const boost::json::object body = boost::json::parse(request.body).as_object();
    if (request.subject == "$JS.API.STREAM.INFO.s") {
      EXPECT_EQ(body.at("subjects_filter"), "s.g.g");
      return absl::StrCat(R"({"created":"x","state":{"first_seq":)", first, R"(,"last_seq":)", last,
                          R"(,"subjects":{"s.g.g":)", messages.size(), "}}}");
    }
    EXPECT_EQ(request.subject, "$JS.API.STREAM.MSG.GET.s");
    auto at = messages.end();
    if (body.contains("last_by_subj")) {
      if (!messages.empty()) --at;
    } else {
      at = messages.lower_bound(body.at("seq").to_number<uint64_t>());
    }
    if (at == messages.end()) {
      return R"({"error":{"code":404,"err_code":10037,"description":"no message found"}})";
    }
    return absl::StrCat(R"({"message":{"subject":"s.g.g","seq":)", at->first, R"(,"data":")",
                        absl::Base64Escape(at->second), R"("}})");
  }
  int requests = 0;
};

class HistoryReadTest : public testing::Test {
 protected:
  // "head floor: previous>offset …"
  std::string Read(uint64_t after, uint32_t newest = 0, Epoch epoch = kEpoch) {
    HistoryRead read({.messages_per_group_max = 3, .answer_bytes_max = 1'000}, "s", "g",
                     {epoch, after}, newest, kEpoch);
    while (!read.is_done()) {
      const absl::Status status = read.OnAnswer(stream_.Answer(read.next_request()));
      if (!status.ok()) return std::string(status.message());
    }
    EXPECT_EQ(read.head().epoch, kEpoch);
    std::string text = absl::StrCat(read.head().offset, " ", read.floor(), ":");
    for (const HistoryRead::Entry& entry : read.entries()) {
      absl::StrAppend(&text, " ", entry.previous, ">", entry.offset);
      EXPECT_EQ(entry.body, stream_.messages[entry.offset]);
    }
    return text;
  }

  Stream stream_{.first = 1, .last = 20, .messages = {{4, "a"}, {9, "b"}, {15, "c"}}};
};

TEST_F(HistoryReadTest, ReadsWhatFollowsAPosition) {
  EXPECT_EQ(Read(4), "15 0: 4>9 9>15");
  EXPECT_EQ(Read(0), "15 0: 0>4 4>9 9>15");
}

TEST_F(HistoryReadTest, AtTheHeadThereIsNothingToRead) {
  EXPECT_EQ(Read(15), "15 0:");
  EXPECT_EQ(stream_.requests, 2);
}

TEST_F(HistoryReadTest, APositionOfAnotherEpochIsBeforeAll) {
  EXPECT_EQ(Read(9, 0, Epoch{6}), "15 0: 0>4 4>9 9>15");
}

TEST_F(HistoryReadTest, TheMessageOverTheBoundShowsTheFloor) {
  stream_.messages[18] = "d";
  EXPECT_EQ(Read(0), "18 4: 4>9 9>15 15>18");
  EXPECT_EQ(Read(4), "18 4: 4>9 9>15 15>18") << "what follows 4 is complete";
  EXPECT_EQ(Read(9), "18 4: 9>15 15>18");
}

TEST_F(HistoryReadTest, WhatIsDroppedByAgeIsBeforeTheStreamsFirst) {
  stream_.first = 9;
  stream_.messages.erase(4);
  EXPECT_EQ(Read(0), "15 8: 8>9 9>15");
  EXPECT_EQ(Read(8), "15 8: 8>9 9>15");
}

TEST_F(HistoryReadTest, AGroupWithoutMessagesHasTheEndOfTheStreamAsItsHead) {
  stream_.messages.clear();
  EXPECT_EQ(Read(0), "20 0:");
  stream_.first = 18;
  EXPECT_EQ(Read(5), "20 17:");
}

TEST_F(HistoryReadTest, TheNewestAreAChain) {
  EXPECT_EQ(Read(0, 2), "15 0: 4>9 9>15");
  EXPECT_EQ(Read(0, 1), "15 0: 9>15");
  EXPECT_EQ(Read(9, 5), "15 0: 9>15");
}

TEST_F(HistoryReadTest, AnAnswerHasABound) {
  stream_.messages = {
      {4, std::string(400, 'a')}, {9, std::string(400, 'b')}, {15, std::string(100, 'c')}};
  EXPECT_EQ(Read(0), "15 0: 0>4 4>9");
  EXPECT_EQ(Read(0, 10), "15 0: 4>9 9>15");
  stream_.messages[4] = std::string(4'000, 'a');
  EXPECT_EQ(Read(0), "15 0: 0>4") << "one alone always fits";
}

TEST_F(HistoryReadTest, AFailureEndsIt) {
  HistoryRead read({.messages_per_group_max = 3}, "s", "g", {}, 0, kEpoch);
  EXPECT_FALSE(read.OnAnswer(R"({"error":{"code":503,"err_code":10008}})").ok());
}

}  // namespace
}  // namespace groupcast::service
